//! The page at `/` of a real program, the example `hostile`, as a browser and as clients of the protocol ask for it.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long the program may take for anything; generous, because test machines are busy.
const PATIENCE: Duration = Duration::from_secs(20);

const BROWSER: &str =
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

/// Where cargo puts examples: beside the folder of the tests.
fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples/hostile");
    let path = path.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "cargo build -p pymcp-app --example hostile");
    path
}

/// The program, which serves until it is dropped.
struct Server {
    child: Child,
    /// Host and port.
    address: String,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Response {
    status: u16,
    head: String,
    body: String,
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    fn is_page(&self) -> bool {
        let html = self.header("content-type") == Some("text/html; charset=utf-8");
        html && self.status == 200 && self.body.starts_with("<!doctype html>")
    }
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, arguments)
    }

    fn start_in(folder: tempfile::TempDir, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.arg("--port=0").args(arguments);
        if !arguments.contains(&"--transport=sse") {
            command.arg("--transport=http");
        }
        command.current_dir(folder.path()).env_clear();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("it listens").unwrap();
            if let Some((_, rest)) = line.split_once("listening on http://") {
                break rest.split('/').next().unwrap().to_owned();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address,
            _folder: folder,
        }
    }

    /// Sends a request, with more headers, a line each; `Host` is the address unless it is among them.
    fn send(&self, method: &str, target: &str, headers: &str, body: &str) -> Response {
        let host = match headers.contains("Host: ") {
            true => String::new(),
            false => format!("Host: {}\r\n", self.address),
        };
        let headers: String = headers.lines().map(|line| format!("{line}\r\n")).collect();
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\n{host}{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a response");
        Response {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    fn get(&self, target: &str, headers: &str) -> Response {
        self.send("GET", target, headers, "")
    }

    /// Calls a tool as clients of 2026-07-28 do.
    fn call(&self, tool: &str) {
        let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{}},"_meta":{meta}}}}}"#
        );
        let headers = format!(
            "Content-Type: application/json\nAccept: application/json\nMCP-Protocol-Version: 2026-07-28\nMcp-Method: tools/call\nMcp-Name: {tool}"
        );
        let answer = self.send("POST", "/mcp", &headers, &message);
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

#[test]
fn a_browser_gets_the_page_and_everybody_else_what_there_was() {
    let (with, without) = (Server::start(&[]), Server::start(&["--no-page"]));
    for (accept, prefers) in [
        (BROWSER, true),
        ("Accept: text/html", true),
        ("Accept: text/html, image/gif, *; q=.2, */*; q=.2", true),
        ("Accept: application/json;q=0.1, text/html", true),
        ("X-Nothing: accepted", false),
        ("Accept: ", false),
        ("Accept: */*", false),
        ("Accept: text/*", false),
        ("Accept: text/event-stream", false),
        ("Accept: application/json", false),
        ("Accept: application/json, text/event-stream", false),
        ("Accept: text/html, text/event-stream", false),
        ("Accept: text/html, */*", false),
        ("Accept: text/html;q=0, */*;q=0", false),
        ("Accept: text/html;q=0.5, application/json", false),
        ("Accept: text/html\nMcp-Session-Id: some", false),
        (
            "Accept: text/html, text/event-stream\nMcp-Session-Id: some",
            false,
        ),
    ] {
        for target in ["/mcp", "/mcp/"] {
            for method in ["GET", "HEAD"] {
                let found = with.send(method, target, accept, "");
                let before = without.send(method, target, accept, "");
                if prefers {
                    assert_eq!(found.status, 200, "{method} {target} {accept}");
                    assert_eq!(
                        found.is_page(),
                        method == "GET",
                        "{method} {target} {accept}"
                    );
                    assert_eq!(found.header("vary"), Some("Accept"));
                } else {
                    let both =
                        [&found, &before].map(|one| (one.status, one.header("allow"), &*one.body));
                    assert_eq!(both[0], both[1], "{method} {target} {accept}");
                    assert_ne!(found.status, 200, "{method} {target} {accept}");
                }
                let html = before
                    .header("content-type")
                    .is_some_and(|kind| kind.contains("html"));
                assert!(!html, "{method} {target} {accept}");
            }
        }
        // There is nothing else at `/`, so everybody gets it there.
        assert!(with.get("/", accept).is_page(), "{accept}");
        let nothing = without.get("/", accept);
        let error = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"There is nothing at this path."}}"#;
        assert_eq!((nothing.status, &*nothing.body), (404, error), "{accept}");
    }
    for method in ["POST", "DELETE", "PUT"] {
        let both = [&with, &without].map(|server| server.send(method, "/mcp", BROWSER, "").status);
        assert_eq!(both[0], both[1], "{method}");
        assert_eq!(with.send(method, "/", BROWSER, "").status, 405, "{method}");
    }
}

