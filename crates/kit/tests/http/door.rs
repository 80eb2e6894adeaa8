//! Who may ask, and what they see.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pymcp_kit::auth::{Authentication, Authenticator, Credentials, Denied, Identity, Scopes};
use pymcp_kit::metrics::Metrics;
use pymcp_kit::transport::http::{Endpoints, HttpConfig, Parts};
use pymcp_kit::{Ctx, Error, NoArgs, Prompt, Resource, Result, Server, ServerBuilder, Tool};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::stage::*;

/// Knows people by their names.
#[derive(Clone, Default)]
struct Guard {
    issuers: Vec<String>,
    revoked: CancellationToken,
}

type Found<'a> = Pin<Box<dyn Future<Output = Result<Identity, Denied>> + Send + 'a>>;

impl Authenticator for Guard {
    fn authenticate<'a>(&'a self, head: &'a Parts) -> Found<'a> {
        Box::pin(async move {
            let token = Credentials::of(&head.headers)?.token();
            let scopes = match token {
                "alice" => "stock:read stock:write",
                "bob" | "carl" | "dora" => "stock:read",
                "nobody" => return Err(Denied::Scopes(Scopes::parse("stock:read").unwrap())),
                "later" => {
                    let retry_after = Duration::from_secs(7);
                    return Err(Denied::Unavailable { retry_after });
                }
                _ => return Err(Denied::Invalid("The access token is not known.")),
            };
            let mut identity = Identity::new(token);
            identity.scopes = Scopes::parse(scopes).unwrap();
            match token {
                "carl" => identity.revoked = self.revoked.clone(),
                "dora" => identity.expires = Some(SystemTime::now() + Duration::from_millis(300)),
                _ => {}
            }
            Ok(identity)
        })
    }

    fn issuers(&self) -> Vec<String> {
        self.issuers.clone()
    }

    fn required_scopes(&self) -> Scopes {
        Scopes::parse("stock:read").unwrap()
    }
}

async fn whoami(ctx: Ctx, _: NoArgs) -> Result<String> {
    Ok(ctx.principal().subject().unwrap_or("nobody").to_owned())
}

fn server() -> Server {
    builder().build().unwrap()
}

fn builder() -> ServerBuilder {
    Server::builder("test", "1.0.0")
        .tool(Tool::new("whoami", whoami).cached())
        .tool(Tool::new("take", whoami).scopes(["stock:write"]))
        .resource(
            Resource::new("stock://all", "all", async |_: Ctx| Ok::<_, Error>("10"))
                .scopes(["stock:write"]),
        )
        .prompt(
            Prompt::new("order", async |_: Ctx, _: NoArgs| {
                Ok::<_, Error>("Order.".to_owned())
            })
            .scopes(["stock:write", "stock:read"]),
        )
}

async fn stage(guard: Guard, change: impl FnOnce(&mut HttpConfig)) -> Stage {
    let mut config = patient();
    config.auth = Authentication {
        authenticator: Some(Arc::new(guard)),
        ..Authentication::default()
    };
    change(&mut config);
    Stage::serving(server(), config).await
}

fn with_issuer() -> Guard {
    Guard {
        issuers: vec!["https://login.example".into()],
        ..Guard::default()
    }
}

fn bearer(name: &str) -> String {
    format!("Authorization: Bearer {name}\n{BOTH}")
}

/// A modern request of somebody.
async fn ask(stage: &Stage, name: &str, method: &str, params: Value) -> Response {
    let uri = params["uri"].as_str();
    let uri = uri.map_or_else(String::new, |uri| format!("\nMcp-Name: {uri}"));
    let (headers, message) = modern(request(1, method, params), json!({}));
    let headers = format!("{headers}{uri}\n{}", bearer(name));
    stage.post("/mcp", &headers, &message).await
}

