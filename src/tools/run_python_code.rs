//! Runs Python that the caller wrote, in a worker that can do nothing else.

use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pymcp_kit::model::{ContentBlock, MetaObject};
use pymcp_kit::{CallLimits, Ctx, Effect, Error, Result, Tool, ToolResult};
use pymcp_python::{Config, HostFunctions, Kind, Limits, Outcome, Pool, Printed, Request, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, json};

/// The `_meta` key of a content block that is not the value: `stdout` or `stderr` for what was printed,
/// `diagnostics` for what the type checker has to say of code that ran all the same.
const STREAM: &str = "pymcp/stream";

/// Bytes of a result besides its content: who answers, and in how much time.
const ENVELOPE: usize = 4 << 10;

/// Bytes of a block of content besides its text.
const BLOCK: usize = 256;

/// The code, and what it is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Args {
    /// The Python code to run; what the last line evaluates to is the result.
    code: String,
    /// Variables that the code finds defined: their names, and any JSON values.
    #[schemars(with = "Option<Map<String, serde_json::Value>>")]
    inputs: Option<Box<RawValue>>,
    /// What error messages call the code; only a label.
    #[serde(default = "main_py")]
    script_name: String,
    /// Whether to check the code first: what would fail (undefined names, missing modules, wrong arguments)
    /// stops it, other findings are returned beside the result.
    #[serde(default = "yes")]
    check_types: bool,
    /// Declarations for the type checker, as in a .pyi file. Inputs that have none are declared after
    /// their values.
    type_definitions: Option<String>,
}

fn main_py() -> String {
    "main.py".to_owned()
}

fn yes() -> bool {
    true
}

/// What the tool needs: where to run, how much is allowed, and which functions of the host the code
/// may call.
#[derive(Debug, Clone)]
pub struct Python {
    /// The workers.
    pub pool: Pool,
    /// What one call may use.
    pub limits: Limits,
    /// Functions that the code may call; none by default.
    pub host: Arc<HostFunctions>,
    /// How long a call may wait for a worker and then take, before the server gives up on it.
    pub timeout: Duration,
}

impl Default for Python {
    fn default() -> Self {
        Self {
            pool: Pool::new(Config::default()),
            limits: Limits::default(),
            host: Arc::default(),
            timeout: Duration::from_secs(30),
        }
    }
}

impl Python {
    /// Bytes that a result may take: as many as that of any tool, or more where the bounds of a run ask for it. The server's
    /// [`CallLimits::result_bytes`] must be no less.
    pub fn result_bytes(&self) -> usize {
        let usual = CallLimits::default().result_bytes;
        let asked = self.limits.value.max(self.limits.output);
        match asked > usual {
            true => asked + ENVELOPE + 3 * BLOCK,
            false => usual,
        }
    }
}

/// The tool, as clients see it.
pub fn tool(python: Python) -> Tool {
    let description = description(&python);
    let timeout = python.timeout;
    Tool::new("run_python_code", run_python_code)
        .effects([Effect::RunsUntrustedCode])
        .with_doors(|doors| {
            doors.require(&Effect::RunsUntrustedCode)?;
            Ok((python, Arc::new(RandomState::new())))
        })
        .title("Run Python code")
        .description(description)
        .tags(["secure interpreter", "python", "example"])
        .read_only()
        .destructive(false)
        .idempotent(false)
        .open_world(false)
        .timeout(timeout)
}

/// What a model has to know to write code that runs, and to mend code that does not. Short, because
/// every conversation pays for it: under 600 characters, without the functions of the host.
fn description(python: &Python) -> String {
    let Limits { time, memory, .. } = python.limits;
    let mut text = format!(
        "Run the given Python code in a sandbox and return the output or error message. The result is the \
         value of the last expression (a dict also as structured content), followed by what was printed. \
         This is CPython 3.14's language and standard library as far as RustPython has them; await works at \
         top level. No other packages. Files are in memory and gone after the call; no network, processes, \
         threads or environment. datetime.now() and random work. Each call starts afresh, with at most {} s \
         and {} MiB.",
        time.as_secs_f64(),
        memory >> 20,
    );
    if !python.host.is_empty() {
        text.push_str(" Functions to call:");
        for stub in python.host.stubs() {
            text.push('\n');
            text.push_str(stub);
        }
    }
    text
}

