//! What the type checker is told of names that the source does not define: inputs and host functions.

use std::fmt::Write as _;

use monty_types::MontyObject;

use crate::wire::Run;

/// Code with longer lines, or more inputs, is not searched for what it does to each of them.
const MAX_LINE: usize = 1_000;
const MAX_INPUTS: usize = 100;

/// The declarations for one run: the caller's own, those of the host's functions, and one for every
/// input that the caller declares nothing for.
pub(super) fn of(run: &Run, names: &[String], values: &[MontyObject]) -> String {
    let declared = run.stubs.as_deref().unwrap_or_default();
    let declared_names: Vec<&str> = declared.lines().filter_map(declared_name).collect();
    let inputs: Vec<(&String, &MontyObject)> = names
        .iter()
        .zip(values)
        .filter(|(name, _)| is_plain(name) && !declared_names.contains(&name.as_str()))
        .collect();
    let mut stubs = String::new();
    if !run.host.is_empty() || !inputs.is_empty() {
        stubs.push_str("from typing import Any, Literal\n");
    }
    // A star import leaves out names with an underscore unless all are listed.
    if inputs.iter().any(|(name, _)| name.starts_with('_')) {
        let names = inputs.iter().map(|(name, _)| name.as_str());
        let functions = run.host.iter().map(|(name, _)| name.as_str());
        let listed: Vec<_> = names.chain(functions).chain(declared_names).collect();
        let _ = writeln!(stubs, "__all__ = {listed:?}");
    }
    for (_, stub) in &run.host {
        let _ = writeln!(stubs, "{stub}");
    }
    let unclear = inputs.len() > MAX_INPUTS || run.code.lines().any(|line| line.len() > MAX_LINE);
    for (name, value) in inputs {
        // The checker holds a name to its declaration, but code may reuse it for something else.
        let kind = match unclear || may_bind(&run.code, name) {
            true => "Any",
            false => annotation(value),
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

/// The name that a line declares, if it does so at top level.
fn declared_name(line: &str) -> Option<&str> {
    let defined = ["def ", "async def ", "class "]
        .iter()
        .find_map(|keyword| line.strip_prefix(keyword));
    let line = defined.unwrap_or(line);
    let end = line.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    let (name, rest) = line.split_at(end);
    let declares = defined.is_some() || rest.trim_start().starts_with([':', '=']);
    (declares && is_plain(name)).then_some(name)
}

/// A type that the value has, and that never says more than is sure: code may put anything into a
/// list or dict.
fn annotation(value: &MontyObject) -> &'static str {
    use MontyObject as M;
    match value {
        M::None => "None",
        M::Bool(_) => "bool",
        M::Int(_) | M::BigInt(_) => "int",
        M::Float(_) => "float",
        M::String(_) => "str",
        M::List(_) => "list[Any]",
        M::Dict(_) => "dict[str, Any]",
        _ => "Any",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let names = ["x", "y", "f", "inner", "not valid"].map(str::to_owned);
        let values = vec![MontyObject::Int(1); 5];
        let declared = "x: str\ndef f(): ...\nclass C:\n    inner: str";
        assert_eq!(
            of(&run("", Some(declared)), &names, &values),
            format!("from typing import Any, Literal\ny: int\ninner: int\n{declared}")
        );
        let hidden = of(&run("", Some(declared)), &["_z".to_owned()], &values[..1]);
        assert!(
            hidden.contains(r#"__all__ = ["_z", "x", "f", "C"]"#),
            "{hidden}"
        );
        assert_eq!(of(&run("", None), &[], &[]), "");
    }

    #[test]
    fn code_that_takes_long_to_search_is_not_searched() {
        let names = ["a".to_owned()];
        let long = "a,".repeat(32_000);
        let stubs = of(&run(&long, None), &names, &[MontyObject::Int(1)]);
        assert!(stubs.ends_with("a: Any\n"), "{stubs}");
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
