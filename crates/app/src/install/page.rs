//! The tables of clients: in `README.md`, and in `docs/clients.md`. `pymcp docs` writes them, with this program's name.

use std::fmt::Write as _;

use super::client::{CLIENTS, Client};
use super::entry::{Reached, ServerEntry};
use super::format::Format;
use super::offer::{self, ClientSnippet};

/// A short table of the clients, for a program of this name: the command that puts the program there.
pub fn clients_table(program: &str) -> String {
    let mut table = String::from("| client | command |\n| --- | --- |\n");
    for client in CLIENTS {
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "| {} | `{program} install {} --write` |",
            client.name, client.id
        );
    }
    table
}

/// Every client with its file, its keys, and what it is told of a program of this name, for a page.
pub fn clients_page(program: &str) -> String {
    let stdio = ServerEntry {
        name: program.to_owned(),
        reached: Reached::Stdio {
            command: format!("/usr/local/bin/{program}"),
            args: Vec::new(),
            env: Vec::new(),
        },
    };
    let http = ServerEntry {
        name: program.to_owned(),
        reached: Reached::Http {
            url: "http://127.0.0.1:8000/mcp".to_owned(),
            headers: Vec::new(),
        },
    };
    let http = offer::snippets(&http);
    let mut page = String::new();
    for (client, stdio) in CLIENTS.iter().zip(offer::snippets(&stdio)) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "\n### {}\n\n`{program} install {}` is for {}: {}. {}",
            client.name,
            client.id,
            place(client),
            client.format.name(),
            client.next
        );
        code(&mut page, client, &stdio);
        match (
            client.http_in_settings,
            http.iter().find(|http| http.id == client.id),
        ) {
            (Some(place), _) => {
                let _ = writeln!(
                    page,
                    "\nOver HTTP it takes a URL in its own settings: {place}."
                );
            }
            (None, Some(http)) => {
                page.push_str("\nOver HTTP:\n");
                code(&mut page, client, http);
            }
            (None, None) => {}
        }
    }
    page.push('\n');
    page
}

fn code(page: &mut String, client: &Client, snippet: &ClientSnippet) {
    let _ = writeln!(
        page,
        "\n```{}\n{}\n```",
        fence(client),
        snippet.text.trim_end()
    );
    if let Some(line) = &snippet.command {
        let _ = writeln!(page, "\n```sh\n{line}\n```");
    }
}

/// The language of a block of code.
fn fence(client: &Client) -> &'static str {
    match client.format {
        Format::Json | Format::Jsonc => "json",
        Format::Toml => "toml",
        Format::Yaml => "yaml",
    }
}

/// The files of a client, each as code.
fn place(client: &Client) -> String {
    let places = offer::place(client);
    let places = places
        .split(", ")
        .map(|place| match place.split_once(" on ") {
            Some((path, system)) => format!("`{path}` on {system}"),
            None => match place.split_once(" in ") {
                Some((path, rest)) => format!("`{path}` in {rest}"),
                None => format!("`{place}`"),
            },
        });
    places.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The pages say what is so. `pymcp docs` writes them, and `UPDATE_DOCS=1` this test.
    #[test]
    fn the_pages_of_the_repository_are_these() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (file, now) in [
            ("README.md", clients_table("pymcp")),
            ("docs/clients.md", clients_page("pymcp")),
        ] {
            let path = root.join(file);
            let page = std::fs::read_to_string(&path).unwrap();
            let (before, rest) = page.split_once("<!-- clients -->\n").unwrap();
            let (written, after) = rest.split_once("<!-- /clients -->").unwrap();
            if std::env::var_os("UPDATE_DOCS").is_some() {
                let page = format!("{before}<!-- clients -->\n{now}<!-- /clients -->{after}");
                std::fs::write(path, page).unwrap();
                continue;
            }
            assert!(written == now, "in {file} it should be:\n{now}");
        }
    }

    #[test]
    fn the_table_has_every_client_on_a_line() {
        let table = clients_table("zebra-2");
        assert_eq!(table.lines().count(), 2 + CLIENTS.len());
        for line in [
            "| Cursor | `zebra-2 install cursor --write` |",
            "| mcp.json | `zebra-2 install mcp-json --write` |",
        ] {
            assert!(table.lines().any(|found| found == line), "{table}");
        }
    }
}
