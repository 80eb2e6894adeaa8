//! Where a written server gets the crates of this project from.

use std::fs;
use std::path::{Path, PathBuf};

use pymcp_app::{Error, Result};

/// Where the crates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// Released versions, of a registry.
    Registry,
    /// A checkout that the server stands in: `root` is the way to it, such as `../..`.
    Inside { root: String },
    /// A checkout that was named.
    Checkout { root: String },
}

impl Origin {
    /// The checkout that was named, else the one that `folder` stands in, else the registry.
    pub(super) fn find(folder: &Path, named: Option<&Path>) -> Result<Self> {
        if let Some(named) = named {
            let root = named.canonicalize().ok().filter(|root| is_checkout(root));
            let root = root.and_then(|root| Some(root.to_str()?.to_owned()));
            return match root {
                Some(root) => Ok(Self::Checkout { root }),
                None => Err(Error::setting(format!(
                    "--checkout is '{}', which is no checkout of the PyMCP repository: it has no crates/kit and crates/app.",
                    named.display()
                ))),
            };
        }
        let above = folder.ancestors().skip(1).enumerate();
        let mut roots = above.filter(|(_, folder)| is_checkout(folder));
        Ok(match roots.next() {
            Some((depth, _)) => Self::Inside {
                root: vec![".."; depth + 1].join("/"),
            },
            None => Self::Registry,
        })
    }

    /// Whether the server stands in a checkout, whose workspace it must not join.
    pub(super) fn is_inside(&self) -> bool {
        matches!(self, Self::Inside { .. })
    }

    /// What a manifest says of one of the crates, such as `"0.3"` or `{ path = "…", version = "0.3" }`.
    pub(super) fn dependency(
        &self,
        folder: &str,
        default_features: bool,
        features: &[&str],
    ) -> String {
        let version = version();
        let mut rest = String::new();
        if !default_features {
            rest += ", default-features = false";
        }
        if !features.is_empty() {
            rest += &format!(", features = {features:?}");
        }
        match self {
            Self::Registry if rest.is_empty() => format!("\"{version}\""),
            Self::Registry => format!("{{ version = \"{version}\"{rest} }}"),
            Self::Inside { root } | Self::Checkout { root } => {
                let path = toml_string(&format!("{root}/crates/{folder}"));
                format!("{{ path = {path}, version = \"{version}\"{rest} }}")
            }
        }
    }

    /// What the author should know of it.
    pub(super) fn note(&self) -> Option<&'static str> {
        match self {
            Self::Registry => None,
            Self::Inside { .. } => Some(
                "It stands in a checkout of PyMCP, so it depends on the crates of that checkout by path.",
            ),
            Self::Checkout { .. } => {
                Some("It depends on the crates of the named checkout by path.")
            }
        }
    }
}

/// The versions that are compatible with this program's own.
fn version() -> String {
    const MAJOR: &str = env!("CARGO_PKG_VERSION_MAJOR");
    const MINOR: &str = env!("CARGO_PKG_VERSION_MINOR");
    format!("{MAJOR}.{MINOR}")
}

fn toml_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn is_checkout(folder: &Path) -> bool {
    let named = |path: PathBuf, name: &str| {
        fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("name = \"{name}\"")))
    };
    named(folder.join("crates/kit/Cargo.toml"), "pymcp-kit")
        && named(folder.join("crates/app/Cargo.toml"), "pymcp-app")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_says_where_a_crate_is() {
        let version = version();
        let registry = Origin::Registry;
        assert_eq!(
            registry.dependency("kit", true, &[]),
            format!("\"{version}\"")
        );
        assert_eq!(
            registry.dependency("python", false, &[]),
            format!("{{ version = \"{version}\", default-features = false }}")
        );
        assert_eq!(
            registry.dependency("app", true, &["otlp", "redis"]),
            format!("{{ version = \"{version}\", features = [\"otlp\", \"redis\"] }}")
        );
        let root = "/a \"b\"\\c".to_owned();
        assert_eq!(
            Origin::Checkout { root }.dependency("kit", true, &[]),
            format!("{{ path = \"/a \\\"b\\\"\\\\c/crates/kit\", version = \"{version}\" }}")
        );
    }

    #[test]
    fn a_checkout_is_found_above_or_named() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let inside = Origin::find(&here.join("target/x/zebra"), None).unwrap();
        assert_eq!(
            inside,
            Origin::Inside {
                root: "../../..".to_owned()
            }
        );
        assert!(inside.is_inside());
        let outside = tempfile::tempdir().unwrap();
        let zebra = outside.path().join("zebra");
        assert_eq!(Origin::find(&zebra, None).unwrap(), Origin::Registry);
        let named = Origin::find(&zebra, Some(here)).unwrap();
        assert!(matches!(named, Origin::Checkout { .. }), "{named:?}");
        let error = Origin::find(&zebra, Some(outside.path())).unwrap_err();
        assert!(error.sentence().unwrap_or_default().contains("--checkout"));
    }
}
