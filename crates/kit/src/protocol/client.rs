//! What a client says of itself, as far as anything here goes by it: a few flags and two names,
//! however much it sends.

use std::borrow::Cow;
use std::fmt;

use rmcp::model::TASKS_EXTENSION_ID;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Bytes of what a client says of itself, pictures aside.
pub(crate) const MAX_INTRODUCTION: usize = 16 << 10;

/// Bytes that are kept of a name, a title or a version.
const MAX_NAME: usize = 256;

/// What a client can be asked for, and what it takes (MCP `ClientCapabilities`). The rest of what it
/// declares is not kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientCapabilities {
    /// Its user can be asked to fill in forms: `elicitation` with `form`, or with no mode at all.
    pub forms: bool,
    /// Its user can be sent to a page: `elicitation.url`.
    pub urls: bool,
    /// Its model can be used: `sampling`.
    pub sampling: bool,
    /// Its model can be offered tools: `sampling.tools`.
    pub sampling_tools: bool,
    /// Its model can be given the context of other servers: `sampling.context`.
    pub sampling_context: bool,
    /// It says where its user works: `roots`.
    pub roots: bool,
    /// It takes tasks: the extension `io.modelcontextprotocol/tasks`. See
    /// [`PeerInfo::takes_tasks`](super::PeerInfo::takes_tasks).
    pub tasks: bool,
}

impl ClientCapabilities {
    /// Whether it can be asked anything.
    pub fn can_be_asked(&self) -> bool {
        self.forms || self.urls || self.sampling || self.roots
    }
}

impl<'de> Deserialize<'de> for ClientCapabilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Declared {
            elicitation: Option<Elicitation>,
            sampling: Option<Sampling>,
            roots: Option<Members>,
            extensions: Option<Extensions>,
        }
        #[derive(serde::Deserialize)]
        struct Elicitation {
            form: Option<Members>,
            url: Option<Members>,
        }
        #[derive(serde::Deserialize)]
        struct Sampling {
            tools: Option<Members>,
            context: Option<Members>,
        }
        let declared = Declared::deserialize(deserializer)?;
        let elicitation = declared.elicitation.as_ref();
        let sampling = declared.sampling.as_ref();
        Ok(Self {
            forms: elicitation.is_some_and(|modes| modes.form.is_some() || modes.url.is_none()),
            urls: elicitation.is_some_and(|modes| modes.url.is_some()),
            sampling: sampling.is_some(),
            sampling_tools: sampling.is_some_and(|sampling| sampling.tools.is_some()),
            sampling_context: sampling.is_some_and(|sampling| sampling.context.is_some()),
            roots: declared.roots.is_some(),
            tasks: declared.extensions.is_some_and(|known| known.tasks),
        })
    }
}

/// The extensions that this server knows.
struct Extensions {
    tasks: bool,
}

impl<'de> Deserialize<'de> for Extensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Extensions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of extensions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Extensions, A::Error> {
                let mut known = Extensions { tasks: false };
                while let Some(Text(name)) = map.next_key()? {
                    let Members = map.next_value()?;
                    known.tasks |= name == TASKS_EXTENSION_ID;
                }
                Ok(known)
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// A text that is looked at only.
#[derive(serde::Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// An object whose members nobody here looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Members;

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Members)
            }
        }
        deserializer.deserialize_map(Any)
    }
}

/// What a client calls itself (MCP `Implementation`): for display only. Each text is cut off after
/// 256 bytes; descriptions and pictures are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientInfo {
    /// Its name for programs.
    pub name: Box<str>,
    /// Its name for people, when it has one.
    pub title: Option<Box<str>>,
    /// Its version.
    pub version: Box<str>,
}

impl<'de> Deserialize<'de> for ClientInfo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Told<'a> {
            #[serde(borrow)]
            name: Text<'a>,
            #[serde(borrow)]
            title: Option<Text<'a>>,
            #[serde(borrow)]
            version: Text<'a>,
        }
        let told = Told::deserialize(deserializer)?;
        let short = |Text(text): Text<'_>| text[..text.floor_char_boundary(MAX_NAME)].into();
        Ok(Self {
            name: short(told.name),
            title: told.title.map(short),
            version: short(told.version),
        })
    }
}

