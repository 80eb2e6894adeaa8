//! Pages of Yahoo Search.

use super::{Entry, document, escape, percent};

/// A page of results; with `more`, its link to the next.
pub fn page(entries: &[Entry], more: bool) -> String {
    whole(&entries.iter().map(result).collect::<String>(), more)
}

/// A page of results as other countries have it: the name of the site is within the link.
pub fn labelled(entries: &[Entry]) -> String {
    whole(
        &entries.iter().map(labelled_result).collect::<String>(),
        false,
    )
}

/// A page of results with an advertisement of each kind among them.
pub fn ads(entries: &[Entry]) -> String {
    let ad = |href: &str| {
        format!(
            "<li><div class=\"dd algo algo-sr\"><div class=\"compTitle\"><a href=\"{href}\">\
             <h3 class=\"title\"><span>Buy now</span></h3></a></div></div></li>"
        )
    };
    let target = "https://www.bing.com/aclick?ld=1";
    let (plain, wrapped, own) = (
        ad(target),
        ad(&redirect(target)),
        ad("https://r.search.yahoo.com/cbclk/x"),
    );
    let results: String = entries.iter().map(result).collect();
    whole(&format!("{plain}{wrapped}{own}{results}"), false)
}

/// A page that says that there is nothing.
pub fn empty() -> String {
    let results = "<li class=\"first last\"><div class=\"dd zrp\"><div class=\"compText\">\
                   <p>We did not find results for: <b>example</b>.</p></div></div></li>";
    whole(results, false)
}

/// The page for consent that comes instead of results, after a redirect or with status 200.
pub fn challenge() -> String {
    document(
        "Yahoo is part of a family of brands",
        "<form method=\"post\" class=\"consent-form\" action=\"/v2/collectConsent?sessionId=1\">\
         <button type=\"submit\" name=\"agree\" value=\"agree\">Accept all</button></form>",
    )
}

fn redirect(url: &str) -> String {
    let url = percent(url);
    format!("https://r.search.yahoo.com/_ylt=Aw;_ylu=Y2/RV=2/RE=17/RO=10/RU={url}/RK=2/RS=Ab-")
}

fn result(entry: &Entry) -> String {
    let href = redirect(&entry.url);
    let (title, body) = (escape(&entry.title), escape(&entry.body));
    format!(
        "<li><div class=\"dd fst algo algo-sr relsrch Sr\"><div class=\"compTitle options-toggle\">\
         <a class=\"d-ib va-mid\" target=\"_blank\" href=\"{href}\"><div class=\"d-ib p-abs\"><span>Example</span></div>\
         <h3 style=\"display:block\" class=\"title\"><span class=\"d-b\">{title}</span></h3></a></div>\
         <div class=\"compText aAbs\"><p class=\"fc-dustygray\"><span>{body}</span></p></div></div></li>\n"
    )
}

fn labelled_result(entry: &Entry) -> String {
    let href = redirect(&entry.url);
    let (title, body) = (escape(&entry.title), escape(&entry.body));
    format!(
        "<li><div class=\"dd algo algo-sr\"><div class=\"compTitle\"><h3 class=\"title\">\
         <a class=\"d-ib\" href=\"{href}\" aria-label=\"{title}\"><span class=\"d-ib\">example.org</span>{title}</a></h3></div>\
         <div class=\"compText aAbs\"><p>{body}</p></div></div></li>\n"
    )
}

fn whole(results: &str, more: bool) -> String {
    let next = if more {
        "<div class=\"compPagination\"><strong>1</strong>\
         <a href=\"https://search.yahoo.com/search?p=example&amp;b=8&amp;pz=7\">2</a>\
         <a class=\"next\" href=\"https://search.yahoo.com/search?p=example&amp;b=8&amp;pz=7\">Next</a></div>"
    } else {
        ""
    };
    let body = format!(
        "<div id=\"results\"><div id=\"main\"><div id=\"web\"><ol class=\"reg searchCenterMiddle\">\n\
         {results}</ol></div>{next}</div></div>"
    );
    document("example - Yahoo Search Results", &body)
}
