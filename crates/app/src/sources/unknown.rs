//! Names that are meant for the program though no setting has them: what may have been meant, and what only looks so.

use std::collections::BTreeSet;

use crate::features;
use crate::program::Program;

/// Unknown names that are compared with the known ones: it takes long, and a file can have very many.
const MAX_COMPARED: usize = 100;

/// How like a known name an unknown one must be, from 0 to 1, to be taken for it.
const SIMILAR: f64 = 0.6;

/// The same for names with a prefix that the program shares with others.
const SAME_BUT_FOR_A_SLIP: f64 = 0.9;

/// Characters of an unknown name that are shown, and compared.
const MAX_NAME: usize = 64;

/// A warning for each variable that is meant for the program and that it doesn't know; `place` is file and line.
pub(super) fn warnings(
    program: &Program,
    variables: impl Iterator<Item = (String, Option<String>)>,
) -> Vec<String> {
    let mut ours: Vec<_> = variables
        .filter(|(name, _)| prefix(program, name).is_some())
        .collect();
    if ours.is_empty() {
        return Vec::new();
    }
    let known = program.variables();
    let mut warned = BTreeSet::new();
    ours.retain(|(name, _)| warned.insert(name.clone()));
    let mut compared = 0;
    let warning = |(name, place): (String, Option<String>)| {
        if known.contains(&name.as_str()) {
            return None;
        }
        if let Some(feature) = left_out(program, &name) {
            let left_out = features::left_out(feature, program.name());
            let place = place.map_or_else(String::new, |place| format!("{place}: "));
            return Some(format!("{place}{name} {left_out}"));
        }
        compared += 1;
        let meant = match compared {
            ..=MAX_COMPARED => meant(program, &name)?,
            _ if prefix(program, &name)? => None,
            // Of a shared prefix only slips are told.
            _ => return None,
        };
        let place = place.map_or_else(String::new, |place| format!("{place}: "));
        let hint = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        Some(format!("{place}{} is not a setting{hint}", shown(&name)))
    };
    ours.into_iter().filter_map(warning).collect()
}

/// The known name that is most like this one, if it is like any.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (likeness, nearest) = most_like(name, known)?;
    (likeness >= SIMILAR).then_some(nearest)
}

/// An unknown name as it can stand in a sentence on a terminal.
pub(crate) fn shown(name: &str) -> String {
    let start = name.chars().take(MAX_NAME);
    start.flat_map(char::escape_debug).collect()
}

/// Whether Kubernetes made this variable for a service that is called like the program: `ZEBRA_SERVICE_HOST`,
/// `ZEBRA_PORT=tcp://…`, `ZEBRA_PORT_8000_TCP_ADDR`.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
    if name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
    {
        return true;
    }
    let is_address = || {
        let scheme = value.split_once("://");
        scheme.is_some_and(|(scheme, _)| PROTOCOLS.contains(&scheme.to_ascii_uppercase().as_str()))
    };
    let is_port = |rest: &str| {
        let mut words = rest.split('_');
        words.next().is_some_and(|port| port.parse::<u16>().is_ok())
            && words.next().is_some_and(|word| PROTOCOLS.contains(&word))
    };
    (name.ends_with("_PORT") && is_address()) || name.split("_PORT_").skip(1).any(is_port)
}

/// Whether a name begins like the program's: with a prefix of its own alone, or with one that an alias shares with other
/// programs. In any case.
fn prefix(program: &Program, name: &str) -> Option<bool> {
    let begins = |prefix: &str| {
        let head = name.as_bytes().get(..prefix.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    let own = || std::iter::once(&program.prefix).chain(&program.prefixes);
    if own().any(|prefix| begins(prefix)) {
        return Some(true);
    }
    let shared = |variable: &str| {
        let first = variable.find('_').map(|at| &variable[..=at]);
        first.is_some_and(|first| !own().any(|own| own.starts_with(first)) && begins(first))
    };
    program.variables().into_iter().any(shared).then_some(false)
}

/// The feature that has the setting of this variable, if it is not in this build.
fn left_out(program: &Program, name: &str) -> Option<&'static str> {
    let rest = name.strip_prefix(&program.prefix)?;
    features::of_flag(&rest.to_ascii_lowercase().replace('_', "-"))
}

/// Whether a name is meant for the program though it doesn't know it: the known one that it is most like, if it is like any.
fn meant<'a>(program: &'a Program, name: &str) -> Option<Option<&'a str>> {
    let own = prefix(program, name)?;
    let known = program.variables();
    if known.contains(&name) {
        return None;
    }
    let (likeness, nearest) = most_like(&name.to_ascii_uppercase(), known.into_iter())?;
    match (own, likeness) {
        (true, SIMILAR..) | (false, SAME_BUT_FOR_A_SLIP..) => Some(Some(nearest)),
        (true, _) => Some(None),
        (false, _) => None,
    }
}

fn most_like<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<(f64, &'a str)> {
    // Longer ones are like none.
    let name: String = name.chars().take(MAX_NAME).collect();
    known
        .map(|known| (strsim::normalized_damerau_levenshtein(&name, known), known))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
}
