use super::*;

fn status(headers: &[(&str, &str)], target: &str) -> u16 {
    over(Version::HTTP_11, headers, target)
}

fn over(version: Version, headers: &[(&str, &str)], target: &str) -> u16 {
    let mut request = Request::builder().version(version).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match admit(&request.body(()).unwrap(), &HttpConfig::default()) {
        Ok(_) => 200,
        Err(refusal) => Response::<Body>::from(refusal).status().as_u16(),
    }
}

#[test]
fn only_known_hosts_are_served() {
    for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:80"] {
        assert_eq!(status(&[("host", host)], "/mcp"), 200, "{host}");
    }
    for host in [
        "evil.test",
        "127.0.0.1.evil.test",
        "localhost.",
        "127.1",
        "0x7f000001",
        "[::ffff:127.0.0.1]",
    ] {
        assert_eq!(status(&[("host", host)], "/mcp"), 403, "{host}");
    }
    for host in ["", "a/?x=", "user@localhost", "localhost:99999"] {
        assert_eq!(status(&[("host", host)], "/mcp"), 400, "{host}");
    }
    assert_eq!(status(&[], "/mcp"), 400);
    assert_eq!(
        status(&[("host", "localhost"), ("host", "localhost")], "/mcp"),
        400
    );
    assert_eq!(
        status(&[("host", "localhost")], "http://evil.test/mcp"),
        403
    );
}

#[test]
fn the_authority_is_the_host_over_http_2() {
    let status = |headers: &[(&str, &str)], target| over(Version::HTTP_2, headers, target);
    let local = "http://localhost:1/mcp";
    assert_eq!(status(&[], local), 200);
    assert_eq!(status(&[("host", "LOCALHOST:1")], local), 200);
    assert_eq!(status(&[("host", "localhost")], "/mcp"), 200);
    assert_eq!(status(&[], "http://evil.test/mcp"), 403);
    assert_eq!(status(&[("host", "evil.test")], "http://evil.test/"), 403);
    for (headers, target) in [
        (&[("host", "localhost")][..], local),
        (&[("host", "evil.test")], local),
        (&[("host", "localhost")], "http://evil.test/mcp"),
        (&[("host", "localhost:1"), ("host", "localhost:1")], local),
        (&[("host", "")], local),
        (&[], "http://me@localhost:1/mcp"),
        (&[], "/mcp"),
    ] {
        assert_eq!(status(headers, target), 400, "{headers:?} {target}");
    }
}

#[test]
fn only_allowed_origins_may_call() {
    let with = |origin: &str| status(&[("host", "localhost"), ("origin", origin)], "/mcp");
    for origin in [
        "http://localhost",
        "http://localhost:5173",
        "https://127.0.0.1:8443",
        "http://[::1]:3000",
    ] {
        assert_eq!(with(origin), 200, "{origin}");
    }
    for origin in [
        "http://evil.test",
        "null",
        "",
        "http://localhost.evil.test",
        "ftp://localhost",
        "http://a@localhost",
    ] {
        assert_eq!(with(origin), 403, "{origin}");
    }
    let twice = [
        ("host", "localhost"),
        ("origin", "http://localhost"),
        ("origin", "http://localhost"),
    ];
    assert_eq!(status(&twice, "/mcp"), 403);
}

#[test]
fn a_body_has_one_framing() {
    let with = |codings: &[&str]| {
        let mut headers = vec![("host", "localhost")];
        headers.extend(codings.iter().map(|coding| ("transfer-encoding", *coding)));
        status(&headers, "/mcp")
    };
    for codings in [&[][..], &["chunked"], &["Chunked"]] {
        assert_eq!(with(codings), 200, "{codings:?}");
    }
    for codings in [
        &[""][..],
        &["gzip, chunked"],
        &["gzip", "chunked"],
        &["chunked", "chunked"],
        &["chunked, chunked"],
        &[",chunked"],
        &["identity, chunked"],
    ] {
        assert_eq!(with(codings), 400, "{codings:?}");
    }
}

#[test]
fn pages_may_send_what_the_server_declares() {
    let preflight = |mirrored: &[&str], named: &[&str], methods: &[&Method]| {
        let mirrored: Vec<_> = mirrored.iter().map(|name| (*name).to_owned()).collect();
        let headers = allowed_headers(&mirrored, named.iter().copied());
        let response = preflight(&allowed_methods(methods), &headers);
        [ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS]
            .map(|name| response.headers()[name].to_str().unwrap().to_owned())
    };
    let ends = |[headers, _]: [String; 2], end: &str| headers.ends_with(end);
    let none = preflight(&[], &[], &[]);
    assert_eq!(none[1], "GET, POST, DELETE, OPTIONS");
    assert!(ends(
        none,
        "Mcp-Method, Mcp-Name, MCP-Protocol-Version, Mcp-Session-Id"
    ));
    assert!(ends(
        preflight(&["Mcp-Param-A", "Mcp-Param-B"], &[], &[]),
        "Mcp-Session-Id, Mcp-Param-A, Mcp-Param-B"
    ));
    let named = preflight(
        &["Mcp-Param-A"],
        &["x-tenant", "authorization"],
        &[&Method::GET, &Method::PUT],
    );
    assert_eq!(named[1], "GET, POST, DELETE, OPTIONS, PUT");
    assert!(ends(named, "Mcp-Session-Id, Mcp-Param-A, x-tenant"));
}
