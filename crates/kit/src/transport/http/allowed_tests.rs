use proptest::prelude::*;

use super::*;

fn hosts(entry: &str) -> Hosts {
    Hosts::parse(entry).unwrap_or_else(|bad| panic!("{bad}"))
}

fn origins(entry: &str) -> Origins {
    Origins::parse(entry).unwrap_or_else(|bad| panic!("{bad}"))
}

#[test]
fn an_entry_of_hosts_admits_what_it_says_and_nothing_that_looks_like_it() {
    for (entry, admitted, others) in [
        (
            "example.com",
            &[
                "example.com",
                "EXAMPLE.com",
                "example.com:80",
                "example.com:8443",
            ][..],
            &[
                "evilexample.com",
                "example.com.evil",
                "a.example.com",
                "example.com.",
                "example-com",
            ][..],
        ),
        (
            "Example.COM:*",
            &["example.com", "example.com:1"],
            &["a.example.com:1"],
        ),
        (
            "example.com:8443",
            &["example.com:8443"],
            &["example.com", "example.com:443", "example.com:8444"],
        ),
        (
            "example.com:443",
            &["example.com:443", "example.com"],
            &["example.com:80"],
        ),
        (
            "example.com:80",
            &["example.com:80", "example.com"],
            &["example.com:443"],
        ),
        (
            "*.example.com",
            &["a.example.com", "A.b.Example.com:9"],
            &[
                "example.com",
                ".example.com",
                "..example.com",
                "evilexample.com",
                "a.example.com.evil",
                "a.example.com.",
            ],
        ),
        ("*.example.com:*", &["a.example.com:9"], &["example.com:9"]),
        (
            "*.example.com:8443",
            &["a.example.com:8443"],
            &["a.example.com", "a.example.com:1"],
        ),
        (
            "192.0.2.1",
            &["192.0.2.1", "192.0.2.1:80"],
            &["192.0.2.10", "1.192.0.2.1"],
        ),
        (
            "[2001:DB8::1]:8000",
            &["[2001:db8::1]:8000", "[2001:db8:0:0:0:0:0:1]:8000"],
            &["[2001:db8::1]", "[2001:db8::2]:8000"],
        ),
        (
            "[::1]",
            &["[::1]", "[0:0:0:0:0:0:0:1]:9"],
            &["[::2]", "[::ffff:127.0.0.1]"],
        ),
        (
            "loopback",
            &["localhost:1", "127.0.0.1", "[::1]"],
            &["loopback"],
        ),
        (
            "my_host, b.example",
            &["my_host", "b.example"],
            &["a.example"],
        ),
    ] {
        let list = hosts(entry);
        for host in admitted {
            assert_eq!(list.allow(host), Some(true), "{entry}: {host}");
        }
        for host in others {
            assert_eq!(list.allow(host), Some(false), "{entry}: {host}");
        }
    }
    for host in [
        "",
        ":80",
        "a:",
        "a:x",
        "a:+1",
        "a:99999",
        "a@b",
        "a/b",
        "a b",
        "a:1:2",
        "::1",
        "[::1",
        "[::1]x",
        "[x]",
        "[fe80::1%25eth0]",
        "b\u{fc}cher.example",
        "*.example.com",
    ] {
        assert_eq!(hosts("*.example.com, [::1]").allow(host), None, "{host}");
    }
}

