//! A good server of the kit, in process and over HTTP, and what no process shows: slow starts, plain connections.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Parser;
use http::HeaderMap;
use pymcp_kit::transport::http::{Endpoints, HttpConfig, serve};
use pymcp_kit::{Ctx, Error, NoArgs, Prompt, Resource, ResourceTemplate, Server, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use url::Url;

use super::checks;
use super::finding::{Findings, Severity};
use super::observed::{HttpSeen, Lists, Observed, Outcome, Over, Stream};
use super::probe::http::Endpoint;
use super::probe::web::Web;
use super::probe::{self, Options, Target};
use crate::client::TargetArgs;

#[derive(Deserialize, JsonSchema)]
struct Order {
    /// What to order.
    what: String,
    /// How many.
    #[schemars(range(min = 1, max = 10))]
    count: Option<u8>,
}

#[derive(Serialize, JsonSchema)]
struct Stock {
    /// What there is.
    items: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Shelf {
    /// Its number.
    shelf: u32,
}

/// A server with a component of each kind.
fn good() -> Server {
    let stock = async |_: Ctx, _: NoArgs| {
        Ok::<_, Error>(Stock {
            items: vec!["tea".into()],
        })
    };
    let order = async |_: Ctx, order: Order| {
        Ok::<_, Error>(format!("{} × {}", order.count.unwrap_or(1), order.what))
    };
    Server::builder("shop", "1.0.0")
        .instructions("Sells tea.")
        .tool(
            Tool::new("stock", stock)
                .description("Says what there is.")
                .read_only(),
        )
        .tool(
            Tool::new("order", order)
                .description("Orders something.")
                .destructive(false),
        )
        .resource(
            Resource::new("data://prices", "prices", async |_: Ctx| {
                Ok::<_, Error>("1")
            })
            .description("The prices.")
            .mime_type("text/plain"),
        )
        .template(
            ResourceTemplate::new(
                "data://shelf/{shelf}",
                "shelf",
                async |_: Ctx, one: Shelf| Ok::<_, Error>(one.shelf.to_string()),
            )
            .description("A shelf.")
            .mime_type("text/plain"),
        )
        .prompt(
            Prompt::new("thank", async |_: Ctx, _: NoArgs| {
                Ok::<_, Error>("Thank them.".to_owned())
            })
            .description("Thanks a customer."),
        )
        .build()
        .unwrap()
}

fn options() -> Options {
    Options {
        patience: Duration::from_secs(20),
        call: Vec::new(),
    }
}

/// The findings that are no notes.
fn bad(seen: &Observed) -> Vec<String> {
    let mut found = Findings::default();
    checks::judge(seen, &mut found);
    let all = found.sorted().into_iter();
    let bad = all.filter(|finding| finding.severity < Severity::Note);
    bad.map(|finding| format!("{}: {} {}", finding.id, finding.subject, finding.what))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_server_has_nothing_to_find() {
    let target = Target::Own("shop".into(), good());
    let seen = probe::observe(&target, &options()).await.unwrap();
    assert_eq!(bad(&seen), [""; 0]);
    assert_eq!((seen.lists.tools.items.len(), seen.calls.len()), (2, 1));
    assert!(seen.calls[0].1.result().is_some(), "{:?}", seen.calls);
    assert_eq!(seen.revisions.len(), 4);

    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let never = std::future::pending::<()>();
    tokio::spawn(serve(listener, good(), HttpConfig::default(), never));
    let url = Url::parse(&format!("http://{address}/mcp")).unwrap();
    let web = Web::new(Endpoint::new(&url).unwrap(), HeaderMap::new());
    let seen = probe::observe(&Target::Url(Box::new(web)), &options())
        .await
        .unwrap();
    assert_eq!(bad(&seen), [""; 0]);
    let tried = seen.http.unwrap().tried;
    assert_eq!(tried.len(), 14, "{:?}", tried.keys());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_http_sse_is_looked_at_and_its_transport_named() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = HttpConfig {
        endpoints: Endpoints::LegacySse,
        ..HttpConfig::default()
    };
    tokio::spawn(serve(
        listener,
        good(),
        config,
        std::future::pending::<()>(),
    ));
    let url = format!("http://{address}/sse");
    let args = Line::parse_from(["doctor", "--url", &url]);
    let target = crate::verbs::doctor::found(&args.target).unwrap().unwrap();
    let seen = probe::observe(&target, &options()).await.unwrap();
    assert_eq!(
        bad(&seen),
        [format!(
            "transport-deprecated: {url} Its transport is HTTP+SSE."
        )]
    );
    assert_eq!((seen.lists.tools.items.len(), seen.calls.len()), (2, 1));
    assert!(seen.calls[0].1.result().is_some(), "{:?}", seen.calls);
    assert_eq!(seen.revisions.len(), 4);

    let args = Line::parse_from(["doctor", "--url", &format!("http://{address}/no/sse")]);
    let target = crate::verbs::doctor::found(&args.target).unwrap().unwrap();
    let refused = probe::observe(&target, &options()).await.unwrap_err();
    let sentence = refused.sentence().unwrap();
    assert!(sentence.contains("404"), "{sentence}");
    assert_eq!(refused.code(), 3);
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    target: TargetArgs,
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_a_unix_socket_is_looked_at_as_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.sock");
    let socket = pymcp_kit::transport::http::bind_unix(&path).unwrap();
    let never = std::future::pending::<()>();
    tokio::spawn(serve(socket, good(), HttpConfig::default(), never));
    let web = Web::new(Endpoint::unix(&path).unwrap(), HeaderMap::new());
    let target = Target::Url(Box::new(web));
    let seen = probe::observe(&target, &options()).await.unwrap();
    assert_eq!(bad(&seen), [""; 0]);
    assert_eq!(target.shown(), format!("unix:{}", path.display()));
}

/// What a server that answers well looks like, before something else is seen of it.
fn seen(over: Over) -> Observed {
    let said = json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": { "name": "a", "version": "1" },
    });
    Observed {
        over,
        target: "a".into(),
        start: Some(Duration::from_millis(5)),
        initialize: Outcome::Result(said),
        revisions: Vec::new(),
        discover: Outcome::Error(json!({ "code": -32601, "message": "" })),
        answers: BTreeMap::new(),
        lists: Lists::default(),
        calls: Vec::new(),
        stream: Stream::default(),
        http: None,
    }
}

fn ids(seen: &Observed) -> Vec<String> {
    let mut found = Findings::default();
    checks::judge(seen, &mut found);
    found.ids().into_iter().map(str::to_owned).collect()
}

#[test]
fn a_slow_start_is_as_bad_as_the_clients_that_it_breaks() {
    for (seconds, rule) in [
        (2, None),
        (5, Some("start-noticeable")),
        (11, Some("start-late")),
        (61, Some("start-slow")),
    ] {
        let mut slow = seen(Over::Stdio);
        slow.start = Some(Duration::from_secs(seconds));
        let expected: Vec<_> = [Some("modern-missing"), rule]
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(ids(&slow), expected, "{seconds} s");
        // Nobody starts what is there already.
        slow.over = Over::Http;
        assert_eq!(ids(&slow), ["modern-missing"]);
    }
}

#[test]
fn a_plain_connection_to_another_machine_is_found() {
    for (loopback, secure, found) in [
        (true, false, false),
        (false, true, false),
        (false, false, true),
    ] {
        let mut plain = seen(Over::Http);
        plain.http = Some(HttpSeen {
            loopback,
            secure,
            ..HttpSeen::default()
        });
        assert_eq!(ids(&plain).contains(&"cleartext".to_owned()), found);
    }
}

#[tokio::test]
async fn a_server_that_answers_with_a_flood_is_read_up_to_a_bound() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
                let mut sent = stream.write_all(head.as_bytes()).await;
                while sent.is_ok() {
                    sent = stream.write_all(&[b' '; 1 << 16]).await;
                }
            });
        }
    });
    let url = Url::parse(&format!("http://{address}/mcp")).unwrap();
    let web = Web::new(Endpoint::new(&url).unwrap(), HeaderMap::new());
    let seen = probe::observe(&Target::Url(Box::new(web)), &options())
        .await
        .unwrap();
    assert_eq!(seen.initialize, Outcome::Flooded);
    assert_eq!(ids(&seen), ["flood"]);
}
