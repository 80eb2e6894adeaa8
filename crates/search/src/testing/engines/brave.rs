//! Pages of Brave Search.

use super::{Entry, document, escape};

/// The first page of results; with `more`, its link to the second.
pub fn page(entries: &[Entry], more: bool) -> String {
    let results: String = entries.iter().map(result).collect();
    whole(&results, more)
}

/// A page of results with an advertisement and a link to another search of its own among them.
pub fn ads(entries: &[Entry]) -> String {
    let results: String = entries.iter().map(result).collect();
    let paid = "<div class=\"snippet svelte-1a\" data-type=\"ad\"><a href=\"https://ads.example.net/\" class=\"l1\">\
                <div class=\"title search-snippet-title\">Buy now</div></a></div>";
    let own = "<div class=\"snippet svelte-1a\" data-type=\"web\"><a href=\"/a/redirect?click_url=x\" class=\"l1\">\
               <div class=\"title search-snippet-title\">Buy more</div></a></div>";
    whole(&format!("{paid}{own}{results}"), false)
}

/// A page that says that there is nothing.
pub fn empty() -> String {
    whole(
        "<div class=\"svelte-1b\"><p>Not many great matches came back for your search</p></div>",
        false,
    )
}

/// The proof of work for programs; comes with status 200 or 429.
pub fn challenge() -> String {
    document(
        "Brave Search",
        "<main><div id=\"pow-captcha-content\"><h1>Are you a human?</h1>\
         <a href=\"https://search.brave.com/help/pow-captcha\">What is this?</a></div></main>",
    )
}

fn result(entry: &Entry) -> String {
    let Entry { title, url, body } = entry;
    let (title, url, body) = (escape(title), escape(url), escape(body));
    format!(
        "<div class=\"snippet svelte-1a\" data-pos=\"1\" data-type=\"web\"><div class=\"result-wrapper\">\
         <div class=\"result-content\"><a href=\"{url}\" target=\"_self\" class=\"svelte-1c l1\">\
         <div class=\"site-name-wrapper\"><img src=\"data:image/png;base64,AAAA\" alt=\"\">\
         <div class=\"site-name-content\"><div>Example</div><cite>example.org</cite></div></div>\
         <div class=\"title search-snippet-title line-clamp-1\" title=\"{title}\">{title}</div></a>\
         <div class=\"generic-snippet\"><div class=\"content desktop-default-regular t-primary\">{body}</div></div>\
         </div></div></div>\n"
    )
}

fn whole(results: &str, more: bool) -> String {
    let next = if more {
        "<div id=\"pagination\"><a href=\"/search?q=example&amp;source=web&amp;offset=1\">Next</a></div>"
    } else {
        ""
    };
    let body = format!(
        "<header><form action=\"/search\"><textarea name=\"q\">example</textarea></form></header>\n\
         <main class=\"main-column\"><div id=\"results\">\n{results}{next}</div></main>"
    );
    document("example - Brave Search", &body)
}