#[tokio::test]
async fn who_has_no_good_token_is_refused_before_the_body_is_read() {
    let stage = stage(with_issuer(), |_| {}).await;
    let metadata =
        "resource_metadata=\"http://localhost/.well-known/oauth-protected-resource/mcp\"";
    for (headers, status, error) in [
        ("", 401, None),
        ("Authorization: Basic YTpi", 401, None),
        ("Authorization: Bearer wrong", 401, Some("invalid_token")),
        ("X-Api-Key: wrong", 401, Some("invalid_token")),
        ("Authorization: Bearer", 401, None),
        (
            "Authorization: Bearer \nX-Api-Key: bob",
            400,
            Some("invalid_request"),
        ),
        (
            "Authorization: Bearer bob\nAuthorization: Bearer bob",
            400,
            Some("invalid_request"),
        ),
        (
            "Authorization: Bearer bob\nX-Api-Key: bob",
            400,
            Some("invalid_request"),
        ),
        (
            "Authorization: Bearer nobody",
            403,
            Some("insufficient_scope"),
        ),
    ] {
        for method in ["POST", "GET", "DELETE"] {
            // The body that is announced never comes.
            let head = format!(
                "{method} /mcp?access_token=bob HTTP/1.0\r\nHost: localhost\r\nContent-Length: 1000\r\n{}\r\n\r\n",
                headers.replace('\n', "\r\n")
            );
            let mut stream = TcpStream::connect(stage.address).await.unwrap();
            stream
                .write_all(head.replace("\r\n\r\n\r\n", "\r\n\r\n").as_bytes())
                .await
                .unwrap();
            let refused = Response::read(tokio::io::BufReader::new(stream)).await;
            assert_eq!(refused.status, status, "{method} {headers}");
            let challenge = refused.header("www-authenticate").expect("a challenge");
            assert!(challenge.starts_with("Bearer "), "{challenge}");
            assert!(challenge.contains("scope=\"stock:read\""), "{challenge}");
            assert!(challenge.contains(metadata), "{challenge}");
            let named = error.is_none_or(|error| challenge.contains(&format!("error=\"{error}\"")));
            assert!(
                named && challenge.contains("error") == error.is_some(),
                "{challenge}"
            );
            let sentence = &refused.answer()["error"]["message"];
            assert!(sentence.as_str().unwrap().ends_with('.'), "{sentence}");
            assert!(!refused.body.contains("wrong"), "{}", refused.body);
        }
    }
    let later = stage.send("GET", "/mcp", &bearer("later"), "").await;
    assert_eq!(
        (later.status, later.header("retry-after")),
        (503, Some("7"))
    );
    // Other paths are as without: there is nothing behind them.
    assert_eq!(stage.send("GET", "/", "", "").await.status, 404);
}

#[tokio::test]
async fn who_has_a_token_is_known_by_it() {
    let stage = stage(Guard::default(), |_| {}).await;
    // The same cached question, of two people, on one connection.
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    for (header, name) in [
        ("Authorization: Bearer bob", "bob"),
        ("X-Api-Key: alice", "alice"),
        ("Authorization: bearer bob", "bob"),
    ] {
        let call = request(
            1,
            "tools/call",
            json!({ "name": "whoami", "arguments": {} }),
        );
        let (headers, message) = modern(call, json!({}));
        let message = message.to_string();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{JSON}\r\n{header}\r\n{}\r\nContent-Length: {}\r\n\r\n{message}",
            headers.replace('\n', "\r\n"),
            message.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains("\"text\"") {
            assert!(soon(stream.read_buf(&mut answer)).await.unwrap() > 0);
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains(&format!("\"text\":\"{name}\"")), "{answer}");
    }
}

#[tokio::test]
async fn metadata_say_where_tokens_come_from() {
    let stage = stage(with_issuer(), |config| {
        config.path_prefix = "/team".parse().unwrap();
        config.auth.resource = Some("https://mcp.example/outside/mcp".into());
        config.auth.scopes_supported = Some(Scopes::parse("api://x/.default").unwrap());
    })
    .await;
    let path = "/.well-known/oauth-protected-resource";
    for target in ["", "/team/mcp", "/outside/mcp"] {
        let found = stage.send("GET", &format!("{path}{target}"), "", "").await;
        assert_eq!(found.status, 200, "{target}");
        assert_eq!(
            found.answer(),
            json!({
                "resource": "https://mcp.example/outside/mcp",
                "authorization_servers": ["https://login.example"],
                "bearer_methods_supported": ["header"],
                "scopes_supported": ["api://x/.default"],
            })
        );
    }
    assert_eq!(stage.send("POST", path, "", "").await.status, 405);
    assert_eq!(
        stage
            .send("GET", &format!("{path}/other"), "", "")
            .await
            .status,
        404
    );
    let refused = stage.send("GET", "/team/mcp", "", "").await;
    let challenge = refused.header("www-authenticate").unwrap();
    let metadata = "https://mcp.example/.well-known/oauth-protected-resource/outside/mcp";
    assert!(challenge.contains(metadata), "{challenge}");
    // Tokens that people hand out come from nowhere.
    let stage = self::stage(Guard::default(), |_| {}).await;
    assert_eq!(stage.send("GET", path, "", "").await.status, 404);
    let refused = stage.send("GET", "/mcp", "", "").await;
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(!challenge.contains("resource_metadata"), "{challenge}");
}

