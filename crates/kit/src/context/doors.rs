//! The doors of the component that a request is for, in short.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::process::Command;

use crate::doors::{self, BlockingFiles, Doors, Files};
use crate::effects::Effect;
use crate::error::Result;
use crate::label::Label;

use super::Ctx;

impl Ctx {
    /// What the component may do to the world: the effects that it declared, each with its door. Clones of the context,
    /// in tasks too, have the same. Completions have those of their prompt or template.
    ///
    /// A middleware has those of the component that the request is for; a request for none, such as a list, has none.
    pub fn doors(&self) -> Doors {
        Doors::of(self.component())
    }

    /// [`Doors::require`]: whether the component declared this effect; it counts as used.
    ///
    /// # Errors
    /// It did not: an error of ours, which is logged.
    pub fn require(&self, effect: &Effect) -> Result<()> {
        doors::require(self.component().map(|label| &**label), effect)
    }

    /// [`Doors::files`]: files, in what the component declared to read and write.
    pub fn files(&self) -> Files {
        self.doors().files()
    }

    /// [`Doors::blocking_files`]: the same, for blocking handlers.
    pub fn blocking_files(&self) -> BlockingFiles {
        self.doors().blocking_files()
    }

    /// [`Doors::env`]: a declared variable of the server's environment; `None` when it is not set.
    ///
    /// # Errors
    /// It was not declared, which is logged, or it is no Unicode: errors of ours.
    pub fn env(&self, name: &str) -> Result<Option<String>> {
        self.doors().env(name)
    }

    /// [`Doors::command`]: a declared program, to be run once.
    ///
    /// # Errors
    /// It was not declared, which is logged, or there is none of this name: errors of ours.
    pub fn command(&self, program: &str) -> Result<Command> {
        self.doors().command(program)
    }

    /// [`Doors::may_reach`]: whether this host was declared.
    ///
    /// # Errors
    /// It was not: an error of ours, which is logged.
    pub fn may_reach(&self, host: &str) -> Result<()> {
        self.doors().may_reach(host)
    }

    /// [`Doors::random`]: fills `bytes` with randomness of the operating system.
    ///
    /// # Errors
    /// [`Effect::Random`] was not declared, which is logged, or the system has none: errors of ours.
    pub fn random(&self, bytes: &mut [u8]) -> Result<()> {
        self.doors().random(bytes)
    }

    /// [`Doors::now`]: the time of day.
    ///
    /// # Errors
    /// [`Effect::Clock`] was not declared: an error of ours, which is logged.
    pub fn now(&self) -> Result<SystemTime> {
        self.doors().now()
    }

    /// Says which component it is for; the first one counts.
    pub(crate) fn is_for(&self, label: &Arc<Label>) {
        self.0.component.get_or_init(|| Arc::clone(label));
    }

    /// The component that it is for.
    pub(crate) fn component(&self) -> Option<&Arc<Label>> {
        self.0.component.get()
    }
}
