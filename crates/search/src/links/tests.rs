use proptest::prelude::*;

use super::*;

fn tidied(text: &str) -> Option<String> {
    tidy(text).map(String::from)
}

fn same(left: &str, right: &str) -> bool {
    key(&tidy(left).unwrap()) == key(&tidy(right).unwrap())
}

#[test]
fn only_web_addresses_are_tidy() {
    for text in [
        "",
        "example.org",
        "/relative",
        "//example.org/",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ftp://example.org/",
        "https://",
        "https:///",
        "http://user@example.org/",
        "https://user:password@example.org/",
        "https://exa mple.org/",
        "https://example.org:99999/",
    ] {
        assert_eq!(tidied(text), None, "{text}");
    }
    let long = format!("https://example.org/{}", "a".repeat(MOST));
    assert_eq!(tidied(&long), None);
    assert_eq!(tidied(&long[..MOST]).unwrap().len(), MOST);
    assert_eq!(
        tidied(" HTTPS://Example.ORG ").unwrap(),
        "https://example.org/"
    );
    assert_eq!(
        tidied("http://bücher.example/日本").unwrap(),
        "http://xn--bcher-kva.example/%E6%97%A5%E6%9C%AC"
    );
}

#[test]
fn what_follows_people_goes_and_nothing_else() {
    let cases = [
        ("?utm_source=x", ""),
        ("?UTM_Source=x&fbclid", ""),
        ("?a=1&utm_medium=x&b=2", "?a=1&b=2"),
        (
            "?gclid=1&a=%2f+%20&&b=c=d&msclkid=2&srsltid=3",
            "?a=%2f+%20&&b=c=d",
        ),
        (
            "?utm=1&my_utm_source=2&gclid2=3",
            "?utm=1&my_utm_source=2&gclid2=3",
        ),
        ("?q=utm_source=x", "?q=utm_source=x"),
        ("?", ""),
        ("#top", "#top"),
        ("?ref_src=x#!/route", "#!/route"),
        ("#:~:text=some%20words", ""),
        ("#top:~:text=some", "#top"),
    ];
    for (rest, kept) in cases {
        assert_eq!(
            tidied(&format!("https://example.org/a%2Fb{rest}")).unwrap(),
            format!("https://example.org/a%2Fb{kept}"),
        );
    }
}

#[test]
fn redirects_of_search_engines_are_left_behind() {
    let page = "https://example.org/a?b=c&d=%2F+e";
    let escaped = "https%3A%2F%2Fexample.org%2Fa%3Fb%3Dc%26d%3D%252F%2Be";
    for wrapped in [
        format!("https://www.google.com/url?sa=t&q={escaped}&ved=x"),
        format!("https://google.co.uk/url?url={escaped}"),
        format!("https://duckduckgo.com/l/?uddg={escaped}&rut=abc"),
        format!("https://r.search.yahoo.com/_ylt=A/RV=2/RE=1/RO=10/RU={escaped}/RK=2/RS=x-"),
        "https://www.bing.com/ck/a?!&&p=1&u=a1aHR0cHM6Ly9leGFtcGxlLm9yZy9hP2I9YyZkPSUyRitl&ntb=1"
            .into(),
    ] {
        assert_eq!(tidied(&wrapped).as_deref(), Some(page), "{wrapped}");
    }
    assert_eq!(
        tidied("https://duckduckgo.com/l/?uddg=http%3A%2F%2Fexample.org%2F%3Futm_id%3D1").unwrap(),
        "http://example.org/"
    );
}

#[test]
fn other_addresses_are_not_redirects() {
    for text in [
        "https://evil-google.com/url?q=https://example.org/",
        "https://google.com.example.net/url?q=https://example.org/",
        "https://google.example/url?q=https://example.org/",
        "https://notbing.com/ck/a?u=a1aHR0cHM6Ly9leGFtcGxlLm9yZy8",
        "https://www.google.com/search?q=https://example.org/",
        "https://duckduckgo.com/about?uddg=https://example.org/",
        "https://example.org/RU=https%3A%2F%2Fexample.net/RK=2",
        "https://www.google.com/url?q=javascript:alert(1)",
        "https://www.google.com/url?q=words",
        "https://www.bing.com/ck/a?u=a1!!!!",
        "https://r.search.yahoo.com/RU=%ff%fe/RK=2",
    ] {
        assert_eq!(tidied(text).as_deref(), Some(text));
    }
}

