//! What a request is checked for before anyone looks into it: Host, Origin, method, path and types.

use pymcp_kit::testing::message::{modern, request};
use pymcp_kit::testing::raw::{Request, Response, Session, mirrored};
use serde_json::{Value, json};

use crate::support::over_http;

fn list() -> Request {
    mirrored(&modern(request(1, "tools/list", json!({})), json!({})))
}

/// Every kind of request there is.
fn doors(session: &Session) -> [Request; 5] {
    [
        list(),
        session.listening(),
        session.sign(Request::new("DELETE", "/mcp")),
        Request::new("OPTIONS", "/mcp"),
        Request::new("GET", "/nowhere"),
    ]
}

#[test]
fn only_known_hosts_are_served() {
    let server = over_http(&[]);
    let port = server.address().port();
    for host in [
        "localhost".into(),
        "LOCALHOST".into(),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
    ] {
        assert_eq!(
            server.ask(&list().with("Host", &host)).status,
            200,
            "{host}"
        );
    }
    let session = Session::plain(server.address());
    for door in doors(&session) {
        for host in [
            "evil.test",
            "127.0.0.1.evil.test",
            "localhost.",
            "127.1",
            "0x7f000001",
            "[::ffff:127.0.0.1]",
        ] {
            assert_eq!(
                server.ask(&door.clone().with("Host", host)).refusal(),
                (403, -32600),
                "{host} {door:?}"
            );
        }
        for host in ["", "a/?x=", "me@localhost", "localhost:99999"] {
            assert_eq!(
                server.ask(&door.clone().with("Host", host)).status,
                400,
                "{host:?} {door:?}"
            );
        }
        assert_eq!(
            server.ask(&door.clone().without("Host")).status,
            400,
            "{door:?}"
        );
        assert_eq!(
            server.ask(&door.clone().and("Host", "localhost")).status,
            400,
            "{door:?}"
        );
        assert_eq!(
            server
                .ask(
                    &door
                        .clone()
                        .without("Host")
                        .with("X-Forwarded-Host", "localhost")
                )
                .status,
            400
        );
    }
    assert_eq!(
        server.ask(&list().at("http://evil.test/mcp")).refusal(),
        (403, -32600)
    );
    assert_eq!(server.ask(&list().at("http://localhost/mcp")).status, 200);
    // None of it has touched the session.
    assert!(session.ask(&request(1, "ping", json!({})))["result"].is_object());
}

#[test]
fn other_hosts_are_served_when_they_are_named() {
    let hosts = "mcp.example,other.example:8443,*.wild.example,tls.example:443,[2001:db8::1]";
    let server = over_http(&["--hosts", hosts]);
    for (host, status) in [
        ("a.wild.example:1", 200),
        ("wild.example", 403),
        ("evilwild.example", 403),
        ("tls.example", 200),
        ("tls.example:443", 200),
        ("tls.example:80", 403),
        ("[2001:db8:0:0::1]:8000", 200),
        ("mcp.example", 200),
        ("mcp.example:9", 200),
        ("other.example:8443", 200),
        ("other.example", 403),
        ("localhost", 200),
        ("evil.test", 403),
    ] {
        assert_eq!(
            server.ask(&list().with("Host", host)).status,
            status,
            "{host}"
        );
    }
}

#[test]
fn only_allowed_origins_may_call() {
    let server = over_http(&["--origins", "https://App.example"]);
    let session = Session::plain(server.address());
    for door in doors(&session) {
        for origin in [
            "http://evil.test",
            "null",
            "",
            "http://localhost",
            "https://app.example:444",
            "http://app.example",
            "https://app.example.",
            "https://app.example.evil.test",
            "https://äpp.example",
        ] {
            let response = server.ask(&door.clone().with("Origin", origin));
            assert_eq!(response.refusal(), (403, -32600), "{origin} {door:?}");
            assert_eq!(response.header("Access-Control-Allow-Origin"), None);
        }
        let twice = door
            .clone()
            .and("Origin", "https://app.example")
            .and("Origin", "https://app.example");
        assert_eq!(server.ask(&twice).status, 403, "{door:?}");
    }
    for origin in ["https://app.example", "https://APP.example"] {
        assert_eq!(server.ask(&list().with("Origin", origin)).status, 200);
    }
}

