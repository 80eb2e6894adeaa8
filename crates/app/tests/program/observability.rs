//! What a program tells of its requests: the log as JSON, the metrics, and that the dashboard finds them.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::{PATIENCE, Running, command, run, text};

struct Server {
    mcp: String,
    metrics: String,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
    _running: Running,
    _folder: tempfile::TempDir,
}

fn start(arguments: &[&str]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let mut all = vec![
        "--transport=http",
        "--port=0",
        "--metrics-address=localhost:0",
    ];
    all.extend(arguments);
    let mut command = command(folder.path(), &all, &[]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let mut lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let mut address = |before: &str| loop {
        let line = lines.next().expect("it goes on").unwrap();
        if let Some((_, rest)) = line.split_once(before) {
            break rest.split('/').next().unwrap().to_owned();
        }
    };
    let metrics = address("zebra-2: metrics on http://");
    let mcp = address("zebra-2: listening on http://");
    Server {
        mcp,
        metrics,
        lines,
        _running: running,
        _folder: folder,
    }
}

fn ask(address: &str, head: &str, body: &str) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let request = format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

impl Server {
    fn post(&self, message: &Value) -> String {
        let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json";
        ask(&self.mcp, head, &message.to_string())
    }

    /// The next line of the log that says this.
    fn logged(&mut self, message: &str) -> Value {
        loop {
            let line = self.lines.next().expect("it goes on").unwrap();
            assert!(
                line.chars().all(|c| !c.is_control() && c != '\u{202e}'),
                "{line:?}"
            );
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] == message {
                return line;
            }
        }
    }

    fn scrape(&self) -> String {
        ask(
            &self.metrics,
            "GET /metrics HTTP/1.1\r\nHost: localhost",
            "",
        )
    }
}

fn initialize(client: &str) -> Value {
    json!({
        "jsonrpc": "2.0", "id": "a\u{1b}[31m", "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": client, "version": "1" },
        },
    })
}

#[test]
fn requests_are_lines_of_json_in_which_a_client_can_do_no_harm_and_metrics_are_served() {
    let mut server = start(&["--log-format=json"]);
    let hostile = format!("\u{1b}[2J\nforged\u{202e}{}", "x".repeat(1000));
    server.post(&initialize(&hostile));
    let line = server.logged("request");
    assert_eq!(
        (&line["level"], &line["server"]),
        (&json!("INFO"), &json!("zebra-2"))
    );
    let fields = &line["fields"];
    assert_eq!(fields["method"], "initialize");
    assert_eq!(
        (&fields["outcome"], &fields["transport"]),
        (&json!("ok"), &json!("http"))
    );
    assert_eq!(
        (&fields["client_version"], &fields["revision"]),
        (&json!("1"), &json!("2025-11-25"))
    );
    let client = fields["client"].as_str().unwrap();
    assert!(
        client.len() <= 128 && hostile.starts_with(client),
        "{client}"
    );
    assert!(
        fields["ms"].is_number() && fields["bytes"].as_u64().unwrap() > 50,
        "{fields}"
    );

    ask(&server.mcp, "GET /mcp HTTP/1.1\r\nHost: evil.example", "");
    let fields = server.logged("refused")["fields"].take();
    assert_eq!(
        (&fields["reason"], &fields["status"]),
        (&json!("host"), &json!(403))
    );
    assert_eq!(fields["setting"], "--allowed-hosts");
    assert!(
        fields["address"] == "127.0.0.1" || fields["address"] == "::1",
        "{fields}"
    );

    let scrape = server.scrape();
    for line in [
        "HTTP/1.1 200 OK",
        "mcp_server_operation_duration_seconds_count{mcp_method_name=\"initialize\",mcp_protocol_version=\"2025-11-25\",network_transport=\"tcp\"} 1",
        "mcp_server_sessions 1",
        "mcp_server_refusals_total{reason=\"host\"} 1",
        "mcp_server_requests_in_flight 0",
        "mcp_server_places{kind=\"sessions\"} 1",
        "mcp_server_places_max{kind=\"connections\"} 1024",
        "mcp_server_limit_refusals_total{limit=\"budget\"} 0",
        "# EOF",
    ] {
        assert!(scrape.contains(line), "{line}: {scrape}");
    }
    assert!(
        ask(&server.metrics, "GET /mcp HTTP/1.1\r\nHost: localhost", "")
            .starts_with("HTTP/1.1 404")
    );
}

#[test]
fn an_address_of_the_metrics_that_cannot_be_used_is_refused() {
    let bad = run(&["--metrics-address=9464"], &[]);
    assert_eq!(
        (bad.status.code(), &*text(&bad.stderr)),
        (
            Some(2),
            "zebra-2: --metrics-address is '9464', but must be an IP address or localhost, and a port, such as 127.0.0.1:9464.\n"
        )
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("--metrics-address={}", taken.local_addr().unwrap());
    let refused = run(&[&address], &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("(--metrics-address)"),
        "{refused:?}"
    );
}

/// All words of a text that look like names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

#[test]
fn each_query_of_the_dashboard_names_metrics_and_labels_that_there_are() {
    let server = start(&[]);
    server.post(&initialize("t"));
    let scrape = server.scrape();
    let documented = include_str!("../../../../docs/observability.md");
    let names: BTreeSet<&str> = scrape
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, _)| name)
        .collect();
    let dashboard = include_str!("../../../../deploy/grafana/mcp-server.json");
    let dashboard: Value = serde_json::from_str(dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries: Vec<&str> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    assert!(queries.len() >= 8, "{queries:?}");
    for query in queries {
        let metrics: Vec<_> = words(query)
            .filter(|word| word.starts_with("mcp_server_") || word.starts_with("pymcp_"))
            .collect();
        assert!(!metrics.is_empty(), "{query}");
        for metric in metrics {
            let base = ["_bucket", "_count", "_sum", "_total"]
                .iter()
                .find_map(|end| metric.strip_suffix(end))
                .unwrap_or(metric);
            // PyMCP alone has these; a test of its own holds that its rows of the document are right.
            let is_its_own =
                base.starts_with("pymcp_") && documented.contains(&format!("| `{base}` |"));
            assert!(
                names.contains(base) || is_its_own,
                "{metric} of {query} is not in {names:?}"
            );
        }
        // Labels stand before a comparison or within `by (…)`.
        let grouped = query
            .split("by (")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap());
        let compared = query
            .split('{')
            .skip(1)
            .map(|rest| rest.split('}').next().unwrap());
        let compared = compared
            .flat_map(|inside| inside.split(','))
            .map(|pair| pair.split(['=', '!']).next().unwrap());
        for label in grouped.flat_map(words).chain(compared.map(str::trim)) {
            let known =
                label == "le" || label == "job" || documented.contains(&format!("`{label}`"));
            assert!(known, "{label} of {query}");
        }
    }
}
