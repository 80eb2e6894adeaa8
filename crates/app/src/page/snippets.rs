//! What a person writes into a client so that it connects, as the page shows it: the very lines of `install`.

use serde::Serialize;

use crate::install::entry::usual_name;
use crate::install::offer;
use crate::install::{Reached, ServerEntry};

/// What a client needs, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Snippet {
    /// The client, as people call it.
    client: &'static str,
    /// Where the text goes: a terminal, a file, or a place in the client's settings.
    place: String,
    /// The text itself, to be copied whole.
    text: String,
    /// The link that has the client ask whether to connect.
    link: Option<String>,
}

/// What clients connect to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The name of the server; clients get [`usual_name`] of it.
    pub(crate) name: &'a str,
    /// The endpoint, as its clients write it.
    pub(crate) url: &'a str,
    /// Whether it is the HTTP+SSE of 2024-11-05.
    pub(crate) sse: bool,
    /// Whether each client needs a token that a person has to write.
    pub(crate) token: bool,
}

/// What stands for a token.
const TOKEN: &str = "Bearer YOUR_TOKEN";

/// The snippets of all clients; none for HTTP+SSE, which is deprecated and which few of them still speak.
pub(crate) fn all(target: &Target<'_>) -> Vec<Snippet> {
    if target.sse {
        return Vec::new();
    }
    let token = || ("Authorization".to_owned(), TOKEN.to_owned());
    let server = ServerEntry {
        name: usual_name(target.name),
        reached: Reached::Http {
            url: target.url.to_owned(),
            headers: target.token.then(token).into_iter().collect(),
        },
    };
    let offers = offer::snippets(&server).into_iter();
    let shown = offers.map(|offer| {
        let (place, text) = match offer.command {
            Some(command) => ("in a terminal".to_owned(), command),
            None => (offer.place, offer.text),
        };
        Snippet {
            client: offer.client,
            place,
            text,
            // A person has to write the token first.
            link: offer.link.filter(|_| !target.token),
        }
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target<'_> = Target {
        name: "zebra-2",
        url: "http://localhost:8000/mcp",
        sse: false,
        token: false,
    };

    #[test]
    fn each_client_gets_its_own_form() {
        let shown = all(&TARGET);
        let of = |client: &str| shown.iter().find(|one| one.client == client).unwrap();
        let claude = of("Claude Code");
        assert_eq!(claude.place, "in a terminal");
        assert!(
            claude.text.starts_with("claude mcp add")
                && claude.text.ends_with("http://localhost:8000/mcp"),
            "{claude:?}"
        );
        assert!(of("Cursor").link.as_ref().unwrap().starts_with("cursor://"));
        for one in &shown {
            assert!(one.text.contains("http://localhost:8000/mcp"), "{one:?}");
        }
        let sse = Target {
            sse: true,
            ..TARGET
        };
        assert_eq!(all(&sse), []);
    }

    #[test]
    fn a_token_is_said_where_headers_can_be_and_leaves_no_link() {
        let target = Target {
            token: true,
            ..TARGET
        };
        let shown = all(&target);
        let said = |one: &&Snippet| one.text.contains("Bearer YOUR_TOKEN");
        assert!(
            shown.iter().filter(said).count() >= shown.len() - 2,
            "{shown:?}"
        );
        assert!(shown.iter().all(|one| one.link.is_none()));
    }

    #[test]
    fn no_name_and_no_url_breaks_out_of_a_snippet() {
        for (name, expected) in [
            ("", "server"),
            ("--help", "help"),
            ("a b;rm -rf $HOME", "a-b-rm--rf--HOME"),
            ("\u{202e}\"<x>\"", "x"),
            ("na\u{ef}ve", "na-ve"),
            ("..", "server"),
        ] {
            assert_eq!(usual_name(name), expected, "{name:?}");
        }
        let url = "https://h/$(id)'&mcp";
        for one in all(&Target { url, ..TARGET }) {
            if one.place == "in a terminal" {
                let quoted = one.text.contains(r"$(id)'\''&mcp");
                assert!(quoted, "{one:?}");
            }
        }
    }
}
