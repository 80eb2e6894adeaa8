//! Which component something is about: for the log, and for what must not outlive it.

use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::effects::{Declared, Effects};
use crate::manifest::Digest;
use crate::protocol::Kind;
use crate::store::BoxFuture;

/// Time for which a handler may hold its thread in one poll before it is warned about.
const LONG_POLL: Duration = Duration::from_millis(100);

/// The name of one component, shared by all that speaks of it.
pub(crate) struct Label {
    /// Another one for each component, also of the same name.
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    pub(crate) name: Cow<'static, str>,
    /// The digest of what the manifest pins of it, from when it is added to a server.
    pub(crate) digest: OnceLock<Digest>,
    /// What it may do to the world, from the moment when that is final.
    declared: OnceLock<Declared>,
    /// Whether its handler was warned about: each component is once.
    warned: AtomicBool,
    /// Whether it was said that there is no place for it.
    waited: AtomicBool,
}

impl Label {
    pub(crate) fn new(kind: Kind, name: impl Into<Cow<'static, str>>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            kind,
            name: name.into(),
            digest: OnceLock::new(),
            declared: OnceLock::new(),
            warned: AtomicBool::new(false),
            waited: AtomicBool::new(false),
        })
    }

    /// Its effects are these from now on; the first ones count.
    pub(crate) fn declare(&self, effects: &Effects) {
        self.declared.get_or_init(|| Declared::new(effects));
    }

    /// It may do anything: see [`Declared::anything`].
    pub(crate) fn declare_anything(&self) {
        self.declared.get_or_init(Declared::anything);
    }

    /// What it may do to the world; nothing while that is not final.
    pub(crate) fn declared(&self) -> Option<&Declared> {
        self.declared.get()
    }

    /// Warns that a call of this component has to wait for a place.
    pub(crate) fn warn_once_of_places(&self, in_all: usize) {
        if !self.waited.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                kind = self.kind.as_str(),
                name = &*self.name,
                places = in_all,
                "a call waits because too many blocking handlers run; see CallLimits::blocking"
            );
        }
    }

    /// Polls a handler of this component, and warns when that took long: nothing else ran on its
    /// thread meanwhile.
    pub(crate) fn poll<T>(
        &self,
        work: &mut BoxFuture<'static, T>,
        cx: &mut Context<'_>,
    ) -> Poll<T> {
        let began = Instant::now();
        let polled = work.as_mut().poll(cx);
        let took = began.elapsed();
        if took >= LONG_POLL && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                kind = self.kind.as_str(),
                name = &*self.name,
                milliseconds = took.as_millis() as u64,
                "a handler held the executor for more than 100 ms; `Tool::blocking` is for work that blocks"
            );
        }
        polled
    }

    /// [`Label::poll`] to the end.
    pub(crate) fn run<T>(&self, mut work: BoxFuture<'static, T>) -> impl Future<Output = T> + Send {
        poll_fn(move |cx| self.poll(&mut work, cx))
    }
}
