//! Stands for `jwt.rs` in a program without the feature `jwt`: there are no such settings, and no token is accepted.

use clap::Args;
use pymcp_kit::auth::Authentication;

use crate::program::Program;
use crate::{Error, Result, features};

/// No settings.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Jwt {}

/// There are none.
pub(crate) enum Keys {}

impl Keys {
    pub(crate) fn prefetch(&self) {
        match *self {}
    }
}

impl Jwt {
    pub(crate) fn is_given(&self) -> bool {
        false
    }

    /// # Errors
    /// Always: that the feature is missing.
    pub(crate) fn apply(&self, program: &Program, _: &mut Authentication) -> Result<Keys> {
        let left_out = features::left_out("jwt", program.name());
        Err(Error::setting(format!(
            "--auth is 'jwt', which {left_out}; set --auth to token."
        )))
    }

    pub(crate) fn issuer(&self) -> Option<&str> {
        None
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = (String, u16)> {
        std::iter::empty()
    }

    pub(crate) fn names_keys(&self) -> bool {
        false
    }
}