#[test]
fn origins_are_named_as_people_write_them() {
    let extension = "chrome-extension://abcdefghijklmnopabcdefghijklmnop";
    let origins = format!(
        "{extension}, vscode-webview://*, https://*.app.example, http://localhost:*, https://tls.example:443"
    );
    let server = over_http(&["--origins", &origins]);
    for (origin, status) in [
        (extension, 200),
        ("chrome-extension://ponmlkjihgfedcbaponmlkjihgfedcba", 403),
        ("vscode-webview://1f2e3d", 200),
        ("https://a.b.app.example", 200),
        ("https://app.example", 403),
        ("https://evilapp.example", 403),
        ("http://localhost:5173", 200),
        ("https://localhost:5173", 403),
        ("https://tls.example", 200),
        ("null", 403),
    ] {
        let response = server.ask(&list().with("Origin", origin));
        assert_eq!(response.status, status, "{origin}");
        let allowed = response.header("Access-Control-Allow-Origin");
        assert_eq!(allowed.is_some(), status == 200, "{origin}");
    }
}

#[test]
fn pages_of_this_machine_may_call_unless_told_otherwise() {
    let server = over_http(&[]);
    for (origin, status) in [
        ("http://localhost:5173", 200),
        ("https://127.0.0.1", 200),
        ("http://[::1]:3000", 200),
        ("http://localhost.evil.test", 403),
        ("ftp://localhost", 403),
        ("null", 403),
    ] {
        assert_eq!(
            server.ask(&list().with("Origin", origin)).status,
            status,
            "{origin}"
        );
    }
}

/// The words of a list header, in lower case.
fn words(response: &Response, header: &str) -> Vec<String> {
    let value = response
        .header(header)
        .unwrap_or_else(|| panic!("no {header}: {response:?}"));
    value
        .split(',')
        .map(|word| word.trim().to_ascii_lowercase())
        .collect()
}

#[test]
fn browsers_are_told_what_they_may_send_and_read() {
    let server = over_http(&[]);
    let origin = "http://localhost:6274";
    let preflight = Request::new("OPTIONS", "/mcp")
        .with("Origin", origin)
        .with("Access-Control-Request-Method", "POST");
    let allowed = server.ask(&preflight);
    assert_eq!(allowed.status, 204);
    for header in [
        "authorization",
        "content-type",
        "accept",
        "mcp-protocol-version",
        "mcp-method",
        "mcp-name",
    ]
    .into_iter()
    .chain(["mcp-session-id", "last-event-id"])
    {
        assert!(
            words(&allowed, "Access-Control-Allow-Headers").contains(&header.to_owned()),
            "{header}"
        );
    }
    for method in ["get", "post", "delete"] {
        assert!(
            words(&allowed, "Access-Control-Allow-Methods").contains(&method.to_owned()),
            "{method}"
        );
    }
    // Refusals too: a page that may call may also read why it failed.
    let wrong = list().without("Content-Type");
    for request in [
        &preflight,
        &list(),
        &wrong,
        &Request::new("PUT", "/mcp"),
        &Request::new("GET", "/nowhere"),
    ] {
        let response = server.ask(&request.clone().with("Origin", origin));
        assert_eq!(
            response.header("Access-Control-Allow-Origin"),
            Some(origin),
            "{request:?}"
        );
        assert_eq!(response.header("Vary"), Some("Origin"));
        assert_eq!(response.header("Access-Control-Allow-Credentials"), None);
        for header in ["mcp-session-id", "mcp-protocol-version", "www-authenticate"] {
            assert!(
                words(&response, "Access-Control-Expose-Headers").contains(&header.to_owned()),
                "{header}"
            );
        }
    }
    assert_eq!(
        server.ask(&list()).header("Access-Control-Allow-Origin"),
        None
    );
}

#[test]
fn every_page_may_call_only_when_that_is_asked_for() {
    let server = over_http(&["--origins", "*"]);
    let response = server.ask(&list().with("Origin", "https://anything.test"));
    assert_eq!(response.status, 200);
    assert_eq!(response.header("Access-Control-Allow-Origin"), Some("*"));
}