/// Callers are numbers to the workers, which nobody outside can foresee.
async fn run_python_code(
    ctx: Ctx,
    (python, callers): (Python, Arc<RandomState>),
    args: Args,
) -> Result<ToolResult> {
    let request = Request {
        code: args.code,
        inputs: args.inputs,
        script_name: args.script_name,
        check_types: args.check_types,
        stubs: args.type_definitions,
        limits: python.limits,
        host: Arc::clone(&python.host),
        caller: callers.hash_one(ctx.caller()),
    };
    // Beside each other: a client that reads no progress must not keep the run from its deadline.
    let ended = tokio::select! {
        biased;
        ended = python.pool.run(request) => ended,
        never = report_progress(&ctx) => match never {},
    };
    let mut room = Room(python.result_bytes().saturating_sub(ENVELOPE));
    match ended {
        Ok(Outcome {
            value,
            stdout,
            stderr,
            ..
        }) => {
            let Value {
                text,
                object,
                diagnostics,
            } = value;
            let of_value = text.as_deref().map_or(0, escaped)
                + object.as_ref().map_or(0, |object| object.get().len());
            if !room.takes(of_value) {
                let sentence = format!(
                    "The value takes {of_value} bytes of a result, which has {} for it; return less.",
                    room.0.saturating_sub(BLOCK)
                );
                return Ok(failed(sentence, &stdout, &stderr, room));
            }
            let notes = noted(&diagnostics, &mut room);
            let mut content: Vec<_> = text.map(ContentBlock::text).into_iter().collect();
            content.extend(printed(&stdout, "stdout", &mut room));
            content.extend(printed(&stderr, "stderr", &mut room));
            content.extend(notes);
            let mut result = ToolResult::content(content);
            // Workers send objects; one that was taken over may send anything.
            result.structured = object
                .and_then(|object| serde_json::from_str(object.get()).ok())
                .filter(serde_json::Value::is_object);
            Ok(result)
        }
        Err(failure) if failure.kind == Kind::Unavailable => Err(Error::user(failure.message)),
        Err(failure) => Ok(failed(
            failure.message,
            &failure.stdout,
            &failure.stderr,
            room,
        )),
    }
}

/// Why there is no value, and what was printed all the same.
fn failed(why: String, stdout: &Printed, stderr: &Printed, mut room: Room) -> ToolResult {
    let mut content = vec![ContentBlock::text(room.cut(&why))];
    content.extend(printed(stdout, "stdout", &mut room));
    content.extend(printed(stderr, "stderr", &mut room));
    ToolResult::content(content).error()
}

/// Bytes that a result has left, as JSON. A run that did what it should must not fail because it printed a lot.
struct Room(usize);

impl Room {
    /// Takes so many, and those of a block; `false` if they are not there.
    fn takes(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes + BLOCK);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// As much of a text, from its beginning, as there is room for.
    fn cut<'a>(&mut self, text: &'a str) -> &'a str {
        let room = self.0.saturating_sub(BLOCK);
        let mut taken = 0;
        let end = text.char_indices().find(|(_, c)| {
            taken += escaped_char(*c);
            taken > room
        });
        let fits = &text[..end.map_or(text.len(), |(at, _)| at)];
        self.0 = room.saturating_sub(taken);
        fits
    }
}

/// Bytes of a text within a string of JSON.
fn escaped(text: &str) -> usize {
    text.chars().map(escaped_char).sum()
}

fn escaped_char(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8(),
    }
}

/// Tells the client every second that the call is alive.
async fn report_progress(ctx: &Ctx) -> Infallible {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        ctx.progress(started.elapsed().as_secs_f64(), None, None)
            .await;
    }
}

