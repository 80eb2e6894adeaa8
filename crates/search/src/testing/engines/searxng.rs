//! Answers of a SearXNG server in JSON.

use super::{Entry, json_string, list};

/// Results. Whether there are more is not said: there may be, after any.
pub fn page(entries: &[Entry], _more: bool) -> String {
    answer(entries, "")
}

/// Nothing was found.
pub fn empty() -> String {
    answer(&[], "")
}

/// Nothing was found, and an engine did not answer.
pub fn silent() -> String {
    answer(&[], r#"["some engine","timeout"]"#)
}

/// What stands in for JSON where that is not allowed.
pub fn error_html() -> String {
    "<!doctype html>\n<html lang=en>\n<title>403 Forbidden</title>\n<h1>Forbidden</h1>\n".to_owned()
}

fn answer(entries: &[Entry], silent: &str) -> String {
    let results = list(entries.iter().map(|entry| {
        format!(
            r#"{{"url":{},"title":{},"content":{},"publishedDate":null,"engine":"some","template":"default.html","parsed_url":["https","example.org","/","","",""],"engines":["some"],"positions":[1],"score":1.0,"category":"general"}}"#,
            json_string(&entry.url),
            json_string(&entry.title),
            json_string(&entry.body),
        )
    }));
    format!(
        r#"{{"query":"words","number_of_results":0,"results":[{results}],"answers":[],"corrections":[],"infoboxes":[],"suggestions":[],"unresponsive_engines":[{silent}]}}"#
    )
}
