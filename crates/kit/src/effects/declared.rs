//! The effects of one component while it is served: what may be used, and what was.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Effect, Effects};

/// What one component declared. Made once; asking it takes no lock and allocates nothing.
pub(crate) struct Declared {
    /// A bit for each kind that is there, by its place in [`Effect::KINDS`].
    kinds: u16,
    /// Sorted.
    all: Box<[One]>,
    /// Whether everything is allowed: for handlers that are tested without their component.
    anything: bool,
}

/// One declared effect.
pub(crate) struct One {
    effect: Effect,
    used: AtomicBool,
}

impl One {
    /// The value that was declared.
    pub(crate) fn value(&self) -> &str {
        self.effect.value().unwrap_or_default()
    }

    /// Takes note that it is used.
    pub(crate) fn note(&self) {
        // Written once, so that threads that only read it do not wait for each other.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }
}

impl Declared {
    pub(crate) fn new(effects: &Effects) -> Self {
        let one = |effect: &Effect| One {
            effect: effect.clone(),
            used: AtomicBool::new(false),
        };
        Self {
            kinds: effects
                .iter()
                .fold(0, |kinds, effect| kinds | 1 << effect.index()),
            all: effects.iter().map(one).collect(),
            anything: false,
        }
    }

    /// Of a handler that is tested without its component.
    pub(crate) fn anything() -> Self {
        Self {
            anything: true,
            ..Self::new(&Effects::new())
        }
    }

    /// Whether everything is allowed.
    pub(crate) fn is_anything(&self) -> bool {
        self.anything
    }

    /// Those of the same kind as `like`, whatever its value is.
    pub(crate) fn of_kind(&self, like: &Effect) -> impl Iterator<Item = &One> {
        let kind = like.index();
        let all: &[One] = match self.kinds & 1 << kind {
            0 => &[],
            _ => &self.all,
        };
        all.iter().filter(move |one| one.effect.index() == kind)
    }

    /// Whether an effect is allowed; it counts as used then. Of hosts, `*` stands for all.
    pub(crate) fn uses(&self, effect: &Effect) -> bool {
        let is_host = matches!(effect, Effect::Network(_));
        let mut of_kind = self.of_kind(effect);
        let found = of_kind.find(|one| one.effect == *effect || is_host && one.value() == "*");
        found.inspect(|one| one.note()).is_some() || self.anything
    }

    /// Those that were not used until now.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &Effect> {
        let unused = |one: &&One| !one.used.load(Ordering::Relaxed);
        self.all.iter().filter(unused).map(|one| &one.effect)
    }
}
