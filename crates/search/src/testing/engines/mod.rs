//! Pages as the engines write them, made here: one file for each engine, with `page`, `empty` and whatever else that
//! engine answers.
//!
//! Nothing but the standard library is used.

pub mod brave;
pub mod brave_api;
pub mod duckduckgo;
pub mod mojeek;
pub mod searxng;
pub mod wikipedia;
pub mod yahoo;

/// One result of a page, as plain text: builders escape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The title.
    pub title: String,
    /// The address.
    pub url: String,
    /// What is shown of the page.
    pub body: String,
}

/// Text as it is written in HTML, between tags and in attributes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// Text as one part of an address: all but letters, digits and `-_.` as `%XX`.
pub fn percent(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02x}"),
    };
    text.bytes().map(encode).collect()
}

/// A whole page with a title and a body.
pub fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>.a > .b {{ color: red }}</style>\n<script>if (1 < 2) {{ document.title = \"<li>\"; }}</script>\n\
         </head>\n<body>\n{body}\n</body>\n</html>\n"
    )
}

/// A text as JSON writes it (RFC 8259 §7).
pub fn json_string(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            '\u{0}'..='\u{1F}' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => json.push(c),
        }
    }
    json.push('"');
    json
}

/// Items with commas between them.
fn list(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(",")
}