#[test]
fn an_entry_of_origins_admits_what_it_says_and_nothing_that_looks_like_it() {
    for (entry, admitted, others) in [
        (
            "https://App.example",
            &[
                "https://app.example",
                "https://APP.example",
                "https://app.example:443",
            ][..],
            &[
                "http://app.example",
                "https://app.example:444",
                "https://app.example@evil",
                "https://evil@app.example",
                "https://app.example.evil",
                "https://evilapp.example",
                "https://app.example/",
                "https://a.app.example",
                "app.example",
                "null",
                "",
            ][..],
        ),
        (
            "https://app.example:443",
            &["https://app.example"],
            &["https://app.example:80"],
        ),
        (
            "http://app.example:80",
            &["http://app.example"],
            &["https://app.example:80"],
        ),
        (
            "http://app.example:8080",
            &["http://app.example:8080"],
            &["http://app.example"],
        ),
        (
            "http://localhost:*",
            &["http://localhost", "http://localhost:5173"],
            &[
                "https://localhost:5173",
                "http://localhost.evil:1",
                "http://evillocalhost:1",
            ],
        ),
        (
            "https://*.example.com",
            &["https://a.example.com", "https://a.b.example.com:443"],
            &[
                "https://example.com",
                "https://evilexample.com",
                "https://a.example.com:8443",
                "https://a.example.com.evil",
                "http://a.example.com",
            ],
        ),
        (
            "https://*.example.com:*",
            &["https://a.example.com:8443"],
            &["https://example.com:8443"],
        ),
        (
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            &["chrome-extension://abcdefghijklmnopabcdefghijklmnop"],
            &[
                "chrome-extension://abcdefghijklmnopabcdefghijklmnoo",
                "https://abcdefghijklmnopabcdefghijklmnop",
                "xchrome-extension://abcdefghijklmnopabcdefghijklmnop",
            ],
        ),
        (
            "moz-extension://6F1B2C3D-0000-4000-8000-000000000000",
            &["moz-extension://6f1b2c3d-0000-4000-8000-000000000000"],
            &["moz-extension://x"],
        ),
        (
            "vscode-webview://*",
            &["vscode-webview://1hvb7f2c5k", "vscode-webview://123"],
            &[
                "https://vscode-webview",
                "vscode-webview-x://1",
                "vscode-webview://",
            ],
        ),
        (
            "tauri://localhost",
            &["tauri://localhost"],
            &["http://localhost", "tauri://localhost:1"],
        ),
        (
            "tauri://localhost:1420",
            &["tauri://localhost:1420"],
            &["tauri://localhost"],
        ),
        (
            "app://obsidian.md",
            &["app://obsidian.md"],
            &["app://obsidian"],
        ),
        (
            "http://[2001:db8:0::1]:3000",
            &["http://[2001:db8::1]:3000"],
            &["http://[2001:db8::1]"],
        ),
        (
            "loopback",
            &[
                "http://localhost:1",
                "https://127.0.0.1",
                "http://[::1]:3000",
            ],
            &["ftp://localhost", "http://localhost.evil", "null"],
        ),
        (
            "https://a.example, http://b.example",
            &["http://b.example"],
            &["http://a.example"],
        ),
    ] {
        let list = origins(entry);
        for origin in admitted {
            assert!(list.allow(origin), "{entry}: {origin}");
        }
        for origin in others {
            assert!(!list.allow(origin), "{entry}: {origin}");
        }
        assert!(!list.allow_any());
    }
    assert!(origins("*").allow_any() && origins("*").allow("null"));
    assert!(!origins("").allow("http://localhost"));
}

#[test]
fn what_could_never_match_is_refused_with_what_to_write() {
    for (entry, instead) in [
        ("https://app.example/", Some("https://app.example")),
        (
            "https://app.example:8443/mcp?x#y",
            Some("https://app.example:8443"),
        ),
        ("https://me@app.example", Some("https://app.example")),
        ("https://me@app.example/x@y", Some("https://app.example")),
        ("https:///mcp", None),
        ("https://app.example.", Some("https://app.example")),
        ("https://*.app.example.:1", Some("https://*.app.example:1")),
        ("app.example", Some("https://app.example")),
        ("*.example.com", Some("https://*.example.com")),
        ("example.com:*", Some("https://example.com:*")),
        ("localhost:*", Some("http://localhost:*")),
        ("192.0.2.1:8000", Some("http://192.0.2.1:8000")),
        ("*://example.com", Some("https://example.com")),
        ("https://*", Some("*")),
        ("http://*:*", Some("*")),
        ("wss://app.example", Some("https://app.example")),
        ("http://::1", Some("http://[::1]")),
        ("null", None),
        ("file://", None),
        ("ftp://app.example", None),
        ("https://", None),
        ("chrome-extension://", None),
        ("://app.example", None),
        ("ht tp://app.example", None),
        ("https://b\u{fc}cher.example", None),
        ("https://a*.example", None),
        ("https://*.*.example", None),
        ("https://a..example", None),
        ("https://app.example:0", None),
        ("https://app.example:", None),
        ("https://app.example:65536", None),
        ("https://127.1", None),
        ("https://0x7f.1", None),
        ("https://*.192.0.2.1", None),
        ("https://[::1", None),
        ("https://[fe80::1%25eth0]", None),
        ("[\"*\"]", None),
        ("a b", None),
    ] {
        let bad = Origins::parse(&format!("loopback, {entry}")).unwrap_err();
        assert_eq!(
            (&*bad.entry, bad.flaw.instead.as_deref()),
            (entry, instead),
            "{bad}"
        );
    }
    for (entry, instead) in [
        ("https://app.example/mcp", Some("app.example")),
        ("http://localhost:*", Some("localhost:*")),
        ("https://*.example.com", Some("*.example.com")),
        ("app.example/", Some("app.example")),
        ("me@app.example", Some("app.example")),
        ("app.example.", Some("app.example")),
        ("::1", Some("[::1]")),
        ("*", None),
        ("*:*", None),
        ("b\u{fc}cher.example", None),
        ("a b", None),
        ("a.*", None),
        ("0x7f000001", None),
        ("app.example:http", None),
    ] {
        let bad = Hosts::parse(&format!("localhost, {entry}")).unwrap_err();
        assert_eq!(
            (&*bad.entry, bad.flaw.instead.as_deref()),
            (entry, instead),
            "{bad}"
        );
    }
    let sentence = Origins::parse("app.example").unwrap_err().to_string();
    assert_eq!(
        sentence,
        "'app.example' is no origin, which begins with a scheme; write https://app.example"
    );
}

