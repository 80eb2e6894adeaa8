//! Trace context (W3C Trace Context, level 1), as it comes with a request and as handlers pass it on.
//!
//! Whoever calls can make one up, so it is validated strictly, decides nothing, and is bounded. Baggage is never read.

use std::fmt;

/// Characters of a `traceparent` of the version that is known.
const LENGTH: usize = 55;

/// Characters of a longer one, of a version to come.
const MAX_PARENT: usize = 256;

/// Characters of a `tracestate` (§3.3.1.5), which is left out when it is longer.
const MAX_STATE: usize = 512;

/// Entries of one (§3.3.1.1).
const MAX_ENTRIES: usize = 32;

/// Of which trace a request is part, and which span asked for it. Two texts, valid and bounded: to be passed on as the
/// headers or the members of `_meta` with their names.
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// `00-` trace id `-` span id `-` flags.
    parent: Box<str>,
    state: Option<Box<str>>,
}

impl TraceContext {
    /// Reads `traceparent` (§3.2), and `tracestate` (§3.3) where that is valid; `None` if the first is not.
    ///
    /// What a version to come has beyond the known one is left out (§4.3).
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let bytes = traceparent.as_bytes();
        let known = bytes.starts_with(b"00-");
        let whole = match known {
            true => bytes.len() == LENGTH,
            false => {
                (LENGTH..=MAX_PARENT).contains(&bytes.len())
                    && bytes.get(LENGTH).is_none_or(|next| *next == b'-')
            }
        };
        if !whole || bytes.iter().any(|byte| !(0x21..=0x7e).contains(byte)) {
            return None;
        }
        let mut parts = traceparent[..LENGTH].split('-');
        let mut part = |length: usize| parts.next().filter(|part| is_hex(part, length));
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let is_zero = |id: &str| id.bytes().all(|digit| digit == b'0');
        if version == "ff" || is_zero(trace) || is_zero(span) {
            return None;
        }
        // Of another version, only whether it is sampled is known.
        let sampled = flags.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']);
        let flags = match (known, sampled) {
            (true, _) => flags,
            (false, true) => "01",
            (false, false) => "00",
        };
        Some(Self {
            parent: format!("00-{trace}-{span}-{flags}").into(),
            state: tracestate
                .filter(|state| is_state(state))
                .map(|state| state.trim_matches([' ', '\t']).into()),
        })
    }

    /// The trace: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.parent[3..35]
    }

    /// The span that whoever is handed this is a child of: 16 hexadecimal digits.
    pub fn parent_id(&self) -> &str {
        &self.parent[36..52]
    }

    /// Whether its caller records it. It decides nothing here, but whether a [`Span`] of a request is recorded as well.
    pub fn is_sampled(&self) -> bool {
        self.parent
            .ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f'])
    }

    /// The value of `traceparent` to pass on.
    pub fn traceparent(&self) -> &str {
        &self.parent
    }

    /// The value of `tracestate` to pass on, if there is one.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The headers to pass on, names and values, with a request that a handler makes.
    ///
    /// ```
    /// # use pymcp_kit::telemetry::TraceContext;
    /// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    /// let trace = TraceContext::parse(parent, None).unwrap();
    /// assert_eq!(trace.headers().collect::<Vec<_>>(), [("traceparent", parent)]);
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let state = self.tracestate().map(|state| ("tracestate", state));
        std::iter::once(("traceparent", self.traceparent())).chain(state)
    }
}

/// A request as a span of a trace: that of its caller, or a new one.
///
/// There is one for each request that is recorded, where an observer says that it records them
/// ([`Observer::records_spans`](super::Observer::records_spans)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    context: TraceContext,
    parent: Option<Box<str>>,
}

