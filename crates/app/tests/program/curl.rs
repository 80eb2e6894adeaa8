//! HTTP/2 as another program speaks it: whole conversations of curl in both eras, over TCP and a Unix socket with prior
//! knowledge, and over TLS with ALPN.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use pymcp_kit::testing::message::{answer, asks_user, call, modern, notification, request, text};
use pymcp_kit::testing::raw::initialize;
use serde_json::{Value, json};

use super::listen::{certificate, start};
use super::{PATIENCE, Running};

/// Where curl finds the server, and what it is told for that.
struct Curl {
    url: String,
    options: Vec<String>,
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    #[track_caller]
    fn of(text: &str) -> Self {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("{text:?}"));
        let status = head.strip_prefix("HTTP/2 ").expect("HTTP/2");
        Self {
            status: status[..3].parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        Some(lines.find(|(known, _)| *known == name)?.1)
    }

    /// The last message in it, however it came.
    #[track_caller]
    fn message(&self) -> Value {
        assert_eq!(self.status, 200, "{}{}", self.head, self.body);
        let mut events = self.body.lines().rev();
        let text = events
            .find_map(|line| line.strip_prefix("data: "))
            .unwrap_or(&self.body);
        serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"))
    }
}

impl Curl {
    fn start(&self, method: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Child {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--include", "--no-buffer"]);
        curl.args([
            "--max-time",
            &PATIENCE.as_secs().to_string(),
            "--request",
            method,
        ]);
        curl.args(&self.options);
        let posted = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let posted = posted.iter().filter(|_| body.is_some());
        for (name, value) in posted.chain(headers) {
            curl.args(["--header", &format!("{name}: {value}")]);
        }
        if let Some(body) = body {
            curl.args(["--data-binary", &body.to_string()]);
        }
        curl.arg(&self.url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        curl.spawn().unwrap()
    }

    fn ask(&self, method: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Reply {
        let output = self
            .start(method, headers, body)
            .wait_with_output()
            .unwrap();
        assert!(output.status.success(), "curl: {}", output.status);
        Reply::of(&String::from_utf8(output.stdout).unwrap())
    }

    /// Handshake, lists, calls, a question in a stream, a stream of the session, and its end.
    fn legacy(&self) {
        let hello = initialize("2025-11-25", asks_user());
        let opened = self.ask("POST", &[], Some(&hello));
        assert_eq!(opened.message()["result"]["serverInfo"]["name"], "zebra-2");
        let id = opened.header("mcp-session-id").expect("a session");
        let session = [
            ("mcp-session-id", id),
            ("mcp-protocol-version", "2025-11-25"),
        ];
        let post = |message: &Value| self.ask("POST", &session, Some(message));
        let told = post(&notification("notifications/initialized", json!({})));
        assert_eq!((told.status, &*told.body), (202, ""));
        hails(|message| post(message).message());

        let meal = call(7, "feed", json!({ "zebras": 2 }));
        let mut asking = self.start("POST", &session, Some(&meal));
        let mut lines = BufReader::new(asking.stdout.take().unwrap()).lines();
        let mut message = || loop {
            let line = lines.next().expect("it goes on").unwrap();
            match line.strip_prefix("data: ").filter(|data| !data.is_empty()) {
                Some(data) => break serde_json::from_str::<Value>(data).unwrap(),
                None => assert!(!line.starts_with("HTTP/") || line.starts_with("HTTP/2 200")),
            }
        };
        let question = message();
        assert_eq!(question["method"], "elicitation/create", "{question}");
        let accepted = accept(&question["params"]);
        assert_eq!(post(&answer(&question, accepted)).status, 202);
        assert_eq!(text(&message()), "2 zebras eat grass.");
        assert!(asking.wait().unwrap().success());

        let events = [session[0], session[1], ("accept", "text/event-stream")];
        let mut listening = Running(self.start("GET", &events, None));
        let mut first = [0; 10];
        let stdout = listening.0.stdout.as_mut().unwrap();
        stdout.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/2 200");
        drop(listening);

        assert!(self.ask("DELETE", &session, None).status < 300);
        assert_eq!(post(&request(9, "tools/list", json!({}))).status, 404);
    }

    /// Discovery, lists, calls, and a question that ends a call and its answer that begins another one.
    fn modern(&self) {
        let post = |message: Value| {
            let message = modern(message, asks_user());
            let method = message["method"].as_str().unwrap();
            let mut headers = vec![
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", method),
            ];
            let name = message["params"]["name"].as_str();
            headers.extend(name.map(|name| ("mcp-name", name)));
            self.ask("POST", &headers, Some(&message)).message()
        };
        let found = post(request(1, "server/discover", json!({})));
        let versions = found["result"]["supportedVersions"].as_array().unwrap();
        assert!(versions.contains(&json!("2026-07-28")), "{found}");
        hails(|message| post(message.clone()));

        let mut meal = call(7, "feed", json!({ "zebras": 2 }));
        let asked = post(meal.clone());
        assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
        let questions = asked["result"]["inputRequests"].as_object().unwrap();
        let (name, question) = questions.iter().next().unwrap();
        meal["params"]["inputResponses"] = json!({ name: accept(&question["params"]) });
        meal["params"]["requestState"] = asked["result"]["requestState"].clone();
        assert_eq!(text(&post(meal)), "2 zebras eat grass.");
    }
}

/// What both eras do alike.
fn hails(ask: impl Fn(&Value) -> Value) {
    let listed = ask(&request(2, "tools/list", json!({})));
    assert_eq!(listed["result"]["tools"][0]["name"], "hail", "{listed}");
    let hailed = ask(&call(3, "hail", json!({ "name": "Ada" })));
    assert_eq!(text(&hailed), "Hello, Ada!");
    let prompt = json!({ "name": "describe", "arguments": { "name": "Ada" } });
    let prompt = ask(&request(4, "prompts/get", prompt));
    let said = &prompt["result"]["messages"][0]["content"]["text"];
    assert_eq!(said, "Describe the zebra Ada.");
}

/// An answer to the one question of a form.
fn accept(params: &Value) -> Value {
    let fields = params["requestedSchema"]["properties"].as_object().unwrap();
    let (name, _) = fields.iter().next().unwrap();
    json!({ "action": "accept", "content": { name: "grass" } })
}

/// Whether there is a curl that speaks HTTP/2, without which nothing here can be tested.
#[allow(clippy::print_stderr)]
fn has_http2() -> bool {
    let said = Command::new("curl").arg("--version").output();
    if said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("HTTP2")) {
        return true;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "curl with HTTP/2 must be installed"
    );
    eprintln!("skipped: this machine has no curl with HTTP/2");
    false
}

#[test]
fn curl_holds_whole_conversations_over_http2_with_prior_knowledge() {
    if !has_http2() {
        return;
    }
    let (_server, listening, _lines) = start(&[]);
    let url = listening.split(' ').next().unwrap();
    let curl = Curl {
        url: url.to_owned(),
        options: vec!["--http2-prior-knowledge".into()],
    };
    curl.legacy();
    curl.modern();
}

#[test]
fn curl_agrees_on_http2_over_tls() {
    if !has_http2() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = certificate(folder.path(), 100);
    let (_server, listening, _lines) = start(&[&cert, &key]);
    let trusted = folder.path().join("cert.pem");
    let curl = Curl {
        url: listening.split(' ').next().unwrap().to_owned(),
        options: vec!["--cacert".into(), trusted.to_str().unwrap().into()],
    };
    curl.legacy();
    curl.modern();
}

#[cfg(unix)]
#[test]
fn curl_holds_whole_conversations_over_a_unix_socket() {
    if !has_http2() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("zebra.sock");
    let (_server, _, _lines) = start(&[&format!("--unix-socket={}", socket.display())]);
    let curl = Curl {
        url: "http://localhost/mcp".into(),
        options: vec![
            "--http2-prior-knowledge".into(),
            "--unix-socket".into(),
            socket.to_str().unwrap().into(),
        ],
    };
    curl.legacy();
    curl.modern();
}
