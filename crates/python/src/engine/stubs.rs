//! What the type checker is told of names that the source does not define: inputs and host functions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use crate::host::is_python_keyword;
use crate::wire::Run;

/// Declarations for one run, as the texts of two modules, and what the source imports of them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    /// Of the inputs that the caller declares nothing for, and of the host's functions.
    pub(super) given: String,
    /// The names that `given` declares.
    pub(super) given_names: Vec<String>,
    /// The caller's own.
    pub(super) declared: String,
    /// Names that `declared` declares and `import *` leaves out.
    pub(super) declared_hidden: Vec<String>,
}

impl Declared {
    /// A line of Python to put in front of the source, which imports the declarations by the names of
    /// these modules, and how many statements it has. Nothing where
    /// nothing is declared.
    ///
    /// What is given is assigned and not imported: a name that is imported is held to its declaration,
    /// and the source may use it for something else.
    #[cfg(any(feature = "typecheck", test))]
    pub(super) fn line(&self, given_module: &str, declared_module: &str) -> (String, usize) {
        let mut statements = Vec::new();
        if !self.given_names.is_empty() {
            statements.push(format!("import {given_module}"));
            let given = self.given_names.iter();
            statements.extend(given.map(|name| format!("{name}={given_module}.{name}")));
        }
        if !self.declared.is_empty() {
            statements.push(format!("from {declared_module} import *"));
        }
        if !self.declared_hidden.is_empty() {
            let names = self.declared_hidden.join(",");
            statements.push(format!("from {declared_module} import {names}"));
        }
        match statements.len() {
            0 => (String::new(), 0),
            count => (statements.join(";") + "\n", count),
        }
    }
}

/// The declarations for one run.
pub(super) fn of(run: &Run) -> Declared {
    let declared = run.stubs.as_deref().unwrap_or_default();
    let declared_names: Vec<&str> = declared.lines().filter_map(declared_name).collect();
    let mut given = String::from("from typing import Any, Literal\n");
    let mut given_names = Vec::new();
    for (name, stub) in &run.host {
        let _ = writeln!(given, "{stub}");
        given_names.push(name.clone());
    }
    // What is no object was refused before.
    let inputs: BTreeMap<String, &RawValue> = run
        .inputs
        .as_deref()
        .and_then(|inputs| serde_json::from_str(inputs.get()).ok())
        .unwrap_or_default();
    for (name, value) in inputs {
        if is_plain(&name)
            && !declared_names.contains(&name.as_str())
            && !given_names.contains(&name)
        {
            let _ = writeln!(given, "{name}: {}", annotation(value.get()));
            given_names.push(name);
        }
    }
    let hidden = declared_names.iter().filter(|name| name.starts_with('_'));
    Declared {
        declared_hidden: hidden.map(|name| (*name).to_owned()).collect(),
        given: match given_names.is_empty() {
            true => String::new(),
            false => given,
        },
        given_names,
        declared: declared.to_owned(),
    }
}

/// Whether a name can be written into a declaration as it is.
fn is_plain(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|c| c.is_alphabetic() || c == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_')
        && !is_python_keyword(name)
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

/// A type that the JSON value has in Python, and that never says more than is sure: code may put
/// anything into a list or dict.
fn annotation(json: &str) -> &'static str {
    match json.trim_start().as_bytes().first() {
        Some(b'n') => "None",
        Some(b't' | b'f') => "bool",
        Some(b'"') => "str",
        Some(b'[') => "list[Any]",
        Some(b'{') => "dict[str, Any]",
        Some(_) if json.contains(['.', 'e', 'E']) => "float",
        Some(_) => "int",
        None => "Any",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(inputs: &str, stubs: Option<&str>) -> Run {
        Run {
            code: String::new(),
            inputs: Some(RawValue::from_string(inputs.to_owned()).unwrap()),
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
        let inputs = r#"{"x": 1, "y": 1, "f": 1, "inner": 1, "not valid": 1, "class": 1}"#;
        let declared = "x: str\ndef f(): ...\nclass C:\n    inner: str";
        let found = of(&run(inputs, Some(declared)));
        assert_eq!(
            found.given,
            "from typing import Any, Literal\ninner: int\ny: int\n"
        );
        assert_eq!(
            found.line("_pymcp_given", "_pymcp_declared"),
            (
                "import _pymcp_given;inner=_pymcp_given.inner;y=_pymcp_given.y;\
                 from _pymcp_declared import *\n"
                    .to_owned(),
                4
            )
        );
        assert_eq!(found.declared, declared);
    }

    #[test]
    fn hidden_names_are_imported_by_name() {
        let found = of(&run(r#"{"_z": 1, "_y": 2}"#, Some("_z: int\n")));
        assert_eq!(
            found.line("_pymcp_given", "_pymcp_declared").0,
            "import _pymcp_given;_y=_pymcp_given._y;from _pymcp_declared import *;\
             from _pymcp_declared import _z\n"
        );
    }

    #[test]
    fn nothing_is_declared_of_nothing() {
        assert_eq!(of(&run("{}", None)), Declared::default());
        assert_eq!(
            of(&run("{}", None)).line("_pymcp_given", "_pymcp_declared"),
            (String::new(), 0)
        );
    }

    #[test]
    fn json_values_have_their_types_in_python() {
        for (json, kind) in [
            ("null", "None"),
            ("true", "bool"),
            ("-1", "int"),
            ("1180591620717411303424", "int"),
            ("1.0", "float"),
            ("-1e3", "float"),
            ("\"1\"", "str"),
            ("[1]", "list[Any]"),
            ("{}", "dict[str, Any]"),
        ] {
            assert_eq!(annotation(json), kind, "{json}");
        }
    }
}