#[tokio::test]
async fn what_a_caller_may_not_use_is_not_there() {
    let stage = stage(Guard::default(), |_| {}).await;
    for (name, tools, rest) in [("alice", 2, 1), ("bob", 1, 0)] {
        for (method, member, count) in [
            ("tools/list", "tools", tools),
            ("resources/list", "resources", rest),
            ("prompts/list", "prompts", rest),
        ] {
            let listed = ask(&stage, name, method, json!({})).await.answer();
            let members = listed["result"][member].as_array().unwrap();
            assert_eq!(members.len(), count, "{name} {method}");
        }
    }
    for (method, hidden, unknown) in [
        (
            "tools/call",
            json!({ "name": "take", "arguments": {} }),
            json!({ "name": "none", "arguments": {} }),
        ),
        (
            "prompts/get",
            json!({ "name": "order" }),
            json!({ "name": "none" }),
        ),
        (
            "resources/read",
            json!({ "uri": "stock://all" }),
            json!({ "uri": "stock://none" }),
        ),
        (
            "completion/complete",
            completion("order"),
            completion("none"),
        ),
    ] {
        let allowed = ask(&stage, "alice", method, hidden.clone()).await.answer();
        let error = &allowed["error"]["message"];
        assert!(
            error.is_null() || method == "completion/complete",
            "{allowed}"
        );
        let of_hidden = ask(&stage, "bob", method, hidden).await;
        let of_unknown = ask(&stage, "bob", method, unknown).await;
        assert_eq!(of_hidden.status, of_unknown.status, "{method}");
        let text = of_hidden.body.replace("stock://all", "stock://none");
        assert_eq!(text, of_unknown.body, "{method}");
    }
}

fn completion(name: &str) -> Value {
    let reference = json!({ "type": "ref/prompt", "name": name });
    json!({ "ref": reference, "argument": { "name": "a", "value": "" } })
}

#[tokio::test]
async fn who_can_ask_for_more_is_told_what_is_missing() {
    let stage = stage(with_issuer(), |_| {}).await;
    let take = json!({ "name": "take", "arguments": {} });
    let refused = ask(&stage, "bob", "tools/call", take.clone()).await;
    let session = open(&stage, "bob").await;
    let legacy = request(1, "tools/call", take);
    let headers = format!("{session}\n{}", bearer("bob"));
    for refused in [refused, stage.post("/mcp", &headers, &legacy).await] {
        assert_eq!(refused.status, 403);
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.contains("error=\"insufficient_scope\""),
            "{challenge}"
        );
        assert!(challenge.contains("scope=\"stock:write\""), "{challenge}");
        let answer = refused.answer();
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&json!(1), &json!(-31003))
        );
        let sentence = answer["error"]["message"].as_str().unwrap();
        assert!(sentence.contains("stock:write"), "{sentence}");
    }
}

/// Opens a session, and gives its header.
async fn open(stage: &Stage, name: &str) -> String {
    let hello = initialize("2025-11-25", json!({}));
    let opened = stage.post("/mcp", &bearer(name), &hello).await;
    format!(
        "Mcp-Session-Id: {}",
        opened.header("mcp-session-id").expect("a session")
    )
}

#[tokio::test]
async fn somebody_elses_session_does_not_exist() {
    let stage = stage(Guard::default(), |_| {}).await;
    let session = open(&stage, "bob").await;
    let ping = request(1, "ping", json!({}));
    let of = |name| format!("{session}\n{}", bearer(name));
    for method in ["POST", "GET", "DELETE"] {
        let refused = match method {
            "POST" => stage.post("/mcp", &of("alice"), &ping).await,
            _ => stage.send(method, "/mcp", &of("alice"), "").await,
        };
        assert_eq!(refused.status, 404, "{method}");
    }
    assert_eq!(stage.post("/mcp", &of("bob"), &ping).await.status, 200);
    assert_eq!(
        stage.send("DELETE", "/mcp", &of("bob"), "").await.status,
        200
    );
    assert_eq!(stage.post("/mcp", &of("bob"), &ping).await.status, 404);
}

