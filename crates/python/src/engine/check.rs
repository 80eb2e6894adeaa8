//! Types, checked by ty before the code is run.

use std::borrow::Cow;

use monty_type_checking::{SourceFile, TypeChecker};
use monty_types::{TypeCheckingConfig, TypeCheckingFormat};

use crate::run::Kind;
use crate::wire::RunError;

/// What the checker knows the source and the declarations by. Fixed, because a name could stand for
/// more than a label: `json.py` would be what `import json` finds.
const SOURCE: &str = "main.py";
const STUBS: &str = "type_stubs.pyi";

/// Uses most of the modules, so that the first check of a user finds them read.
const WARM_UP: &str = "
import asyncio, base64, collections, dataclasses, datetime, functools, itertools, json, math, re
from typing import Any
counts: dict[str, list[int]] = {}
for word in 'a b'.split():
    counts.setdefault(word, []).append(len(word))
text = f'{sorted(counts.items(), key=lambda item: item[1])} {math.sqrt(2):.2f} {datetime.date.today()}'
print(json.dumps(counts), re.findall('a', text), [n * 2 for n in range(3)], sum([1, 2]))
text
";

/// The type checker. It keeps what it knows of the standard library, and nothing of what it checked.
pub(super) struct Checker(TypeChecker);

impl Checker {
    pub(super) fn warm() -> Self {
        let mut checker = Self(TypeChecker::default());
        let checked = checker.check(WARM_UP, SOURCE, "counter: int\n");
        debug_assert!(checked.is_ok(), "{checked:?}");
        checker
    }

    /// Checks `source`, which errors call `label`.
    pub(super) fn check(&mut self, source: &str, label: &str, stubs: &str) -> Result<(), RunError> {
        let source = &without_future_imports(source);
        let config = TypeCheckingConfig {
            format: TypeCheckingFormat::Full,
            color: false,
        };
        let found = self
            .0
            .run(
                &SourceFile::new(source, SOURCE),
                Some(&SourceFile::new(stubs, STUBS)).filter(|_| !stubs.is_empty()),
                config,
            )
            .map(|found| found.map(|diagnostics| diagnostics.to_string()));
        let forgotten = self.0.reset();
        match (found, forgotten) {
            (Ok(None), Ok(())) => Ok(()),
            (Ok(Some(text)), Ok(())) => Err(RunError::new(Kind::Types, relabel(&text, label))),
            (Err(error), _) | (_, Err(error)) => {
                // What it knows may be of this source now; the next run must not see it.
                self.0 = TypeChecker::default();
                Err(RunError::new(
                    Kind::Types,
                    format!("The type checker failed ({error}); run without check_types."),
                ))
            }
        }
    }
}

/// The source with `from __future__ import …` blanked out: the engine takes and ignores it, and the
/// checker's library does not have it.
fn without_future_imports(source: &str) -> Cow<'_, str> {
    const FUTURE: &str = "from __future__ import ";
    if !source.contains(FUTURE) {
        return source.into();
    }
    let blanked = source
        .split_inclusive('\n')
        .map(|line| match line.trim_end() {
            import if import.starts_with(FUTURE) && !import.ends_with(['(', '\\']) => {
                line.replace(import, &" ".repeat(import.len()))
            }
            _ => line.to_owned(),
        });
    blanked.collect::<String>().into()
}

/// The findings, with the name of the source where the checker put its own.
fn relabel(text: &str, label: &str) -> String {
    let mut relabelled = String::with_capacity(text.len());
    for line in text.trim_end().split('\n') {
        let arrow = line.trim_start();
        let place = ["--> ", "::: "]
            .iter()
            .find_map(|arrow_head| arrow.strip_prefix(arrow_head))
            .and_then(|place| place.strip_prefix(SOURCE));
        match place {
            Some(position) => {
                let before = &line[..line.len() - position.len() - SOURCE.len()];
                relabelled.extend([before, label, position]);
            }
            None => relabelled.push_str(line),
        }
        relabelled.push('\n');
    }
    relabelled.truncate(relabelled.trim_end().len());
    relabelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn future_imports_leave_their_room() {
        let source = "from __future__ import annotations\nx = 1\n";
        let blanked = without_future_imports(source);
        assert_eq!(blanked.len(), source.len());
        assert_eq!(blanked.trim(), "x = 1");
        assert_eq!(without_future_imports("x = 1"), "x = 1");
    }

    #[test]
    fn findings_name_the_source_as_the_caller_does() {
        let text = "error[x]: y\n --> main.py:1:1\n  |\n1 | '--> main.py:1'\n";
        assert_eq!(
            relabel(text, "calc.py"),
            "error[x]: y\n --> calc.py:1:1\n  |\n1 | '--> main.py:1'"
        );
    }
}