/// What a pattern stands for, with its stars filled in.
fn instance(pattern: &str) -> String {
    let pattern = match pattern.strip_suffix(":*") {
        Some(name) => format!("{name}:7"),
        None => pattern.to_owned(),
    };
    pattern.replacen('*', "x", 1)
}

/// Text that is often a pattern: made of the parts that patterns have.
fn soup() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("*".to_owned()),
        Just("*.".to_owned()),
        Just("://".to_owned()),
        Just(":*".to_owned()),
        Just(":443".to_owned()),
        Just("[::1]".to_owned()),
        Just("https".to_owned()),
        Just("app".to_owned()),
        Just("localhost".to_owned()),
        Just("null".to_owned()),
        Just("file".to_owned()),
        "[a-zA-Z0-9.:@/_-]{1,6}",
        "[.]?[a-z0-9]{1,4}",
    ];
    proptest::collection::vec(part, 1..7).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn whatever_is_accepted_can_match_and_look_alikes_cannot(text in soup()) {
        if text != "loopback" && let Ok(list) = Hosts::parse(&text) {
            let host = instance(&text);
            prop_assert_eq!(list.allow(&host), Some(true), "{} does not admit {}", text, host);
            let (name, _) = host.split_at(host.rfind(':').filter(|_| !host.ends_with(']')).unwrap_or(host.len()));
            prop_assert_ne!(list.allow(&format!("{name}.evil")), Some(true));
            prop_assert_ne!(list.allow(&format!("{host}@evil")), Some(true));
            if !text.starts_with("*.") {
                prop_assert_ne!(list.allow(&format!("evil{host}")), Some(true));
                prop_assert_ne!(list.allow(&format!("evil.{host}")), Some(true));
            }
        }
        if !matches!(&*text, "*" | "loopback") && let Ok(list) = Origins::parse(&text) {
            let origin = instance(&text);
            prop_assert!(list.allow(&origin), "{} does not admit {}", text, origin);
            let (scheme, host) = origin.split_once("://").unwrap();
            for other in [
                format!("x{origin}"),
                format!("{origin}@evil"),
                format!("{origin}/"),
                format!("{scheme}://evil@{host}"),
                host.to_owned(),
                "null".to_owned(),
            ] {
                prop_assert!(!list.allow(&other), "{} admits {}", text, other);
            }
            if !text.contains("://*") {
                let evil = [format!("{scheme}://evil.{host}"), format!("{scheme}://evil{host}")];
                prop_assert!(evil.iter().all(|evil| !list.allow(evil)), "{} admits {:?}", text, evil);
            }
        }
    }

    #[test]
    fn no_list_and_no_header_is_too_strange_to_be_judged(text in ".{0,40}", other in soup()) {
        for text in [&text, &other] {
            // What is suggested is taken.
            let suggested = |bad: BadEntry| bad.flaw.instead;
            let host = Hosts::parse(text).err().and_then(suggested);
            prop_assert!(host.iter().all(|host| Hosts::parse(host).is_ok()), "{text}: {host:?}");
            let origin = Origins::parse(text).err().and_then(suggested);
            prop_assert!(origin.iter().all(|origin| Origins::parse(origin).is_ok()), "{text}: {origin:?}");
            let _ = (hosts("*.example.com").allow(text), origins("https://*.example.com").allow(text));
        }
    }
}
