//! What the type checker is told of names that the source does not define: inputs and host functions.

use std::fmt::Write as _;

use monty_types::MontyObject;

use crate::wire::Run;

/// How deep types are spelled out; deeper they are `Any`.
const MAX_DEPTH: usize = 4;

/// Lists and dicts with more elements than this have elements of `Any`: nobody looks at them all.
const SAMPLE: usize = 64;

/// The declarations for one run: the caller's own, those of the host's functions, and one for every
/// input that the caller declares nothing for.
pub(super) fn of(run: &Run, names: &[String], values: &[MontyObject]) -> String {
    let declared = run.stubs.as_deref().unwrap_or_default();
    let inputs: Vec<(&String, &MontyObject)> = names
        .iter()
        .zip(values)
        .filter(|(name, _)| is_plain(name) && !declares(declared, name))
        .collect();
    let mut stubs = String::new();
    if !run.host.is_empty() || !inputs.is_empty() {
        stubs.push_str("from typing import Any, Literal\n");
    }
    // A star import leaves out names with an underscore unless they are listed.
    if declared.trim().is_empty() && inputs.iter().any(|(name, _)| name.starts_with('_')) {
        let names = inputs.iter().map(|(name, _)| name.as_str());
        let functions = run.host.iter().map(|(name, _)| name.as_str());
        let listed: Vec<_> = names.chain(functions).collect();
        let _ = writeln!(stubs, "__all__ = {listed:?}");
    }
    for (_, stub) in &run.host {
        let _ = writeln!(stubs, "{stub}");
    }
    for (name, value) in inputs {
        // The checker holds a name to its declaration, but code may reuse it for something else.
        let kind = match may_bind(&run.code, name) {
            true => "Any".to_owned(),
            false => annotation(value, 0),
        };
        let _ = writeln!(stubs, "{name}: {kind}");
    }
    stubs.push_str(declared);
    stubs
}

/// Whether the code may give `name` another value: assign to it, loop over it, define it. May say yes
/// where it does not.
fn may_bind(code: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.lines().any(|line| {
        line.match_indices(name).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + name.len()..]);
            if before.ends_with(is_word) || after.starts_with(is_word) || before.ends_with('.') {
                return false;
            }
            let introduced = before.split_whitespace().next_back().is_some_and(|word| {
                ["as", "def", "class", "import", "global", "del"].contains(&word)
            });
            let looped = before
                .rsplit_once("for ")
                .is_some_and(|(_, targets)| !targets.contains(" in "));
            // In a call, `name, key=…` is no assignment.
            let in_call = before.matches('(').count() > before.matches(')').count()
                && before
                    .rfind('(')
                    .is_some_and(|open| before[..open].ends_with(is_word));
            let target = |c: char| is_word(c) || " ,*()[]".contains(c);
            let rest = match in_call {
                true => after.trim_start(),
                false => after.trim_start_matches(target),
            };
            let operator =
                rest.trim_start_matches(['+', '-', '*', '/', '%', '@', '&', '|', '^', ':']);
            let shifted = operator.strip_prefix(">>").or(operator.strip_prefix("<<"));
            let operator = shifted.unwrap_or(operator);
            let assigned = operator.starts_with('=') && !operator.starts_with("==") && !in_call
                || rest.starts_with(":=")
                || !in_call && before.trim().is_empty() && rest.starts_with(':');
            introduced || looped || assigned
        })
    })
}

/// Whether a name can be written into a declaration as it is.
fn is_plain(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|c| c.is_alphabetic() || c == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_')
}

fn declares(stubs: &str, name: &str) -> bool {
    stubs.lines().any(|line| {
        let line = line.trim_start();
        let line = ["def ", "async def ", "class "]
            .iter()
            .find_map(|keyword| line.strip_prefix(keyword))
            .unwrap_or(line);
        line.strip_prefix(name)
            .is_some_and(|rest| rest.trim_start().starts_with([':', '=', '(']) || rest.is_empty())
    })
}