/// What was printed and fits, as a content block that says so.
fn printed(printed: &Printed, stream: &str, room: &mut Room) -> Option<ContentBlock> {
    if printed.text.is_empty() && printed.dropped == 0 {
        return None;
    }
    let mut text = room.cut(&printed.text).to_owned();
    let dropped = printed.dropped + (printed.text.len() - text.len()) as u64;
    if dropped > 0 {
        text.push_str(&format!(
            "\n[{dropped} more bytes were printed and dropped]"
        ));
    }
    Some(block(text, stream))
}

/// What the type checker has to say of code that ran, as a content block that says so.
fn noted(diagnostics: &[String], room: &mut Room) -> Option<ContentBlock> {
    if diagnostics.is_empty() {
        return None;
    }
    let text = format!(
        "Type check, which stopped nothing:\n{}",
        diagnostics.join("\n")
    );
    let mut fits = room.cut(&text).to_owned();
    if fits.len() < text.len() {
        fits.push_str("\n[the rest was dropped]");
    }
    Some(block(fits, "diagnostics"))
}

/// A content block that is not the value.
fn block(text: String, stream: &str) -> ContentBlock {
    let mut block = ContentBlock::text(text);
    if let ContentBlock::Text(text) = &mut block {
        let mut meta = Map::new();
        meta.insert(STREAM.into(), json!(stream));
        text.meta = Some(MetaObject::from(meta));
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_output_is_said() {
        let cut = Printed {
            text: "abc".into(),
            dropped: 5,
        };
        let mut room = Room(1 << 10);
        let block = serde_json::to_value(printed(&cut, "stdout", &mut room)).unwrap();
        assert_eq!(
            block["text"],
            "abc\n[5 more bytes were printed and dropped]"
        );
        assert_eq!(block["_meta"][STREAM], "stdout");
        assert_eq!(printed(&Printed::default(), "stdout", &mut room), None);
    }

    #[test]
    fn what_is_printed_is_cut_to_what_a_result_has_room_for() {
        for text in ["x", "\n", "\u{1}", "ü\"", "\u{1f600}\\"] {
            let all = Printed {
                text: text.repeat(2000),
                dropped: 0,
            };
            for bytes in [0, BLOCK, 500, 1000, 1003, 1 << 20] {
                let mut room = Room(bytes);
                let block = serde_json::to_value(printed(&all, "stdout", &mut room)).unwrap();
                let shown = block["text"].as_str().unwrap();
                let (kept, note) = shown.rsplit_once("\n[").unwrap_or((shown, ""));
                assert!(all.text.starts_with(kept), "{bytes}");
                // All that was printed is there or counted, and it is as much as fits.
                let dropped = note.split(' ').next().unwrap().parse().unwrap_or(0);
                assert_eq!(kept.len() + dropped, all.text.len(), "{text:?} {bytes}");
                let taken = escaped(kept);
                assert_eq!(taken, serde_json::to_string(kept).unwrap().len() - 2);
                assert!(taken <= bytes.saturating_sub(BLOCK), "{text:?} {bytes}");
                assert!(
                    dropped == 0 || taken + BLOCK + 6 > bytes,
                    "{text:?} {bytes}"
                );
            }
        }
    }

    #[test]
    fn what_the_type_checker_says_is_a_block_of_its_own() {
        let lines = ["main.py:1:1: error[a] b".to_owned(), "[3 more]".to_owned()];
        let mut room = Room(1 << 10);
        let block = serde_json::to_value(noted(&lines, &mut room)).unwrap();
        assert_eq!(
            block["text"],
            "Type check, which stopped nothing:\nmain.py:1:1: error[a] b\n[3 more]"
        );
        assert_eq!(block["_meta"][STREAM], "diagnostics");
        assert_eq!(noted(&[], &mut room), None);
    }

    #[test]
    fn the_description_is_short() {
        let text = description(&Python::default());
        assert!(text.len() < 600, "{}: {text}", text.len());
    }
}
