use super::*;
use crate::engine::MOST_HITS;
use crate::engine::testing::{self, entries, garbage, headers, query, response, spoilt, status};
use crate::region::REGIONS;
use crate::testing::engines::brave_api::{empty, error, page};

fn parse(body: impl Into<Vec<u8>>) -> Result<Hits, Blocked> {
    testing::parse(&KIND, body)
}

fn address(text: &str, region: &str, page: u32) -> String {
    testing::requested(&KIND, text, region, page)
}

#[test]
fn a_request_has_the_key_in_a_header() {
    let request = testing::engine(&KIND).request(&query("rust language", "uk-en"), 1);
    assert_eq!(
        testing::address(&request),
        "https://api.search.brave.com/res/v1/web/search?q=rust+language&count=20&offset=0&country=GB\
         &search_lang=en&safesearch=moderate&result_filter=web"
    );
    let expected = [
        ("accept", &b"application/json"[..]),
        ("x-subscription-token", b"key"),
    ];
    assert_eq!(headers(&request), expected);
    assert!(request.headers["x-subscription-token"].is_sensitive());
    assert_eq!(
        address(testing::HOSTILE, "br-pt", 3),
        format!(
            "https://api.search.brave.com/res/v1/web/search?q={}&count=20&offset=2&country=BR\
             &search_lang=pt-br&safesearch=moderate&result_filter=web",
            testing::HOSTILE_ESCAPED
        )
    );
    assert!(address("x", "uk-en", 99).contains("&offset=9&"));
    let long = address(&"word ".repeat(100), "uk-en", 1);
    assert!(long.contains(&format!("?q={}&", ["word"; 50].join("+"))));
}

#[test]
fn regions_have_the_codes_of_the_api() {
    for (region, codes) in [
        ("wt-wt", "country=ALL&search_lang=en&"),
        ("xa-ar", "country=ALL&search_lang=ar&"),
        ("jp-jp", "country=JP&search_lang=jp&"),
        ("no-no", "country=NO&search_lang=nb&"),
        ("cn-zh", "country=CN&search_lang=zh-hans&"),
        ("hk-tzh", "country=HK&search_lang=zh-hant&"),
        ("tw-tzh", "country=TW&search_lang=zh-hant&"),
        ("pt-pt", "country=PT&search_lang=pt-pt&"),
        ("cz-cs", "country=ALL&search_lang=cs&"),
        ("gr-el", "country=ALL&safesearch="),
        ("id-id", "country=ID&safesearch="),
    ] {
        let url = address("x", region, 1);
        assert!(url.contains(codes), "{url}");
    }
    let languages = [
        "ar", "bg", "ca", "cs", "da", "de", "en", "es", "et", "fi", "fr", "he", "hr", "hu", "it",
        "jp", "ko", "lt", "lv", "ms", "nb", "nl", "pl", "pt-br", "pt-pt", "ro", "ru", "sk", "sl",
        "sv", "th", "tr", "uk", "vi", "zh-hans", "zh-hant",
    ];
    for region in REGIONS {
        assert!(
            language(region).is_none_or(|code| languages.contains(&code)),
            "{region}"
        );
    }
}

#[test]
fn without_a_key_it_is_not_set_up() {
    let at = |key| {
        make(&Setup {
            url: "https://example.org/",
            key,
        })
        .err()
    };
    assert_eq!(at(None), Some(InvalidConfig::NotSetUp { name: NAME }));
    assert_eq!(
        at(Some("a\nb")),
        Some(InvalidConfig::NotSetUp { name: NAME })
    );
    assert_eq!(at(Some("key")), None);
    let url = "mailto:x@example.org";
    let key = Some("key");
    assert_eq!(make(&Setup { url, key }).err(), Some(InvalidConfig::Url));
    assert_eq!(testing::engine(&KIND).hosts(), ["api.search.brave.com"]);
}

#[test]
fn results_become_text() {
    let entries = entries(20);
    for more in [true, false] {
        let found = parse(page(&entries, more)).unwrap();
        assert_eq!(found.hits, testing::hits(&entries));
        assert_eq!(found.more, more);
    }
    assert_eq!(parse(empty()), Ok(Hits::default()));
    assert_eq!(
        parse(page(&testing::entries(60), true)).unwrap().hits.len(),
        MOST_HITS
    );
    let renamed = page(&entries, true).replace("\"title\"", "\"name\"");
    assert_eq!(parse(renamed), Err(Blocked::Unrecognised));
}

#[test]
fn refusals_are_told_apart() {
    assert_eq!(status(&KIND, 401), Err(NOT_ACCEPTED));
    assert_eq!(status(&KIND, 403), Err(NOT_ACCEPTED));
    assert!(matches!(status(&KIND, 402), Err(Blocked::Refused { .. })));
    assert_eq!(status(&KIND, 404), Err(Blocked::Unrecognised));
    assert_eq!(status(&KIND, 500), Err(Blocked::Failed { status: 500 }));
    let with = |code| testing::engine(&KIND).parse(&response(422, &[], error(422, code)));
    assert_eq!(with("SUBSCRIPTION_TOKEN_INVALID"), Err(NOT_ACCEPTED));
    assert_eq!(with("VALIDATION"), Err(Blocked::Unrecognised));
    assert_eq!(status(&KIND, 422), Err(Blocked::Unrecognised));
}

#[test]
fn it_says_how_long_to_wait() {
    let wait = |headers: &[(&'static str, &str)]| {
        let body = error(429, "RATE_LIMITED");
        let Err(Blocked::TooOften { retry_after }) =
            testing::engine(&KIND).parse(&response(429, headers, body))
        else {
            panic!("not too often");
        };
        retry_after.map(|time| time.as_secs())
    };
    let remaining = |text| ("x-ratelimit-remaining", text);
    let reset = |text| ("x-ratelimit-reset", text);
    assert_eq!(wait(&[]), None);
    assert_eq!(wait(&[("retry-after", "7"), reset("1, 9")]), Some(7));
    assert_eq!(wait(&[remaining("0, 1000"), reset("1, 1419704")]), Some(1));
    assert_eq!(
        wait(&[remaining("1, 0"), reset("1, 1419704")]),
        Some(1_419_704)
    );
    assert_eq!(wait(&[reset("1, 1419704")]), Some(1));
    assert_eq!(wait(&[remaining("0"), reset("soon")]), None);
}

#[test]
fn anything_else_is_no_page() {
    for body in garbage()
        .into_iter()
        .chain(spoilt(&page(&entries(1), true)))
    {
        let text = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(parse(body), Err(Blocked::Unrecognised), "{text:.200}");
    }
    testing::survives(&KIND);
}

#[test]
fn a_malformed_hit_costs_itself_alone() {
    testing::malformed_hits_cost_themselves_alone(&KIND, page, "\"title\":", "\"url\":");
}