#[tokio::test]
async fn streams_end_with_the_token() {
    for endpoints in [Endpoints::Streamable, Endpoints::LegacySse] {
        let guard = Guard::default();
        let stage = stage(guard.clone(), |config| config.endpoints = endpoints).await;
        let stream = async |name: &str| match endpoints {
            Endpoints::Streamable => {
                let headers = format!("{}\n{}", open(&stage, name).await, bearer(name));
                stage.open("GET", "/mcp", &headers, "").await
            }
            Endpoints::LegacySse => stage.open("GET", "/sse", &bearer(name), "").await,
        };
        let mut expires = stream("dora").await;
        while line(&mut expires).await.is_some() {}
        let mut revoked = stream("carl").await;
        assert_eq!(line(&mut revoked).await.as_deref(), Some("HTTP/1.0 200 OK"));
        guard.revoked.cancel();
        while line(&mut revoked).await.is_some() {}
    }
}

#[tokio::test]
async fn subscriptions_end_with_the_token_and_hear_nothing_of_what_is_hidden() {
    let guard = Guard::default();
    let stage = stage(guard.clone(), |_| {}).await;
    let wanted = json!({ "notifications": {
        "toolsListChanged": true,
        "resourceSubscriptions": ["stock://all", "data://other"],
    }});
    let (headers, message) = modern(request(1, "subscriptions/listen", wanted), json!({}));
    let headers = format!(
        "Content-Type: application/json\n{headers}\n{}",
        bearer("carl")
    );
    let mut stream = stage
        .open("POST", "/mcp", &headers, &message.to_string())
        .await;
    let acknowledged = data(&mut stream).await.expect("an acknowledgement");
    assert_eq!(
        acknowledged["method"],
        "notifications/subscriptions/acknowledged"
    );
    stage.server.components().updated("stock://all");
    stage.server.components().updated("data://other");
    let heard = data(&mut stream).await.expect("news");
    assert_eq!(heard["params"]["uri"], "data://other");
    guard.revoked.cancel();
    let end = data(&mut stream).await.expect("its result");
    assert_eq!(end["result"]["resultType"], "complete");
    assert!(data(&mut stream).await.is_none());
}

#[test]
fn a_word_that_is_no_scope_is_refused_at_start() {
    let tool = Tool::new("take", whoami).scopes(["stock write"]);
    let error = Server::builder("test", "1.0.0").tool(tool).build();
    let error = error.err().expect("no server").to_string();
    assert!(error.contains("'stock write' is not a scope"), "{error}");
}

#[tokio::test]
async fn what_is_denied_is_counted_by_its_reason_and_sessions_and_connections_are_measured() {
    let metrics = Metrics::new();
    let server = builder().metrics(&metrics).build().unwrap();
    let mut config = patient();
    config.auth.authenticator = Some(Arc::new(with_issuer()));
    let stage = Stage::serving(server, config).await;
    for headers in [
        "",
        "Authorization: Bearer wrong",
        "Authorization: Bearer bob\nX-Api-Key: bob",
        "Authorization: Bearer nobody",
        "Authorization: Bearer later",
    ] {
        assert_ne!(stage.send("GET", "/mcp", headers, "").await.status, 200);
    }
    let take = json!({ "name": "take", "arguments": {} });
    assert_eq!(ask(&stage, "bob", "tools/call", take).await.status, 403);
    let opened = initialize("2025-11-25", json!({}));
    assert_eq!(
        stage.post("/mcp", &bearer("bob"), &opened).await.status,
        200
    );
    let text = metrics.text();
    for line in [
        "mcp_server_refusals_total{reason=\"token_missing\"} 1",
        "mcp_server_refusals_total{reason=\"token_invalid\"} 1",
        "mcp_server_refusals_total{reason=\"token_malformed\"} 1",
        "mcp_server_refusals_total{reason=\"token_unverified\"} 1",
        "mcp_server_refusals_total{reason=\"scopes\"} 2",
        "mcp_server_places{kind=\"sessions\"} 1",
        "mcp_server_places_max{kind=\"sessions\"} 16384",
        "mcp_server_places_max{kind=\"connections\"} 1024",
        "mcp_server_places_max{kind=\"resumable_streams\"} 512",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}: {text}");
    }
    assert!(!text.contains("tls_reloads_total"), "{text}");
}
