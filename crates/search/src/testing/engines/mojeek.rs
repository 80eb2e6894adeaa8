//! Pages of Mojeek.

use super::{Entry, document, escape};

/// The first page of results; with `more`, its link to the second.
pub fn page(entries: &[Entry], more: bool) -> String {
    let results: String = entries.iter().map(result).collect();
    let next = if more {
        "<div class=\"pagination\"><ul><li><span>1</span></li><li><a href=\"/search?q=example&amp;s=11\">2</a></li>\
         <li><a href=\"/search?q=example&amp;s=11\">Next</a></li></ul></div>"
    } else {
        ""
    };
    let list = format!("<ul class=\"results-standard\">\n{results}</ul>\n{next}");
    whole(&list)
}

/// A page that says that there is nothing.
pub fn empty() -> String {
    whole("<p>No pages found matching: <strong>example</strong></p>")
}

/// The puzzle for programs that comes with status 200.
pub fn challenge() -> String {
    document(
        "Captcha",
        "<h1>Verification required</h1><form action=\"/captcha/verify\" method=\"post\">\
         <altcha-widget challengeurl=\"/captcha/challenge\"></altcha-widget></form>",
    )
}

fn result(entry: &Entry) -> String {
    let Entry { title, url, body } = entry;
    let (title, url, body) = (escape(title), escape(url), escape(body));
    format!(
        "<li class=\"r1\"><a class=\"ob\" href=\"{url}\"><p class=\"i\"><span class=\"url\">{url}</span></p></a>\
         <h2><a class=\"title\" title=\"{url}\" href=\"{url}\">{title}</a></h2><p class=\"s\">{body}</p>\
         <p class=\"more\"><a href=\"/search?q=site%3Aexample.org\">See more results</a></p></li>\n"
    )
}

fn whole(results: &str) -> String {
    let body = format!(
        "<div class=\"header\"><form action=\"/search\"><input name=\"q\" value=\"example\"></form></div>\n\
         <div class=\"results\"><div class=\"top-info\"><p class=\"top-info\">about an example</p></div>\n{results}</div>"
    );
    document("example - Mojeek Search", &body)
}