/// Whether a client may say that much of itself. Its pictures do not count: nobody here looks at
/// them, and they are not kept.
pub(crate) fn is_short(capabilities: &RawValue, client: Option<&RawValue>) -> bool {
    #[derive(serde::Deserialize)]
    struct Pictures<'a> {
        #[serde(borrow, default)]
        icons: Option<&'a RawValue>,
    }
    let bytes = capabilities.get().len() + client.map_or(0, |client| client.get().len());
    bytes <= MAX_INTRODUCTION
        || client
            .and_then(|client| {
                serde_json::from_str::<Pictures<'_>>(client.get())
                    .ok()?
                    .icons
            })
            .is_some_and(|icons| bytes - icons.get().len() <= MAX_INTRODUCTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(text: &str) -> Option<ClientCapabilities> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn capabilities_become_flags() {
        let none = ClientCapabilities::default();
        let (forms, urls) = (
            ClientCapabilities {
                forms: true,
                ..none
            },
            ClientCapabilities { urls: true, ..none },
        );
        let sampling = ClientCapabilities {
            sampling: true,
            ..none
        };
        for (text, expected) in [
            ("{}", none),
            (r#"{"elicitation":{}}"#, forms),
            (r#"{"elicitation":{"form":{}}}"#, forms),
            (
                r#"{"elicitation":{"form":{"schemaValidation":true}}}"#,
                forms,
            ),
            (r#"{"elicitation":{"url":{}}}"#, urls),
            (r#"{"elicitation":{"url":{},"form":null}}"#, urls),
            (
                r#"{"elicitation":null,"sampling":null,"roots":null,"extensions":null}"#,
                none,
            ),
            (r#"{"elicitation":{"new":1}}"#, forms),
            (r#"{"sampling":{}}"#, sampling),
            (
                r#"{"sampling":{"tools":{},"context":{}}}"#,
                ClientCapabilities {
                    sampling_tools: true,
                    sampling_context: true,
                    ..sampling
                },
            ),
            (
                r#"{"roots":{"listChanged":true}}"#,
                ClientCapabilities {
                    roots: true,
                    ..none
                },
            ),
            (
                r#"{"extensions":{"x/y":{},"io.modelcontextprotocol\/tasks":{}}}"#,
                ClientCapabilities {
                    tasks: true,
                    ..none
                },
            ),
            (
                r#"{"tasks":{"requests":{}},"experimental":{"a":[[]]},"new":5}"#,
                none,
            ),
        ] {
            assert_eq!(capabilities(text), Some(expected), "{text}");
        }
        assert!(!none.can_be_asked() && forms.can_be_asked() && urls.can_be_asked());
    }

    #[test]
    fn what_is_read_has_its_type() {
        for text in [
            "5",
            "[]",
            "null",
            r#"{"elicitation":true}"#,
            r#"{"elicitation":[]}"#,
            r#"{"sampling":{"tools":1}}"#,
            r#"{"roots":"yes"}"#,
            r#"{"extensions":["x/y"]}"#,
            r#"{"extensions":{"io.modelcontextprotocol/tasks":null}}"#,
        ] {
            assert_eq!(capabilities(text), None, "{text}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let text = format!(
            r#"{{"name":"{}","version":"\u00e4","icons":5,"title":null}}"#,
            "ä".repeat(1000)
        );
        let client: ClientInfo = serde_json::from_str(&text).unwrap();
        assert_eq!(*client.name, *"ä".repeat(128));
        assert_eq!((&*client.version, client.title), ("ä", None));
        let odd = format!(r#"{{"name":"x{}","version":"1"}}"#, "ä".repeat(1000));
        let client: ClientInfo = serde_json::from_str(&odd).unwrap();
        assert_eq!(client.name.len(), 255);
    }
}