#[test]
fn redirects_in_redirects_have_an_end() {
    let mut url = "https://example.org/".to_owned();
    for level in 1..=LEVELS + 1 {
        let escaped: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
        url = format!("https://duckduckgo.com/l/?uddg={escaped}");
        let found = (level <= LEVELS).then_some("https://example.org/");
        assert_eq!(tidied(&url).as_deref(), found);
    }
}

#[test]
fn one_page_has_one_key() {
    let url = "https://example.org/a/B%2fc?x=%e2&Y=1";
    for other in [
        "http://example.org/a/B%2fc?x=%e2&Y=1",
        "http://example.org:80/a/B%2fc?x=%e2&Y=1",
        "https://EXAMPLE.org:443/a/B%2Fc/?x=%E2&Y=1#top",
        "https://example.org/a/B%2fc?x=%e2&utm_source=y&Y=1",
    ] {
        assert!(same(url, other), "{other}");
    }
    for other in [
        "https://www.example.org/a/B%2fc?x=%e2&Y=1",
        "https://example.org:8443/a/B%2fc?x=%e2&Y=1",
        "https://example.org/a/b%2fc?x=%e2&Y=1",
        "https://example.org/a/B/c?x=%e2&Y=1",
        "https://example.org/a/B%2fc?Y=1&x=%e2",
        "https://example.org/a/B%2fc",
    ] {
        assert!(!same(url, other), "{other}");
    }
    assert!(same("https://example.org", "http://example.org/?#x"));
    assert_eq!(key(&tidy(url).unwrap()), "example.org/a/B%2Fc?x=%E2&Y=1");
    assert_eq!(
        key(&tidy("http://example.org/%zz%a").unwrap()),
        "example.org/%zz%a"
    );
}

fn address() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        Just("example.org"),
        Just("www.google.com"),
        Just("bing.com"),
        Just("duckduckgo.com"),
        Just("r.search.yahoo.com"),
        Just("[::1]:8080"),
        Just("xn--bcher-kva.example"),
    ];
    let path = prop_oneof![
        Just("/url".to_owned()),
        Just("/l/".to_owned()),
        Just("/ck/a".to_owned()),
        "(/[a-zA-Z0-9%.=~:é ]{0,6}){0,4}",
        "/RU=(https?%3A%2F%2F)?[a-z.%0-9]{1,12}/RK=2",
    ];
    let name = prop_oneof![
        Just("q"),
        Just("url"),
        Just("u"),
        Just("uddg"),
        Just("utm_id"),
        Just("gclid"),
        Just("a"),
        Just(""),
    ];
    let value = prop_oneof![
        "[ -~é]{0,12}",
        Just("https%3A%2F%2Fexample.net%2F".to_owned()),
        Just("a1aHR0cHM6Ly9leGFtcGxlLm9yZy8".to_owned()),
        Just("https://duckduckgo.com/l/?uddg=http%3A%2F%2Fexample.org".to_owned()),
    ];
    let query = proptest::collection::vec((name, value), 0..4).prop_map(|pairs| {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("&")
    });
    ("https?", host, path, query, "(#[ -~]{0,8})?|#:~:text=x").prop_map(
        |(scheme, host, path, query, rest)| format!("{scheme}://{host}{path}?{query}{rest}"),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn tidy_is_done_once(text in prop_oneof![address(), any::<String>(), "https?://\\PC*"]) {
        let Some(url) = tidy(&text) else { return Ok(()) };
        prop_assert!(url.as_str().len() <= MOST && url.as_str().is_ascii());
        prop_assert!(matches!(url.scheme(), "http" | "https"));
        let again = tidy(url.as_str());
        prop_assert_eq!(again.as_ref(), Some(&url));
        let mut other = url.clone();
        other.set_fragment(Some("x"));
        if other.port().is_none() {
            other.set_scheme(if url.scheme() == "http" { "https" } else { "http" }).unwrap();
        }
        prop_assert_eq!(key(&other), key(&url));
    }
}
