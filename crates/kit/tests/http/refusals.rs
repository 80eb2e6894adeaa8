//! What is refused before it is a request is told, with its reason and the setting that moves it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use pymcp_kit::telemetry::{Observer, Refused, Served, Transport};
use pymcp_kit::{Ctx, NoArgs, Result, Server, Tool};
use serde_json::json;

use crate::stage::{BOTH, JSON, Stage, call, modern, patient};

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Observer for Told {
    fn served(&self, served: &Served<'_>) {
        assert_eq!(served.transport, Transport::Http);
        let trace = served.trace.map(|trace| trace.trace_id());
        self.0
            .lock()
            .unwrap()
            .push(format!("served {} {trace:?}", served.method));
    }

    fn refused(&self, refused: &Refused<'_>) {
        assert!(
            refused
                .address
                .is_some_and(|address: IpAddr| address.is_loopback())
        );
        self.0.lock().unwrap().push(format!(
            "{} {:?} {:?}",
            refused.reason,
            refused.status,
            refused.setting()
        ));
    }
}

async fn stage() -> (Stage, Told) {
    async fn talk(_: Ctx, _: NoArgs) -> Result<&'static str> {
        Ok("talked")
    }
    let told = Told::default();
    let server = Server::builder("test", "1.0.0")
        .tool(Tool::new("talk", talk))
        .observe(told.clone())
        .build()
        .unwrap();
    (Stage::serving(server, patient()).await, told)
}

#[tokio::test]
async fn each_refusal_is_one_event() {
    let (stage, told) = stage().await;
    for (method, target, headers, expected) in [
        (
            "POST",
            "http://evil.example/mcp",
            "",
            "host Some(403) Some(\"--allowed-hosts\")",
        ),
        (
            "POST",
            "/mcp",
            "Origin: https://evil.example",
            "origin Some(403) Some(\"--cors-origins\")",
        ),
        ("GET", "/nowhere", "", "not_found Some(404) None"),
        ("PUT", "/mcp", "", "http_method Some(405) None"),
        (
            "POST",
            "/mcp",
            "Content-Type: text/plain",
            "content_type Some(415) None",
        ),
        (
            "POST",
            "/mcp",
            "Content-Type: application/json\nAccept: text/html",
            "accept Some(406) None",
        ),
    ] {
        stage.send(method, target, headers, "").await;
        assert_eq!(told.take(), [expected], "{method} {target} {headers}");
    }
    stage.post("/mcp", BOTH, &call(1, "talk")).await;
    assert_eq!(told.take(), ["bad_request Some(400) None"], "no session");
    let headers = format!("Content-Type: application/json\n{JSON}");
    stage.send("POST", "/mcp", &headers, "{").await;
    assert_eq!(told.take(), ["malformed Some(400) None"]);
}

#[tokio::test]
async fn the_header_names_the_trace_where_the_message_does_not() {
    const HEADER: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    const OTHER: &str = "00-11111111111111111111111111111111-b7ad6b7169203331-00";
    let (stage, told) = stage().await;
    let (headers, mut message) = modern(call(1, "talk"), json!({}));
    let with = |extra: &str| format!("{BOTH}\n{headers}\n{extra}");
    let trace = |id: &str| [format!("served tools/call Some(\"{id}\")")];
    stage.post("/mcp", &with(HEADER), &message).await;
    assert_eq!(told.take(), trace("0af7651916cd43dd8448eb211c80319c"));
    for bad in [&format!("{HEADER}\n{HEADER}")[..], "traceparent: 00-x", ""] {
        stage.post("/mcp", &with(bad), &message).await;
        assert_eq!(told.take(), ["served tools/call None"], "{bad}");
    }
    message["params"]["_meta"]["traceparent"] = json!(OTHER);
    stage.post("/mcp", &with(HEADER), &message).await;
    assert_eq!(told.take(), trace("11111111111111111111111111111111"));
}