#[test]
fn the_body_is_json_and_not_encoded() {
    let server = over_http(&[]);
    let ask = |request: Request| server.ask(&request);
    for kind in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json; charset=utf8",
    ] {
        assert_eq!(ask(list().with("Content-Type", kind)).status, 200, "{kind}");
    }
    for kind in [
        "",
        "text/plain",
        "application/jsonx",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        assert_eq!(
            ask(list().with("Content-Type", kind)).refusal(),
            (415, -32600),
            "{kind}"
        );
    }
    assert_eq!(ask(list().without("Content-Type")).refusal(), (415, -32600));
    assert_eq!(
        ask(list().and("Content-Type", "application/json")).refusal(),
        (415, -32600)
    );
    assert_eq!(ask(list().with("Content-Encoding", "identity")).status, 200);
    for encoding in ["gzip", "br", "deflate", "gzip, identity"] {
        assert_eq!(
            ask(list().with("Content-Encoding", encoding)).refusal(),
            (415, -32600),
            "{encoding}"
        );
    }
}

#[test]
fn the_client_has_to_take_a_kind_of_answer() {
    let server = over_http(&[]);
    let session = Session::plain(server.address());
    let accepting = |accept: &str| list().with("Accept", accept);
    for accept in [
        "application/json, text/event-stream",
        "text/event-stream;q=0.5,application/json; q=1",
        "*/*",
        "application/*, text/*",
    ] {
        assert_eq!(server.ask(&accepting(accept)).status, 200, "{accept}");
    }
    assert_eq!(server.ask(&list().without("Accept")).status, 200);
    let in_two = list()
        .with("Accept", "application/json")
        .and("Accept", "text/event-stream");
    assert_eq!(server.ask(&in_two).status, 200);
    for (accept, kind) in [
        ("application/json", "application/json"),
        (
            "application/json, text/event-stream;Q=0",
            "application/json",
        ),
        ("text/event-stream", "text/event-stream"),
        ("application/json;q=0, */*", "text/event-stream"),
    ] {
        let response = server.ask(&accepting(accept));
        assert_eq!(response.status, 200, "{accept}");
        assert_eq!(response.header("content-type"), Some(kind), "{accept}");
        assert!(response.message()["result"]["tools"].is_array(), "{accept}");
    }
    for accept in ["", "text/html", "*/*;q=0"] {
        assert_eq!(
            server.ask(&accepting(accept)).refusal(),
            (406, -32600),
            "{accept}"
        );
    }
    let stream = session.listening().with("Accept", "application/json");
    assert_eq!(server.ask(&stream).refusal(), (406, -32600));
}

#[test]
fn other_methods_are_refused_and_told_which_there_are() {
    let server = over_http(&[]);
    for method in ["PUT", "PATCH", "TRACE", "FOO", "post", "get"] {
        let response = server.ask(&Request::new(method, "/mcp").with("X-Secret", "hunter2"));
        assert_eq!(response.refusal(), (405, -32600), "{method}");
        assert!(words(&response, "Allow").contains(&"post".to_owned()));
        assert!(!response.body.contains("hunter2"));
    }
    // Without a session there is nothing to listen to and nothing to end.
    for method in ["GET", "DELETE"] {
        let response = server.ask(&Request::new(method, "/mcp"));
        assert_eq!(response.refusal(), (405, -32600), "{method}");
        assert_eq!(words(&response, "Allow"), ["post", "options"]);
    }
}

#[test]
fn there_is_one_path_and_its_slash_does_not_matter() {
    let server = over_http(&[]);
    for path in [
        "/",
        "/mcp//",
        "/MCP",
        "/%6dcp",
        "/mcp;x",
        "/mcp/../mcp",
        "/x/../mcp",
        "/sse",
        "/messages/",
    ] {
        assert_eq!(
            server.ask(&list().at(path)).refusal(),
            (404, -32600),
            "{path}"
        );
    }
    for path in ["/mcp/", "/mcp?token=hunter2", "/mcp/?token=hunter2"] {
        let response = server.ask(&list().at(path));
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(response.header("Location"), None, "{path}");
    }
    assert!(!server.stderr().contains("hunter2"));
}

#[test]
fn nothing_is_upgraded() {
    let server = over_http(&[]);
    for protocol in ["websocket", "h2c"] {
        let response = server.ask(
            &list()
                .with("Connection", "Upgrade")
                .with("Upgrade", protocol),
        );
        let tools =
            |response: &Response| -> Value { response.message()["result"]["tools"].clone() };
        assert_eq!(response.status, 200, "{protocol}");
        assert!(tools(&response).is_array());
    }
}