#[test]
fn a_page_that_is_known_is_not_sent_again() {
    let server = Server::start(&[]);
    let page = server.get("/", BROWSER);
    assert!(page.is_page());
    let tag = page.header("etag").unwrap().to_owned();
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let head = server.send("HEAD", "/", "", "");
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.header("etag"), Some(&*tag));
    assert_eq!(head.header("content-length"), page.header("content-length"));
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"other\", {tag}"),
        format!("\"other\"\r\nIf-None-Match: {tag}"),
        "*".to_owned(),
    ] {
        for method in ["GET", "HEAD"] {
            let same = server.send(method, "/", &format!("If-None-Match: {known}"), "");
            assert_eq!((same.status, &*same.body), (304, ""), "{known}");
            assert_eq!(same.header("etag"), Some(&*tag));
            assert_eq!(same.header("content-type"), None);
        }
    }
    for other in ["\"other\"", "", &tag[1..tag.len() - 1]] {
        assert!(
            server
                .get("/", &format!("If-None-Match: {other}"))
                .is_page(),
            "{other}"
        );
    }
    // Another address is another page.
    let other = server.get("/", "Host: localhost:1");
    assert!(other.is_page() && other.header("etag") != Some(&*tag));
}

#[test]
fn a_component_that_comes_is_on_the_page_and_one_that_goes_is_not() {
    let server = Server::start(&[]);
    let first = server.get("/", "");
    let tag = first.header("etag").unwrap().to_owned();
    assert!(!first.body.contains("It was not there before."));
    server.call("grow");
    let then = server.get("/", &format!("If-None-Match: {tag}"));
    assert!(then.is_page() && then.body.contains("It was not there before."));
    assert!(then.body.contains(r#"id="tool-grown""#));
    server.call("shrink");
    let again = server.get("/", &format!("If-None-Match: {tag}"));
    assert_eq!(again.status, 304, "it is the one before");
}

#[test]
fn nothing_that_a_component_says_is_markup_or_hidden() {
    let page = Server::start(&[]).get("/", BROWSER);
    assert!(page.is_page());
    let body = &page.body;
    // The scripts, styles and pictures of the page itself, and no other.
    for (tag, times) in [
        ("<script", 1),
        ("</script", 1),
        ("<style", 1),
        ("</style", 1),
        ("<title", 1),
        ("<img", 0),
    ] {
        assert_eq!(body.matches(tag).count(), times, "{tag}");
    }
    for raw in [
        "\" onmouseover",
        "'alert(1)",
        "' autofocus",
        "/srv/secret",
        "href=\"javascript:",
    ] {
        assert!(!body.contains(raw), "{raw}");
    }
    for shown in [
        "&lt;/code&gt;&lt;/title&gt;&lt;/style&gt;&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;",
        "&quot; onmouseover=&quot;alert(1)&quot; &#39; autofocus",
        "{{ 7 * 7 }} {% raw %}",
        "[U+202E]txt.exe[U+2066][U+200B][U+001B][31m[U+0000][U+E0041][U+FEFF]",
        "data://x/&amp;lt;&#39;%E2%80%AE%7B%7B7*7%7D%7D",
    ] {
        assert!(body.contains(shown), "{shown}");
    }
    let hidden = |c: char| {
        (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}".contains(c)
    };
    assert_eq!(body.chars().find(|c| hidden(*c)), None);
    // In a table of attributes none is of the author's making.
    let events = body
        .split('<')
        .filter(|tag| tag.split('>').next().unwrap().contains(" on"));
    assert_eq!(events.count(), 0);
}

#[test]
fn the_page_may_load_nothing_and_run_nothing_but_its_own() {
    let page = Server::start(&[]).get("/", BROWSER);
    let between = |tag: &str| {
        let (_, rest) = page.body.split_once(&format!("<{tag}>")).unwrap();
        rest.split_once(&format!("</{tag}>")).unwrap().0
    };
    let hash = |tag: &str| {
        use base64::Engine as _;
        let digest = ring::digest::digest(&ring::digest::SHA256, between(tag).as_bytes());
        format!(
            "'sha256-{}'",
            base64::engine::general_purpose::STANDARD.encode(digest)
        )
    };
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hash("style"),
        hash("script")
    );
    assert_eq!(page.header("content-security-policy"), Some(&*policy));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
}

#[test]
fn the_page_says_under_which_address_it_was_asked_for() {
    let server = Server::start(&[
        "--allowed-hosts=*.example.com",
        "--trusted-proxies=loopback",
    ]);
    for (headers, url) in [
        ("Host: localhost:8000", "http://localhost:8000/mcp"),
        ("Host: [::1]:8000", "http://[::1]:8000/mcp"),
        ("Host: a.example.com", "http://a.example.com/mcp"),
        (
            "Host: a.example.com\nX-Forwarded-Proto: https\nX-Forwarded-Host: b.example.com",
            "https://b.example.com/mcp",
        ),
    ] {
        let page = server.get("/", headers);
        assert!(page.is_page(), "{headers}");
        let endpoint = format!("<code id=\"endpoint\">{url}</code>");
        assert!(page.body.contains(&endpoint), "{headers}");
        assert!(
            page.body
                .contains(&format!("&quot;url&quot;: &quot;{url}&quot;")),
            "{headers}"
        );
        let health = url.replace("/mcp", "/healthz");
        assert!(
            page.body.contains(&format!("<a href=\"{health}\">")),
            "{headers}"
        );
    }
    for (headers, status) in [
        ("Host: evil.example", 403),
        ("Host: a.example.com\nX-Forwarded-Host: evil.example", 403),
        ("Host: a.example.com\"><script>", 400),
        ("Host: localhost\nOrigin: https://evil.example", 403),
    ] {
        for target in ["/", "/mcp"] {
            let refused = server.get(target, &format!("{headers}\n{BROWSER}"));
            assert_eq!(refused.status, status, "{headers}");
            assert!(!refused.body.contains("<html"), "{headers}");
        }
    }
}

#[test]
fn a_prefix_is_before_the_page_as_well() {
    let server = Server::start(&["--path-prefix=/team-a"]);
    for target in ["/team-a/", "/team-a", "/team-a/mcp", "/"] {
        let page = server.get(target, BROWSER);
        assert!(page.is_page(), "{target}");
        let address = &server.address;
        assert!(
            page.body
                .contains(&format!(">http://{address}/team-a/mcp<")),
            "{target}"
        );
        assert!(
            page.body
                .contains(&format!("\"http://{address}/team-a/healthz\"")),
            "{target}"
        );
    }
    for target in ["/mcp", "/team-ab", "/team-a//"] {
        assert_eq!(server.get(target, BROWSER).status, 404, "{target}");
    }
}

#[test]
fn where_clients_authenticate_the_page_names_no_component() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary());
    let new = command.args(["token", "new", "ci", "--file", "tokens.toml"]);
    assert!(
        new.current_dir(folder.path())
            .output()
            .unwrap()
            .status
            .success()
    );
    let server = Server::start_in(folder, &["--auth=token", "--auth-tokens=tokens.toml"]);
    for target in ["/", "/mcp"] {
        let page = server.get(target, BROWSER);
        assert!(page.is_page(), "{target}");
        for secret in [
            "grow",
            "tttt",
            "instructions: ",
            "data://x",
            "evil.example/x onerror=alert(1)&gt;\n",
            "Limits",
        ] {
            assert!(!page.body.contains(secret), "{target}: {secret}");
        }
        for said in [
            "<h1 dir=\"auto\">hostile ",
            "Authorization: Bearer TOKEN",
            "2026-07-28",
            "Bearer YOUR_TOKEN",
        ] {
            assert!(page.body.contains(said), "{target}: {said}");
        }
    }
    // Who has no token and is no browser hears what there was to hear.
    assert_eq!(server.get("/mcp", "Accept: text/event-stream").status, 401);
}

#[test]
fn the_old_transport_has_the_page_too() {
    let server = Server::start(&["--transport=sse"]);
    for target in ["/", "/sse"] {
        let page = server.get(target, BROWSER);
        assert!(page.is_page(), "{target}");
        assert!(
            page.body
                .contains(&format!(">http://{}/sse<", server.address))
        );
        assert!(page.body.contains("HTTP+SSE") && !page.body.contains("2026-07-28"));
        assert!(
            !page.body.contains("claude mcp add"),
            "it would not connect"
        );
    }
    assert_eq!(server.get("/mcp", BROWSER).status, 404);
}