impl Span {
    /// A span that begins now; `None` without randomness from the operating system.
    fn begin(caller: Option<&TraceContext>) -> Option<Self> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).ok()?;
        let [span, trace @ ..] = random.as_chunks::<8>().0 else {
            return None;
        };
        // An id that is zero is none.
        let span = u64::from_ne_bytes(*span).max(1);
        let parent = match caller {
            Some(caller) => format!(
                "{}{span:016x}{}",
                &caller.parent[..36],
                &caller.parent[52..]
            ),
            None => {
                let trace = trace
                    .concat()
                    .iter()
                    .fold(0, |id, byte| id << 8 | u128::from(*byte));
                format!("00-{:032x}-{span:016x}-01", trace.max(1))
            }
        };
        Some(Self {
            context: TraceContext {
                parent: parent.into(),
                state: caller.and_then(|caller| caller.state.clone()),
            },
            parent: caller.map(|caller| caller.parent_id().into()),
        })
    }

    /// What others are told who are its children: its trace, and itself as the parent.
    pub fn context(&self) -> &TraceContext {
        &self.context
    }

    /// The span of its caller, whose child it is: 16 hexadecimal digits. `None` where its trace begins with it.
    pub fn parent_id(&self) -> Option<&str> {
        self.parent.as_deref()
    }
}

/// The trace of a request.
#[derive(Debug)]
pub(crate) enum Traced {
    /// Its caller's, to be passed on.
    Passed(TraceContext),
    /// A span of its own in it.
    Recorded(Span),
}

impl Traced {
    /// A request begins that is recorded, unless its caller says that it isn't.
    pub(super) fn recorded(caller: Option<TraceContext>) -> Option<Self> {
        match caller {
            Some(caller) if !caller.is_sampled() => Some(Self::Passed(caller)),
            caller => match Span::begin(caller.as_ref()) {
                Some(span) => Some(Self::Recorded(span)),
                None => caller.map(Self::Passed),
            },
        }
    }

    /// What is passed on.
    pub(crate) fn context(&self) -> &TraceContext {
        match self {
            Self::Passed(context) => context,
            Self::Recorded(span) => span.context(),
        }
    }

