//! Pages of html.duckduckgo.com.

use super::{Entry, document, escape, percent};

/// A page of results; with `more`, its form for the next page.
pub fn page(entries: &[Entry], more: bool) -> String {
    let results: String = entries.iter().map(result).collect();
    whole(&results, more)
}

/// A page of results with an advertisement of each kind among them.
pub fn ads(entries: &[Entry]) -> String {
    let target =
        "https://duckduckgo.com/y.js?ad_domain=ads.example.net&u3=https%3A%2F%2Fads.example.net%2F";
    let marked = link(
        "result result--ad result--ad--small",
        &escape(target),
        "Buy now",
        "Cheap",
    );
    let wrapped = format!("//duckduckgo.com/l/?uddg={}", percent(target));
    let hidden = link("result web-result", &wrapped, "Buy more", "Cheaper");
    let results: String = entries.iter().map(result).collect();
    whole(&format!("{marked}{hidden}{results}"), false)
}

/// A page that says that there is nothing.
pub fn empty() -> String {
    let results = "<div class=\"result results_links results_links_deep result--no-result\">\
                   <div class=\"links_main links_deep result__body\"><div class=\"no-results\">No results.</div></div></div>";
    whole(results, false)
}

/// The puzzle for programs; comes with status 202, at times 200.
pub fn challenge() -> String {
    document(
        "DuckDuckGo",
        "<div class=\"header\"><form id=\"search_form\"><input name=\"q\" value=\"example\"></form></div>\
         <form id=\"challenge-form\" action=\"//duckduckgo.com/anomaly.js?sv=html&amp;cc=botnet\" method=\"POST\">\
         <div class=\"anomaly-modal__mask\"><div class=\"anomaly-modal__modal\">\
         <div class=\"anomaly-modal__title\">A puzzle first</div>\
         <div class=\"anomaly-modal__description\">Choose all squares with a duck.</div></div></div></form>",
    )
}

fn result(entry: &Entry) -> String {
    let href = format!(
        "//duckduckgo.com/l/?uddg={}&amp;rut=0a1b2c",
        percent(&entry.url)
    );
    let class = "result results_links results_links_deep web-result";
    link(class, &href, &escape(&entry.title), &escape(&entry.body))
}

fn link(class: &str, href: &str, title: &str, body: &str) -> String {
    format!(
        "<div class=\"{class} \"><div class=\"links_main links_deep result__body\">\n\
         <h2 class=\"result__title\">\n <a rel=\"nofollow\" class=\"result__a\" href=\"{href}\">{title}</a>\n</h2>\n\
         <div class=\"result__extras\"><a class=\"result__url\" href=\"{href}\"> example.org </a></div>\n\
         <a class=\"result__snippet\" href=\"{href}\">{body}</a>\n<div class=\"clear\"></div></div></div>\n"
    )
}

fn whole(results: &str, more: bool) -> String {
    let next = if more {
        "<div class=\"nav-link\"><form action=\"/html/\" method=\"post\"><input type=\"submit\" value=\"Next\">\
         <input type=\"hidden\" name=\"s\" value=\"10\"><input type=\"hidden\" name=\"vqd\" value=\"4-1\"></form></div>"
    } else {
        ""
    };
    let body = format!(
        "<div class=\"header\"><form id=\"search_form_homepage\" action=\"/html/\" method=\"post\">\
         <input name=\"q\" value=\"example\"></form></div>\n\
         <div class=\"serp__results\"><div id=\"links\" class=\"results\">\n{results}{next}</div></div>"
    );
    document("example at DuckDuckGo", &body)
}
