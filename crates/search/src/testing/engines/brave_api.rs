//! Answers of the Brave Search API.

use super::{Entry, json_string, list};

/// Results. Titles and descriptions are HTML; the first word of a description is marked.
pub fn page(entries: &[Entry], more: bool) -> String {
    let results = list(entries.iter().map(|entry| {
        let body = match entry.body.split_once(' ') {
            Some((first, rest)) => format!("<strong>{}</strong> {}", html(first), html(rest)),
            None => html(&entry.body),
        };
        format!(
            r#"{{"title":{},"url":{},"is_source_local":false,"description":{},"language":"en","family_friendly":true,"type":"search_result","subtype":"generic","meta_url":{{"scheme":"https","netloc":"example.org"}}}}"#,
            json_string(&html(&entry.title)),
            json_string(&entry.url),
            json_string(&body),
        )
    }));
    format!(
        r#"{{"type":"search","query":{{"original":"words","show_strict_warning":false,"more_results_available":{more}}},"mixed":{{"type":"mixed","main":[]}},"web":{{"type":"search","results":[{results}],"family_friendly":true}}}}"#
    )
}

/// Nothing was found: there is no section for the web.
pub fn empty() -> String {
    r#"{"type":"search","query":{"original":"words","more_results_available":false},"mixed":{"type":"mixed"}}"#.to_owned()
}

/// An error, which comes with its status.
pub fn error(status: u16, code: &str) -> String {
    format!(
        r#"{{"type":"ErrorResponse","error":{{"id":"1","status":{status},"code":{},"detail":"A sentence.","meta":{{}}}},"time":1}}"#,
        json_string(code)
    )
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#x27;")
}
