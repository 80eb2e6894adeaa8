//! What a server may be called, and what follows from its name.

use std::path::Path;

use pymcp_app::{Error, Result};

/// Characters of a name. Clients prefix a server's tools with it, and take 64 in all.
const MOST: usize = 32;

/// Words that have a meaning in Rust, those that are reserved included.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Names that cargo or the compiler has a use of its own for, and crates that the server depends on.
const RESERVED: &[&str] = &[
    "alloc",
    "build",
    "clap",
    "core",
    "deps",
    "examples",
    "incremental",
    "proc-macro",
    "pymcp-app",
    "pymcp-egress",
    "pymcp-kit",
    "pymcp-python",
    "pymcp-search",
    "schemars",
    "serde",
    "serde-json",
    "std",
    "test",
    "tokio",
];

/// Whether a name cannot be one in Rust's code.
pub(super) fn is_keyword(name: &str) -> bool {
    KEYWORDS.contains(&name)
}

fn is_taken(name: &str) -> bool {
    is_keyword(name) || RESERVED.contains(&name)
}

/// The name of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// As the package, the binary and the server are called: `zebra-2`.
    pub(super) package: String,
}

impl Name {
    /// Takes the name that an author gave.
    pub(super) fn parse(text: &str) -> Result<Self> {
        match fault(text) {
            None => Ok(Self {
                package: text.to_owned(),
            }),
            Some(why) => Err(Error::setting(format!(
                "NAME is '{}', which {why}{}",
                text.escape_debug(),
                match proposal(text) {
                    Some(better) => format!("; use {better}, for example."),
                    None => "; use a name such as my-server.".to_owned(),
                }
            ))),
        }
    }

    /// The name of a folder that a server is written into.
    pub(super) fn of_folder(folder: &Path) -> Result<Self> {
        let name = folder.file_name().map(|name| name.to_string_lossy());
        Self::parse(&name.unwrap_or_default())
    }

    /// As the library is called in code: `zebra_2`.
    pub(super) fn library(&self) -> String {
        self.package.replace('-', "_")
    }

    /// As its environment variables begin, without the last underscore: `ZEBRA_2`.
    pub(super) fn prefix(&self) -> String {
        self.library().to_uppercase()
    }

    /// As a heading: `Zebra 2`.
    pub(super) fn title(&self) -> String {
        let words = self.package.split('-').map(|word| {
            let mut chars = word.chars();
            let first = chars.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(chars).collect::<String>()
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Why a name cannot be used.
fn fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("is empty")
    } else if text.len() > MOST {
        Some("has more than 32 characters")
    } else if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        Some("does not begin with one of a-z")
    } else if !text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        Some("has characters other than a-z, 0-9 and -")
    } else if text.ends_with('-') || text.contains("--") {
        Some("has a - that no letter or digit follows")
    } else if is_taken(text) {
        Some("has a meaning of its own in Rust, or is a crate that the server depends on")
    } else {
        None
    }
}

/// A name like it that can be used.
fn proposal(text: &str) -> Option<String> {
    let mut better = String::new();
    for (at, char) in text.char_indices() {
        match char {
            'a'..='z' | '0'..='9' => better.push(char),
            'A'..='Z' => {
                let after_small = text[..at].ends_with(|c: char| c.is_ascii_lowercase());
                if after_small {
                    better.push('-');
                }
                better.push(char.to_ascii_lowercase());
            }
            _ if !better.ends_with('-') => better.push('-'),
            _ => {}
        }
    }
    let better = better.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let better = better.get(..MOST).unwrap_or(better).trim_end_matches('-');
    let better = match is_taken(better) {
        true => format!("{better}-server"),
        false => better.to_owned(),
    };
    fault(&better).is_none().then_some(better)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_all_other_names() {
        let name = Name::parse("zebra-2-x").unwrap();
        assert_eq!(name.library(), "zebra_2_x");
        assert_eq!(name.prefix(), "ZEBRA_2_X");
        assert_eq!(name.title(), "Zebra 2 X");
    }

    #[test]
    fn a_name_that_cannot_be_used_is_told_with_one_that_can() {
        for (name, why, better) in [
            ("", "is empty", None),
            ("My Server", "does not begin", Some("my-server")),
            ("AcmeInventory", "does not begin", Some("acme-inventory")),
            ("acme_inventory", "other than", Some("acme-inventory")),
            ("acme--x", "no letter or digit follows", Some("acme-x")),
            ("acme-", "no letter or digit follows", Some("acme")),
            ("2zebra", "does not begin", Some("zebra")),
            ("../up", "does not begin", Some("up")),
            ("ünder", "does not begin", Some("nder")),
            ("42", "does not begin", None),
            ("test", "has a meaning", Some("test-server")),
            ("serde", "has a meaning", Some("serde-server")),
            (
                "a-name-that-is-much-too-long-for-clients",
                "more than 32",
                Some("a-name-that-is-much-too-long-for"),
            ),
        ] {
            let error = Name::parse(name).unwrap_err();
            let sentence = error.sentence().unwrap_or_default().to_owned();
            assert!(sentence.contains(why), "{sentence}");
            let used = better.unwrap_or("my-server");
            assert!(
                sentence.contains(&format!("use {used}")) || sentence.contains(used),
                "{sentence}"
            );
            assert!(Name::parse(used).is_ok(), "{used}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_is_proposed_can_be_used(name in ".{0,48}") {
            if let Some(better) = proposal(&name) {
                proptest::prop_assert!(Name::parse(&better).is_ok(), "{better}");
            }
        }
    }
}