/// A type that the value has, and that never says more than is sure: elements that are not all alike
/// are `Any`, so that the checker has no objection to code that knows better.
fn annotation(value: &MontyObject, depth: usize) -> String {
    use MontyObject as M;
    match value {
        M::None => "None".into(),
        M::Bool(_) => "bool".into(),
        M::Int(_) | M::BigInt(_) => "int".into(),
        M::Float(_) => "float".into(),
        M::String(_) => "str".into(),
        M::List(items) => format!("list[{}]", common(items.iter(), items.len(), depth)),
        M::Dict(members) => {
            let values = members.iter().map(|(_, value)| value);
            format!("dict[str, {}]", common(values, members.len(), depth))
        }
        _ => "Any".into(),
    }
}

fn common<'a>(
    mut items: impl Iterator<Item = &'a MontyObject>,
    count: usize,
    depth: usize,
) -> String {
    let any = || "Any".to_owned();
    if depth >= MAX_DEPTH || count > SAMPLE {
        return any();
    }
    let Some(first) = items.next().map(|item| annotation(item, depth + 1)) else {
        return any();
    };
    match items.all(|item| annotation(item, depth + 1) == first) {
        true if first != "None" => first,
        _ => any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: Vec<MontyObject>) -> MontyObject {
        MontyObject::List(items)
    }

    #[test]
    fn types_say_only_what_is_sure() {
        use MontyObject as M;
        let text = || M::String("s".into());
        for (value, expected) in [
            (M::Int(1), "int"),
            (list(vec![M::Int(1), M::Int(2)]), "list[int]"),
            (list(vec![M::Int(1), text()]), "list[Any]"),
            (list(vec![]), "list[Any]"),
            (list(vec![M::None]), "list[Any]"),
            (
                M::dict(vec![(text(), list(vec![text()]))]),
                "dict[str, list[str]]",
            ),
            (
                M::dict(vec![(text(), M::Int(1)), (text(), text())]),
                "dict[str, Any]",
            ),
            (list(vec![M::Int(1); SAMPLE + 1]), "list[Any]"),
        ] {
            assert_eq!(annotation(&value, 0), expected);
        }
    }

    fn run(code: &str, stubs: Option<&str>) -> Run {
        Run {
            code: code.into(),
            inputs: None,
            script_name: String::new(),
            check_types: true,
            stubs: stubs.map(str::to_owned),
            limits: crate::Limits::default(),
            host: Vec::new(),
            utc_offset: 0,
        }
    }

    #[test]
    fn what_the_caller_declares_is_left_to_them() {
        let names = ["x", "y", "f", "_z", "not valid"].map(str::to_owned);
        let values = vec![MontyObject::Int(1); 5];
        let stubs = of(&run("", Some("x: str\ndef f(): ...")), &names, &values);
        assert_eq!(
            stubs,
            "from typing import Any, Literal\ny: int\n_z: int\nx: str\ndef f(): ..."
        );
        let stubs = of(&run("", None), &names[3..4], &values[3..4]);
        assert!(stubs.contains("__all__ = [\"_z\"]"));
        assert_eq!(of(&run("", None), &[], &[]), "");
    }

    #[test]
    fn names_that_are_used_for_something_else_are_not_held_to_their_type() {
        for code in [
            "x = str(x)",
            "x: str = ''",
            "x += 1",
            "x //= 2",
            "x >>= 2",
            "y, x = 1, 2",
            "x, y = 1, 2",
            "(x, y) = 1, 2",
            "x[0] = 1",
            "for x in range(3): pass",
            "for y, x in z: pass",
            "[x for x in y]",
            "print(x := 5)",
            "with y as x: pass",
            "def x(): pass",
            "import x",
        ] {
            assert!(may_bind(code, "x"), "{code}");
        }
        for code in [
            "y = x",
            "x == 1",
            "x != 1",
            "x <= 1",
            "xx = 1",
            "max = 1",
            "a.x = 1",
            "sorted(x, key=len)",
            "f(y=x, z=1)",
            "for y in x: pass",
            "[y for y in x if y > x]",
            "{x: 1}",
            "y[x:]",
        ] {
            assert!(!may_bind(code, "x"), "{code}");
        }
    }
}
