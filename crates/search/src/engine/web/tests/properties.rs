//! What holds whatever is on a page.

use http::HeaderMap;
use proptest::prelude::*;
use url::Url;

use super::{ALL, Pages, answered, entries, hits, parsed};
use crate::testing::engines::Entry;

/// What an engine shows of the web: any visible text, any address.
fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
    let word = "\\PC{0,12}";
    let url = (
        "[a-z]{1,8}",
        prop::collection::vec(word, 0..4),
        prop::option::of((word, word)),
    );
    let url = url.prop_map(|(host, path, query)| {
        let mut url = Url::parse("https://example.org/").unwrap();
        url.set_host(Some(&format!("{host}.example.com"))).unwrap();
        url.path_segments_mut().unwrap().extend(path);
        if let Some((name, value)) = query {
            url.query_pairs_mut().append_pair(&name, &value);
        }
        String::from(url)
    });
    let title = "\\PC{0,60}".prop_filter("a title", |title| !title.trim().is_empty());
    let entry = (title, url, "\\PC{0,200}");
    let entry = entry.prop_map(|(title, url, body)| Entry { title, url, body });
    prop::collection::vec(entry, 1..12)
}

proptest! {
    // Each is one for every engine, and a page takes long to make and to read.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_on_a_page_comes_back(entries in any_entries(), more: bool) {
        for Pages { kind, page, .. } in ALL {
            let found = parsed(&kind, page(&entries, more)).unwrap();
            prop_assert_eq!(found.hits, hits(&entries), "{}", kind.name);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, status in 100_u16..1000) {
        for Pages { kind, .. } in ALL {
            let _ = answered(&kind, status, HeaderMap::new(), bytes.clone());
        }
    }

    #[test]
    fn no_part_of_a_page_makes_it_panic(
        cut in any::<prop::sample::Index>(),
        junk in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        for Pages { kind, page, .. } in ALL {
            let mut bytes = page(&entries(), true).into_bytes();
            let at = cut.index(bytes.len());
            let _ = parsed(&kind, &bytes[..at]);
            bytes.splice(at..at, junk.iter().copied());
            let _ = parsed(&kind, bytes);
        }
    }

    #[test]
    fn no_tags_make_it_panic(
        tags in prop::collection::vec(prop::sample::select(TAGS), 0..200),
    ) {
        for Pages { kind, .. } in ALL {
            let _ = parsed(&kind, tags.concat());
        }
    }
}

/// Tags whose rules are the strangest.
const TAGS: &[&str] = &[
    "<a href=/l/?uddg=x class=result__a>",
    "</a>",
    "<b class=1>",
    "<b class=2>",
    "</b>",
    "<p>",
    "</p>",
    "<table>",
    "<tr>",
    "<td>",
    "</table>",
    "<caption>",
    "<col>",
    "<template>",
    "</template>",
    "<select>",
    "<option>",
    "</select>",
    "<svg>",
    "<math>",
    "<mi>",
    "<annotation-xml encoding=text/html>",
    "</svg>",
    "<desc>",
    "<frameset>",
    "<frame>",
    "<html class=x>",
    "<body class=y>",
    "<head>",
    "</body>",
    "</html>",
    "<form>",
    "</form>",
    "<nobr>",
    "<button>",
    "<li class=x>",
    "<h2>",
    "</h2>",
    "<textarea>",
    "</textarea>",
    "<script>",
    "</script>",
    "<style>",
    "</style>",
    "<plaintext>",
    "<noscript>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?php ?>",
    "<!doctype html>",
    "text",
    " ",
    "\0",
    "&amp;",
    "&notin",
    "<div class=result>",
    "</div>",
    "<ul class=results>",
    "<applet>",
    "<marquee>",
    "</marquee>",
    "<input type=hidden>",
    "<iframe>",
    "<xmp>",
];
