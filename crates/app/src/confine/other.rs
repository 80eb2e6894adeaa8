//! Systems other than Linux: nothing is confined.

use pymcp_kit::audit::Audit;

use super::{Confined, Rules};

/// Nothing.
#[derive(Debug, Default)]
pub(super) struct Begun;

pub(super) fn begin(_: bool) -> Begun {
    Begun
}

pub(super) fn confine(_: &Begun, _: &Rules, _: Option<&Audit>) -> Confined {
    here()
}

pub(super) fn here() -> Confined {
    let why = "not available here, where the system is not Linux";
    Confined {
        by: Vec::new(),
        layers: vec![("the process", Some(why.to_owned()))],
    }
}
