//! What components may do, by effect.

use std::collections::BTreeSet;

use pymcp_kit::Effect;
use serde::Serialize;

use super::{Item, is_component, named};

/// The kinds of effects, the worst first, with what they mean to a person. A test holds that none is missing.
pub(super) const WORST_FIRST: [(&str, &str); 10] = [
    (
        "runs-untrusted-code",
        "run code that a caller wrote, in a sandbox",
    ),
    ("spawns", "start programs"),
    ("writes-files", "write files"),
    ("network", "connect to hosts"),
    ("reads-files", "read files"),
    ("environment", "read variables of the environment"),
    ("uses-model", "use the client's model"),
    ("asks-user", "ask the user"),
    ("random", "draw random numbers"),
    ("clock", "read the time of day"),
];

/// One thing that components may do.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reach {
    /// The kind of the effect; `none` for nothing.
    pub(crate) effect: &'static str,
    /// What that is, after "may".
    pub(crate) means: &'static str,
    /// The hosts, paths, variables or programs.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) what: BTreeSet<String>,
    /// The components that do it, in the order of the manifest.
    pub(crate) by: Vec<String>,
}

impl Reach {
    fn new(effect: &'static str, means: &'static str) -> Self {
        Self {
            effect,
            means,
            what: BTreeSet::new(),
            by: Vec::new(),
        }
    }
}

/// What the components of a whole manifest may do, by effect, the worst first.
pub(crate) fn reach(items: &[Item]) -> Vec<Reach> {
    let mut all: Vec<_> = WORST_FIRST
        .into_iter()
        .map(|(effect, means)| Reach::new(effect, means))
        .collect();
    let mut nothing = Reach::new("none", "do nothing but answer");
    for (kind, name, content) in items.iter().filter(|(kind, ..)| is_component(*kind)) {
        let effects = content["effects"].as_array().into_iter().flatten();
        let effects = effects.filter_map(|effect| effect.as_str()?.parse::<Effect>().ok());
        let mut has_any = false;
        for effect in effects {
            has_any = true;
            let Some(reach) = all.iter_mut().find(|one| one.effect == effect.kind()) else {
                continue;
            };
            reach.what.extend(effect.value().map(str::to_owned));
            let name = named(*kind, name);
            if reach.by.last() != Some(&name) {
                reach.by.push(name);
            }
        }
        if !has_any {
            nothing.by.push(named(*kind, name));
        }
    }
    all.push(nothing);
    all.retain(|one| !one.by.is_empty());
    all
}

/// What tools say of themselves in their annotations, the worst first. Without annotations a client has to expect the worst
/// (MCP, schema, `ToolAnnotations`).
pub(crate) fn claims(items: &[Item]) -> Vec<Reach> {
    let mut destroys = Reach::new("destructive", "destroy or overwrite something");
    let mut changes = Reach::new("changes", "change something, without destroying");
    let mut open = Reach::new("open-world", "deal with others than the server");
    let mut reads = Reach::new("read-only", "only read");
    for (kind, name, content) in items {
        if *kind != pymcp_kit::manifest::ItemKind::Tool {
            continue;
        }
        let annotations = &content["definition"]["annotations"];
        let hint = |name: &str, default| annotations[name].as_bool().unwrap_or(default);
        let name = named(*kind, name);
        if hint("openWorldHint", true) {
            open.by.push(name.clone());
        }
        match (hint("readOnlyHint", false), hint("destructiveHint", true)) {
            (true, _) => reads.by.push(name),
            (false, true) => destroys.by.push(name),
            (false, false) => changes.by.push(name),
        }
    }
    let mut all = vec![destroys, changes, open, reads];
    all.retain(|one| !one.by.is_empty());
    all
}
