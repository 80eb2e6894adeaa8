//! More requests than a rate allows, over the wire.

use pymcp_kit::limits::{FloodLimits, Limit, Rate};
use pymcp_kit::transport::http::HttpConfig;
use pymcp_kit::{Ctx, Error, NoArgs, Server, Tool};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::stage::{Stage, initialize, modern, patient, request, soon};

async fn stage(flood: FloodLimits) -> Stage {
    let tool = Tool::new("nothing", async |_: Ctx, _: NoArgs| Ok::<_, Error>(()));
    let server = Server::builder("test", "1.0.0").tool(tool);
    let config = HttpConfig { flood, ..patient() };
    Stage::serving(server.build().unwrap(), config).await
}

/// One connection that stays: on loopback that is who is counted.
struct Wire(BufReader<TcpStream>);

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }
}

impl Wire {
    async fn open(stage: &Stage) -> Self {
        Self(BufReader::new(
            TcpStream::connect(stage.address).await.unwrap(),
        ))
    }

    async fn post(&mut self, headers: &str, message: &Value) -> Answer {
        let body = message.to_string();
        self.send(&head(headers, body.len()), &body).await
    }

    async fn send(&mut self, head: &str, body: &str) -> Answer {
        let text = format!("{head}{body}");
        self.0.write_all(text.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(
                soon(self.0.read_line(&mut head)).await.unwrap() > 0,
                "{head}"
            );
        }
        let mut answer = Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: Value::Null,
        };
        let length = answer.header("content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        soon(self.0.read_exact(&mut body)).await.unwrap();
        answer.body = serde_json::from_slice(&body).unwrap_or_default();
        answer
    }
}

fn head(headers: &str, length: usize) -> String {
    let lines = headers.lines().filter(|line| !line.is_empty());
    let headers: String = lines.map(|line| format!("{line}\r\n")).collect();
    format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn one_request_too_many_is_refused_before_its_body_is_there() {
    let stage = stage(FloodLimits {
        per_address: Some(Rate::per_hour(3)),
        ..FloodLimits::default()
    })
    .await;
    let (headers, list) = modern(request(1, "tools/list", json!({})), json!({}));
    let mut wire = Wire::open(&stage).await;
    let mut other = Wire::open(&stage).await;
    for _ in 0..3 {
        assert_eq!(wire.post(&headers, &list).await.status, 200);
    }
    let before = Limit::AddressRate.refused();
    // Of this body nothing comes.
    let refused = wire.send(&head(&headers, 900_000), "").await;
    assert_eq!(refused.status, 429);
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1_190..=1_200).contains(&after), "{after}");
    assert_eq!(refused.header("ratelimit-limit"), Some("3"));
    assert_eq!(refused.header("ratelimit-remaining"), Some("0"));
    let reset: u64 = refused.header("ratelimit-reset").unwrap().parse().unwrap();
    assert!((3_590..=3_600).contains(&reset), "{reset}");
    assert_eq!(refused.header("content-type"), Some("application/json"));
    let error = &refused.body["error"];
    assert_eq!(
        (&refused.body["id"], &error["code"]),
        (&Value::Null, &json!(-31002))
    );
    assert_eq!(error["data"]["retryAfterSeconds"], after);
    assert!(Limit::AddressRate.refused() > before);
    // On this machine another connection may be another client behind a proxy.
    assert_eq!(other.post(&headers, &list).await.status, 200);
}

#[tokio::test]
async fn who_opens_too_many_sessions_keeps_those_there_are() {
    let stage = stage(FloodLimits {
        sessions: Some(Rate::per_hour(2)),
        ..FloodLimits::default()
    })
    .await;
    let hello = initialize("2025-11-25", json!({}));
    let mut wire = Wire::open(&stage).await;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let opened = wire.post("", &hello).await;
        assert_eq!(opened.status, 200);
        sessions.push(opened.header("mcp-session-id").unwrap().to_owned());
    }
    let refused = wire.post("", &hello).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.body["id"], "hello");
    assert_eq!(refused.body["error"]["code"], -31002);
    assert!(refused.header("mcp-session-id").is_none());
    assert!(refused.header("retry-after").is_some());
    for session in sessions {
        let header = format!("Mcp-Session-Id: {session}");
        let list = request(2, "tools/list", json!({}));
        assert_eq!(wire.post(&header, &list).await.status, 200);
    }
    let (headers, list) = modern(request(1, "tools/list", json!({})), json!({}));
    assert_eq!(wire.post(&headers, &list).await.status, 200);
    assert_eq!(Wire::open(&stage).await.post("", &hello).await.status, 200);
}