    /// What is recorded.
    pub(crate) fn span(&self) -> Option<&Span> {
        match self {
            Self::Passed(_) => None,
            Self::Recorded(span) => Some(span),
        }
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parent)
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `key=value` up to 32 times, with commas between.
fn is_state(text: &str) -> bool {
    if text.len() > MAX_STATE || text.split(',').count() > MAX_ENTRIES {
        return false;
    }
    let mut some = false;
    let mut entries = text.split(',').map(|entry| entry.trim_matches([' ', '\t']));
    entries.all(|entry| {
        some |= !entry.is_empty();
        entry.is_empty()
            || entry
                .split_once('=')
                .is_some_and(|(key, value)| is_key(key) && is_value(value))
    }) && some
}

fn is_key(key: &str) -> bool {
    let (tenant, system) = match key.split_once('@') {
        Some((tenant, system)) => (Some(tenant), system),
        None => (None, key),
    };
    let rest = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
    let word = |word: &str, most: usize, digit: bool| {
        (1..=most).contains(&word.len())
            && word.bytes().all(rest)
            && word.starts_with(|c: char| c.is_ascii_lowercase() || (digit && c.is_ascii_digit()))
    };
    match tenant {
        Some(tenant) => word(tenant, 241, true) && word(system, 14, false),
        None => word(system, 256, false),
    }
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len())
        && value
            .bytes()
            .all(|byte| (0x20..=0x7e).contains(&byte) && byte != b',' && byte != b'=')
        && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_valid_context_is_kept_as_it_is() {
        let trace = TraceContext::parse(PARENT, Some("congo=t61rcWkgMzE,a@b=1")).unwrap();
        assert_eq!(trace.traceparent(), PARENT);
        assert_eq!(trace.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(trace.parent_id(), "b7ad6b7169203331");
        assert!(trace.is_sampled());
        assert_eq!(trace.tracestate(), Some("congo=t61rcWkgMzE,a@b=1"));
    }

    #[test]
    fn a_span_is_a_child_of_its_caller_in_the_same_trace_or_begins_a_new_one() {
        let caller = TraceContext::parse(PARENT, Some("a=1")).unwrap();
        let span = Span::begin(Some(&caller)).unwrap();
        let context = span.context();
        let said = TraceContext::parse(context.traceparent(), context.tracestate());
        assert_eq!(said.as_ref(), Some(context), "it is valid");
        assert_eq!(context.trace_id(), caller.trace_id());
        assert_eq!(span.parent_id(), Some(caller.parent_id()));
        assert_ne!(context.parent_id(), caller.parent_id());
        assert!(context.is_sampled());
        let headers: Vec<_> = context.headers().collect();
        let parent = context.traceparent();
        assert_eq!(headers, [("traceparent", parent), ("tracestate", "a=1")]);

        let (one, two) = (Span::begin(None).unwrap(), Span::begin(None).unwrap());
        assert_eq!(one.parent_id(), None);
        let said = TraceContext::parse(one.context().traceparent(), None);
        assert_eq!(said.as_ref(), Some(one.context()));
        assert_ne!(one.context().trace_id(), two.context().trace_id());
        assert_ne!(one.context().parent_id(), two.context().parent_id());
    }

    #[test]
    fn what_its_caller_does_not_record_is_passed_on_as_it_is() {
        let parent = PARENT.replace("-01", "-00");
        let caller = TraceContext::parse(&parent, None).unwrap();
        let traced = Traced::recorded(Some(caller)).unwrap();
        assert_eq!(traced.context().traceparent(), parent);
        assert_eq!(traced.span(), None);
        let recorded = |trace| Traced::recorded(trace).unwrap().span().is_some();
        assert!(recorded(None) && recorded(TraceContext::parse(PARENT, None)));
    }

    #[test]
    fn a_version_to_come_is_taken_as_far_as_it_is_known() {
        let later = format!("cc{}-what-the-future-holds", &PARENT[2..]);
        let trace = TraceContext::parse(&later, None).unwrap();
        assert_eq!(trace.traceparent(), PARENT);
    }

    #[test]
    fn what_is_not_valid_is_none() {
        let long = format!("cc{}-{}", &PARENT[2..], "x".repeat(MAX_PARENT));
        let rest = &PARENT[2..];
        for bad in [
            "",
            "00",
            &PARENT[..54],
            &format!("{PARENT}-00"),
            &format!("ff{rest}"),
            &format!("cc{rest}.x"),
            &PARENT.to_uppercase(),
            &PARENT.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &PARENT.replace("b7ad6b7169203331", &"0".repeat(16)),
            &PARENT.replace('b', "g"),
            &PARENT.replace('-', "_"),
            &format!(" {}", &PARENT[1..]),
            &format!("cc{rest}-\u{202e}"),
            &format!("cc{rest}-\r\nx: y"),
            &long,
        ] {
            assert_eq!(TraceContext::parse(bad, None), None, "{bad}");
        }
    }

    #[test]
    fn a_state_that_is_not_valid_is_left_out() {
        let many = vec!["a=1"; MAX_ENTRIES + 1].join(",");
        let long = format!("a={}", "x".repeat(MAX_STATE));
        for bad in [
            "",
            ",",
            "a",
            "a=",
            "=1",
            "A=1",
            "a=1,b",
            "a=1\n",
            "a=\u{202e}",
            "a=b=c",
            "@a=1",
            "1=1",
            &many,
            &long,
        ] {
            let trace = TraceContext::parse(PARENT, Some(bad)).unwrap();
            assert_eq!(trace.tracestate(), None, "{bad}");
        }
        for good in ["a=1", "a=1, b=2", "a=1,,b=2", "1t@s=x y"] {
            let trace = TraceContext::parse(PARENT, Some(good)).unwrap();
            assert_eq!(trace.tracestate(), Some(good));
        }
    }
}
