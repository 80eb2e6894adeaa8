//! Traces, as a collector on loopback gets them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::json;

use crate::{PATIENCE, Running, command, run, text};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The head of a request, in lower case, and its body.
fn request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(stream.read_line(&mut head).unwrap(), 0);
    }
    let head = head.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap();
    let mut body = vec![0; length.split("\r\n").next().unwrap().parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

/// A collector that takes all that it gets.
fn collector() -> (String, Receiver<(String, ExportTraceServiceRequest)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (head, body) = request(&mut stream);
            let message = ExportTraceServiceRequest::decode(&*body).unwrap();
            let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
            if sender.send((head, message)).is_err() {
                return;
            }
        }
    });
    (url, receiver)
}

/// A conversation on stdio with a call in a trace; how long its end took, and what was logged.
fn converse(arguments: &[&str], environment: &[(&str, &str)]) -> (Duration, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path(), arguments, environment);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let mut stdin = running.0.stdin.take().unwrap();
    let mut answers = BufReader::new(running.0.stdout.take().unwrap()).lines();
    for message in [
        json!({
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25", "capabilities": {},
                "clientInfo": { "name": "t", "version": "1" },
            },
        }),
        json!({
            "jsonrpc": "2.0", "id": 2, "method": "tools/call",
            "params": { "name": "secret name", "arguments": { "a": "secret" }, "_meta": { "traceparent": PARENT } },
        }),
    ] {
        writeln!(stdin, "{message}").unwrap();
        answers.next().unwrap().unwrap();
    }
    let began = Instant::now();
    drop(stdin);
    let mut logged = String::new();
    let mut stderr = running.0.stderr.take().unwrap();
    stderr.read_to_string(&mut logged).unwrap();
    assert!(running.0.wait().unwrap().success(), "{logged}");
    (began.elapsed(), logged)
}

#[test]
fn spans_reach_a_collector_at_the_latest_when_the_program_ends() {
    let (url, collected) = collector();
    let (_, logged) = converse(
        &["--otlp-endpoint", &url],
        &[
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "authorization=Bearer%20s3cr3t",
            ),
            ("OTEL_SERVICE_NAME", "stable"),
        ],
    );
    assert!(!logged.contains("s3cr3t"), "{logged}");
    let (head, message) = collected.recv_timeout(PATIENCE).unwrap();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    for line in [
        "content-type: application/x-protobuf",
        "authorization: bearer s3cr3t",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{head}");
    }
    let traced = &message.resource_spans[0];
    let resource = format!("{:?}", traced.resource);
    assert!(resource.contains("stable"), "{resource}");
    let spans = &traced.scope_spans[0].spans;
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["initialize", "tools/call"]);
    let id = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    assert_eq!(id(&spans[1].trace_id), PARENT[3..35]);
    assert_eq!(id(&spans[1].parent_span_id), PARENT[36..52]);
    assert_ne!(spans[0].trace_id, spans[1].trace_id);
    let whole = format!("{spans:?}");
    assert!(!whole.contains("secret"), "{whole}");
}

#[test]
fn a_collector_that_is_gone_or_says_nothing_costs_two_seconds_at_the_end() {
    // Connections are made, and nothing is read.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let (took, logged) = converse(&[], &[("ZEBRA_2_OTLP_ENDPOINT", &url)]);
    assert!(took < PATIENCE, "{took:?}");
    assert!(
        logged.contains("the collector has not taken all spans sent=0 dropped=2"),
        "{logged}"
    );
    drop(silent);
    let (_, logged) = converse(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]);
    assert!(logged.contains("sent=0 dropped=2"), "{logged}");
}

#[test]
fn settings_that_cannot_be_used_are_refused_without_a_secret() {
    for (flag, value) in [
        ("--otlp-endpoint", "localhost:4318"),
        ("--otlp-headers", "s3cr3t"),
        ("--otlp-service-name", " "),
    ] {
        let refused = run(&[&format!("{flag}={value}")], &[]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(flag) && !said.contains("s3cr3t"), "{said}");
    }
}
