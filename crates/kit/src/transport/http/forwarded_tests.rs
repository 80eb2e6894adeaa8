use http::HeaderValue;

use super::*;

const PROXY: &str = "10.0.0.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn read(lines: &[(&'static str, &'static str)]) -> Result<Option<Forwarded>, Refusal> {
    let trusted = TrustedProxies::parse("10.0.0.0/8, loopback, 2001:db8::1").unwrap();
    trusted.read(ip(PROXY), &headers(lines))
}

#[track_caller]
fn address(lines: &[(&'static str, &'static str)]) -> Option<IpAddr> {
    read(lines).unwrap().and_then(|found| found.address)
}

#[test]
fn a_list_of_proxies_is_read_or_says_what_is_wrong() {
    let trusted = TrustedProxies::parse("loopback, 192.0.2.1,10.1.2.3/8 , 2001:db8::/32,").unwrap();
    for (address, is) in [
        ("127.0.0.1", true),
        ("::1", true),
        ("::ffff:127.9.9.9", true),
        ("192.0.2.1", true),
        ("192.0.2.2", false),
        ("10.255.0.1", true),
        ("::ffff:10.0.0.1", true),
        ("11.0.0.1", false),
        ("2001:db8:ffff::1", true),
        ("2001:db9::1", false),
    ] {
        assert_eq!(trusted.contains(ip(address)), is, "{address}");
    }
    assert_eq!(
        TrustedProxies::parse("").unwrap(),
        TrustedProxies::default()
    );
    for (list, why) in [
        ("proxy.example", "'proxy.example' is no address"),
        ("10.0.0.0/33", "'10.0.0.0/33' is no address"),
        ("*", "'*' is no address"),
        ("0.0.0.0/0", "every address"),
        ("10.0.0.1, ::/0", "every address"),
    ] {
        let error = TrustedProxies::parse(list).unwrap_err().to_string();
        assert!(error.contains(why), "{list}: {error}");
    }
}

#[test]
fn the_rightmost_address_that_is_not_trusted_is_the_client_s() {
    for (value, client) in [
        ("192.0.2.7", Some("192.0.2.7")),
        ("1.2.3.4, 192.0.2.7", Some("192.0.2.7")),
        ("1.2.3.4, 192.0.2.7, 10.0.0.9", Some("192.0.2.7")),
        ("192.0.2.7:4711", Some("192.0.2.7")),
        ("2001:db8::7", Some("2001:db8::7")),
        ("[2001:db8::7]:80, 2001:db8::1", Some("2001:db8::7")),
        ("::ffff:192.0.2.7", Some("192.0.2.7")),
        // All of them are trusted: the one that began.
        ("10.0.0.3, 10.0.0.2", Some("10.0.0.3")),
        // Whom a proxy does not know is nobody; what stands before it is not believed.
        ("1.2.3.4, unknown", None),
        ("1.2.3.4, unknown, 10.0.0.9", Some("10.0.0.9")),
        ("1.2.3.4,", None),
        ("localhost", None),
    ] {
        let client = client.map(ip);
        assert_eq!(address(&[("x-forwarded-for", value)]), client, "{value}");
    }
    let lines = [
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-for", "192.0.2.7"),
    ];
    assert_eq!(address(&lines), Some(ip("192.0.2.7")));
    for (value, client) in [
        ("for=192.0.2.7", Some("192.0.2.7")),
        ("For=\"192.0.2.7:80\";proto=http;by=_x", Some("192.0.2.7")),
        (
            "for=1.2.3.4, for=\"[2001:db8::7]:4711\"",
            Some("2001:db8::7"),
        ),
        ("for=192.0.2.7 , for=10.0.0.9", Some("192.0.2.7")),
        ("for=1.2.3.4, for=_hidden", None),
        ("for=1.2.3.4, proto=https", None),
    ] {
        let client = client.map(ip);
        assert_eq!(address(&[("forwarded", value)]), client, "{value}");
    }
}

#[test]
fn nobody_but_a_trusted_proxy_is_believed() {
    let lines = headers(&[("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.4")]);
    let trusted = TrustedProxies::parse("10.0.0.0/8").unwrap();
    assert_eq!(trusted.read(ip("192.0.2.9"), &lines).unwrap(), None);
    let nobody = TrustedProxies::default();
    assert_eq!(nobody.read(ip("127.0.0.1"), &lines).unwrap(), None);
    assert_eq!(read(&[]).unwrap(), None);
}

#[test]
fn scheme_and_host_are_those_that_stand_beside_the_client() {
    let found = read(&[(
        "forwarded",
        "for=1.2.3.4;proto=http;host=evil, for=192.0.2.7;proto=https;host=\"a.example:8443\", for=10.0.0.9;proto=http",
    )]);
    let expected = Forwarded {
        address: Some(ip("192.0.2.7")),
        https: Some(true),
        host: Some("a.example:8443".into()),
    };
    assert_eq!(found.unwrap(), Some(expected.clone()));
    let found = read(&[
        ("x-forwarded-for", "1.2.3.4, 192.0.2.7, 10.0.0.9"),
        ("x-forwarded-proto", "http, https, http"),
        ("x-forwarded-host", "a.example:8443"),
    ]);
    assert_eq!(found.unwrap(), Some(expected));
    let found = read(&[("x-forwarded-proto", "HTTPS")]).unwrap().unwrap();
    assert_eq!((found.address, found.https), (None, Some(true)));
}

#[test]
fn what_is_malformed_or_contradicts_itself_is_refused() {
    for lines in [
        &[("forwarded", "for=\"1.2.3.4, for=192.0.2.7")][..],
        &[("forwarded", "for=\"1.2.3.4, for=\"[2001:db8::7]\"")],
        &[("forwarded", "for=1.2.3.4;x=\", for=\"192.0.2.7:80\"")],
        &[("forwarded", "for 1.2.3.4")],
        &[("forwarded", "for=")],
        &[
            ("forwarded", "for=192.0.2.7"),
            ("x-forwarded-for", "192.0.2.8"),
        ],
        &[
            ("forwarded", "for=_hidden"),
            ("x-forwarded-for", "192.0.2.8"),
        ],
        &[
            ("forwarded", "for=192.0.2.7;host=a"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "b"),
        ],
    ] {
        let refused = hyper::Response::from(read(lines).unwrap_err());
        assert_eq!(refused.status(), 400, "{lines:?}");
    }
    let both = [
        ("forwarded", "for=192.0.2.7;host=a"),
        ("x-forwarded-for", "1.2.3.4, 192.0.2.7"),
        ("x-forwarded-proto", "https"),
    ];
    let expected = Forwarded {
        address: Some(ip("192.0.2.7")),
        https: Some(true),
        host: Some("a".into()),
    };
    assert_eq!(read(&both).unwrap(), Some(expected));
}
