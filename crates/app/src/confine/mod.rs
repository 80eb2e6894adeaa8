//! What the operating system keeps from the process while it serves: all that no enabled component and no setting needs.
//!
//! ```text
//! effects, settings ──► Rules ──► Landlock: files, TCP ports, signals     each thread
//!                            └──► seccomp: system calls; rlimits          the process
//! ```
//!
//! | file | what it holds |
//! | --- | --- |
//! | `rules` | what is allowed, without a look at the machine; the manifest has it |
//! | `linux` | how Linux is asked to hold it |
//! | `other` | systems where nothing does |
//!
//! Rights are taken at the very end of the start, when all that a server needs from the beginning (listener, keys, logs,
//! the author's own preparations) is open already. Landlock binds the thread that calls it and what that thread starts,
//! and the threads of the runtime are there by then: so each of them is made to call it (`linux/threads.rs`).
//! `docs/confinement.md` is for operators. Another right of the kernel is a field of [`Rules`], what sets it there, and
//! what grants it in `linux`.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as os;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as os;
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
mod rules;

use std::collections::BTreeSet;

use clap::ValueEnum;
use pymcp_kit::Effect;
use pymcp_kit::Server;
use pymcp_kit::audit::Audit;
use pymcp_kit::transport::http::Check;
use serde_json::Value;

use crate::settings::{Shared, Transport};
use crate::{Error, Result};

#[cfg(target_os = "linux")]
pub(crate) use self::linux::before::look;
pub(crate) use self::rules::Rules;

/// How far the process is confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// As far as the operating system can.
    Auto,
    /// In full, or the server does not start.
    Require,
    /// Not at all.
    Off,
}

impl Mode {
    /// As the setting has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Require => "require",
            Self::Off => "off",
        }
    }
}

/// What the author says that the program itself needs while it serves, beside its components.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// What it does.
    pub(crate) effects: BTreeSet<Effect>,
    /// Ports of hosts, beside 443 and 80.
    pub(crate) ports: BTreeSet<u16>,
}

/// What a server may do with these settings.
pub(crate) fn rules(server: &Server, shared: &Shared, needs: &Needs) -> Rules {
    let mut rules = Rules::of_components(&server.registry());
    rules.effects(&needs.effects);
    rules.add_ports(&needs.ports);
    rules.settings(shared);
    rules.local_time = shared.log_format.has_local_time();
    rules
}

/// What the manifest has of it: the item `confine` of kind `configuration`. It is the mode, and what the author says that the
/// program needs; what the components need is in their own items, since it is their effects. What the settings need
/// follows from those, which are pinned where they are not about this machine: its paths are in no digest.
pub(crate) fn configuration(shared: &Shared, needs: &Needs) -> Value {
    let mut rules = Rules::default();
    rules.effects(&needs.effects);
    rules.ports.extend(&needs.ports);
    rules.to_value(shared.confine)
}

/// What was begun before there was another thread.
#[derive(Debug)]
pub(crate) struct Confinement {
    mode: Mode,
    begun: os::Begun,
}

impl Confinement {
    /// To be called before the process has a second thread: what has to be the same for all of them and for what they
    /// start, so that one may end what another has started.
    pub(crate) fn begin(shared: &Shared) -> Self {
        let mode = shared.confine;
        let begun = match mode {
            Mode::Off => os::Begun::default(),
            Mode::Auto | Mode::Require => os::begin(shared.transport != Transport::Stdio),
        };
        Self { mode, begun }
    }

    /// Takes from the process what the rules do not allow, for good. To be called in the runtime, on the thread that runs
    /// it and not on one of its own, when all is open that they say nothing of. `None` if that is off.
    ///
    /// # Errors
    /// It must be confined in full, and cannot be.
    pub(crate) fn confine(&self, rules: &Rules, audit: Option<&Audit>) -> Result<Option<Confined>> {
        if self.mode == Mode::Off {
            return Ok(None);
        }
        let confined = os::confine(&self.begun, rules, audit);
        if self.mode == Mode::Require
            && let Some((layer, why)) = confined.missing().next()
        {
            return Err(Error::other(format!(
                "--confine is 'require', but {layer} cannot be held here: {why}; mend that, or set --confine to auto."
            )));
        }
        Ok(Some(confined))
    }
}

/// What is in force, and what is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confined {
    /// By what it is held, such as `Landlock 7`.
    by: Vec<String>,
    /// What is held, and why not where it is not.
    layers: Vec<(&'static str, Option<String>)>,
}

impl Confined {
    fn held(&self) -> impl Iterator<Item = &'static str> {
        let held = self.layers.iter().filter(|(_, why)| why.is_none());
        held.map(|(layer, _)| *layer)
    }

    /// What is not held, and why.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let layers = self.layers.iter();
        layers.filter_map(|(layer, why)| Some((*layer, why.as_deref()?)))
    }

    /// A line that says it.
    pub(crate) fn said(&self) -> String {
        let held: Vec<_> = self.held().collect();
        let missing: Vec<_> = self
            .missing()
            .map(|(layer, why)| format!("{layer} ({why})"))
            .collect();
        let (held, by, missing) = (held.join(", "), self.by.join(", "), missing.join(", "));
        match (held.is_empty(), missing.is_empty()) {
            (false, true) => format!("confined: {held} ({by})"),
            (false, false) => format!("confined: {held} ({by}); not held: {missing}"),
            (true, _) => format!("not confined: {missing}"),
        }
    }

    /// For `/readyz`. A server without it serves all the same; who needs it says `require`.
    pub(crate) fn check(&self, mode: Mode) -> Check {
        let held: Vec<_> = self.held().collect();
        let missing: Vec<_> = self.missing().map(|(layer, _)| layer).collect();
        Check::ready()
            .fact("mode", mode.as_str())
            .fact("held", held)
            .fact("missing", missing)
            .fact("by", self.by.clone())
    }
}

/// What this machine can hold, for `doctor`: nothing of this process is taken from it.
pub(crate) fn here(mode: Mode) -> String {
    match mode {
        Mode::Off => "off (--confine)".to_owned(),
        Mode::Auto | Mode::Require => os::here().said().replacen("confined", "available", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confined(layers: &[(&'static str, Option<&str>)]) -> Confined {
        let layers = layers.iter();
        Confined {
            by: vec!["Landlock 3".into(), "seccomp".into()],
            layers: layers
                .map(|(layer, why)| (*layer, why.map(str::to_owned)))
                .collect(),
        }
    }

    #[test]
    fn what_is_held_and_what_is_not_is_one_line() {
        let all = confined(&[("files", None), ("network", None)]);
        assert_eq!(all.said(), "confined: files, network (Landlock 3, seccomp)");
        let some = confined(&[("files", None), ("network", Some("its kernel is old"))]);
        assert_eq!(
            some.said(),
            "confined: files (Landlock 3, seccomp); not held: network (its kernel is old)"
        );
        let none = confined(&[("files", Some("not available here"))]);
        assert_eq!(none.said(), "not confined: files (not available here)");
    }

    #[test]
    fn off_takes_nothing() {
        let off = Confinement {
            mode: Mode::Off,
            begun: os::Begun::default(),
        };
        assert_eq!(off.confine(&Rules::default(), None).unwrap(), None);
        std::fs::read_to_string("Cargo.toml").unwrap();
    }
}
