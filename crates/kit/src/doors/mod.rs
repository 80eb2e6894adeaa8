//! What a component may do to the world, by the effects that it declared: files, the environment, programs, hosts,
//! randomness, the time. (Asking the user and using the model go the same way, in [`Ctx::ask`](crate::Ctx::ask).)
//!
//! A door looks the effect up, takes note that it was used, and opens. Where the effect was not declared it logs that,
//! with the name of the component and without any value (that may have come from an argument), and fails as an error
//! of ours.
//!
//! | effect | door |
//! | --- | --- |
//! | `reads-files`, `writes-files` | [`Files`], [`BlockingFiles`], [`Doors::folder`] |
//! | `environment` | [`Doors::env`] |
//! | `spawns` | [`Doors::command`], [`output`] |
//! | `network` | [`Doors::hosts`], [`Doors::may_reach`] |
//! | `random`, `clock` | [`Doors::random`], [`Doors::now`] |
//! | any | [`Doors::require`] |
//!
//! A new door is a method here, in a file of its own where it is more than a few lines, and a short form of it in
//! `ctx.rs` beside the context.

mod files;
mod programs;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::effects::Effect;
use crate::error::{Error, Result};
use crate::label::Label;

pub use files::{BlockingFiles, Files};
pub use programs::output;

/// What one component may do to the world: the effects that it declared, each with its door. Cheap to clone.
///
/// A handler has them of its context ([`Ctx::doors`](crate::Ctx::doors), and in short [`Ctx::files`](crate::Ctx::files)
/// and the like). What its calls share is made from them, so that what a component declares and what its state can do
/// cannot differ ([`Tool::with_doors`](crate::Tool::with_doors)).
#[derive(Clone)]
pub struct Doors(Option<Arc<Label>>);

impl Doors {
    pub(crate) fn of(label: Option<&Arc<Label>>) -> Self {
        Self(label.cloned())
    }

    fn label(&self) -> Option<&Label> {
        self.0.as_deref()
    }

    /// Whether this effect was declared, with this value; it counts as used from here on. For what has no door of its
    /// own here, such as a sandbox that a component holds: `ctx.require(&Effect::RunsUntrustedCode)?`.
    ///
    /// # Errors
    /// It was not declared: an error of ours, which is logged.
    pub fn require(&self, effect: &Effect) -> Result<()> {
        require(self.label(), effect)
    }

    /// The hosts that were declared: for a client that knows from the start where it may connect to. All of them count as
    /// used.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let declared = self.label().and_then(Label::declared).into_iter();
        let hosts = declared.flat_map(|declared| declared.of_kind(&ANY_HOST));
        hosts.inspect(|host| host.note()).map(|host| host.value())
    }

    /// Whether this host may be reached, written as in [`Effect::Network`]: for clients that do not know the hosts
    /// themselves. Redirects lead to other hosts, so a client that follows them asks for each.
    ///
    /// # Errors
    /// It was not declared: an error of ours, which is logged.
    pub fn may_reach(&self, host: &str) -> Result<()> {
        self.require(&Effect::network(host))
    }

    /// A variable of the server's environment; `None` when it is not set.
    ///
    /// # Errors
    /// It was not declared, which is logged, or it is no Unicode: errors of ours.
    pub fn env(&self, name: &str) -> Result<Option<String>> {
        self.require(&Effect::environment(name))?;
        let Some(value) = std::env::var_os(name) else {
            return Ok(None);
        };
        let value = value.into_string();
        value.map(Some).map_err(|_| {
            Error::internal(format!(
                "the environment variable {name} is not valid Unicode"
            ))
        })
    }

    /// Files, in what was declared to be read and written.
    pub fn files(&self) -> Files {
        self.blocking_files().into()
    }

    /// [`Doors::files`] for code that blocks.
    pub fn blocking_files(&self) -> BlockingFiles {
        BlockingFiles::new(self.clone())
    }

    /// Fills `bytes` with randomness of the operating system.
    ///
    /// # Errors
    /// [`Effect::Random`] was not declared, which is logged, or the system has none: errors of ours.
    pub fn random(&self, bytes: &mut [u8]) -> Result<()> {
        self.require(&Effect::Random)?;
        Ok(getrandom::fill(bytes)?)
    }

    /// The time of day.
    ///
    /// # Errors
    /// [`Effect::Clock`] was not declared: an error of ours, which is logged.
    pub fn now(&self) -> Result<SystemTime> {
        self.require(&Effect::Clock)?;
        Ok(SystemTime::now())
    }

    /// Logs that an effect was not declared.
    fn undeclared(&self, effect: &Effect) -> Error {
        undeclared(self.label(), effect)
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors")
            .field("of", &self.label().map(|label| &label.name))
            .finish_non_exhaustive()
    }
}

/// Hosts, whichever.
static ANY_HOST: Effect = Effect::Network(String::new());

/// [`Doors::require`], of a component that has this label.
pub(crate) fn require(label: Option<&Label>, effect: &Effect) -> Result<()> {
    let declared = label.and_then(Label::declared);
    match declared.is_some_and(|declared| declared.uses(effect)) {
        true => Ok(()),
        false => Err(undeclared(label, effect)),
    }
}

/// Logs that an effect was not declared. Its value may come from an argument, so it is left out.
#[cold]
fn undeclared(label: Option<&Label>, effect: &Effect) -> Error {
    let (kind, name) = match label {
        Some(label) => (label.kind.as_str(), &*label.name),
        None => ("request", "that is for no component"),
    };
    let effect_kind = effect.kind();
    let declared = label.and_then(Label::declared).into_iter();
    let declared = declared.flat_map(|declared| declared.of_kind(effect));
    let others: Vec<&str> = declared.map(|one| one.value()).collect();
    let others = others.join(", ");
    tracing::error!(
        kind,
        name,
        effect = effect_kind,
        declared = others,
        "a component used an effect that it did not declare; add it to its .effects([…])"
    );
    let others = match others.is_empty() {
        true => String::new(),
        false => format!(" (it declares {others})"),
    };
    Error::logged(format!(
        "the {kind} '{name}' uses an effect that it does not declare, {effect_kind}{others}; add it to its .effects([…])"
    ))
}
