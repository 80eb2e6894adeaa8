//! Request headers that the server's author has named: who sees them, and what they keep apart.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use pymcp_kit::middleware::{Middleware, Next, Request, ResponseFuture};
use pymcp_kit::transport::http::{Endpoints, HttpConfig};
use pymcp_kit::{
    Ctx, Effect, Elicited, Error, NoArgs, Prompt, Resource, Result, Server, TaskSupport, Tool,
    testing,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::stage::*;

/// Notes the tenant of every request.
#[derive(Clone, Default)]
struct Tenants(Arc<Mutex<Vec<Option<String>>>>);

impl Middleware for Tenants {
    fn on_request<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        let tenant = request.ctx.header("x-tenant").map(str::to_owned);
        self.0.lock().unwrap().push(tenant);
        next.run(request)
    }
}

fn tenant(ctx: &Ctx) -> String {
    // Nobody has named it.
    assert_eq!(ctx.header("authorization"), None);
    assert!(!format!("{ctx:?}").contains("acme"));
    assert_eq!(ctx.header("X-Tenant"), ctx.header("x-tenant"));
    ctx.header("x-tenant").unwrap_or("nobody").to_owned()
}

async fn ask(ctx: Ctx) -> Result<String> {
    let before = tenant(&ctx);
    Ok(match ctx.elicit::<bool>("Really?").await? {
        Elicited::Accepted(_) => format!("{before} {}", tenant(&ctx)),
        _ => "declined".to_owned(),
    })
}

/// A server that says whose request it is, and counts how often it had to.
fn server() -> (Server, Tenants, Arc<AtomicUsize>) {
    let (tenants, runs) = (Tenants::default(), Arc::<AtomicUsize>::default());
    let counts = Arc::clone(&runs);
    let whose = move |ctx: Ctx, _: NoArgs| {
        counts.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok::<_, Error>(tenant(&ctx)))
    };
    let kept = async |ctx: Ctx, _: NoArgs| -> Result<String> {
        tokio::task::yield_now().await;
        Ok(tenant(&ctx))
    };
    let server = Server::builder("test", "1.0.0")
        .headers(["X-Tenant", "x-region"])
        .middleware(tenants.clone())
        .tool(Tool::new("whose", whose).cached())
        .tool(Tool::new("ask", |ctx: Ctx, _: NoArgs| ask(ctx)).effects([Effect::AsksUser]))
        .tool(Tool::new("task", kept).task(TaskSupport::Required))
        .resource(
            Resource::new("data://whose", "whose", async |ctx: Ctx| {
                Ok::<_, Error>(tenant(&ctx))
            })
            .cached(),
        )
        .prompt(
            Prompt::new("whose", async |ctx: Ctx, _: NoArgs| -> Result<String> {
                Ok(tenant(&ctx))
            })
            .cached(),
        )
        .build()
        .unwrap();
    (server, tenants, runs)
}

async fn stage() -> (Stage, Tenants, Arc<AtomicUsize>) {
    let (server, tenants, runs) = server();
    (Stage::serving(server, patient()).await, tenants, runs)
}

const ACME: &str = "X-Tenant: acme\nAuthorization: Bearer hunter2";

fn text(answer: &Value) -> &str {
    let result = &answer["result"];
    let text = [
        &result["content"][0]["text"],
        &result["contents"][0]["text"],
        &result["messages"][0]["content"]["text"],
    ];
    let text = text.into_iter().find_map(Value::as_str);
    text.unwrap_or_else(|| panic!("no text: {answer}"))
}

#[tokio::test]
async fn handlers_and_middleware_see_what_was_named_in_both_eras() {
    let (stage, tenants, _) = stage().await;
    let session = stage.session("2025-11-25", json!({})).await;
    let reads = [
        call(1, "whose"),
        request(2, "resources/read", json!({ "uri": "data://whose" })),
        request(3, "prompts/get", json!({ "name": "whose" })),
    ];
    for message in reads {
        let response = stage
            .post("/mcp", &format!("{session}\n{BOTH}\n{ACME}"), &message)
            .await;
        assert_eq!(text(&response.answer()), "acme");
        let (mut headers, message) = modern(message, json!({}));
        if let Some(uri) = message["params"]["uri"].as_str() {
            headers.push_str(&format!("\nMcp-Name: {uri}"));
        }
        let response = stage
            .post("/mcp", &format!("{headers}\n{BOTH}\n{ACME}"), &message)
            .await;
        assert_eq!(text(&response.answer()), "acme");
        let response = stage
            .post("/mcp", &format!("{headers}\n{BOTH}"), &message)
            .await;
        assert_eq!(text(&response.answer()), "nobody");
    }
    let tenants = tenants.0.lock().unwrap();
    let acme = tenants.iter().flatten().filter(|tenant| *tenant == "acme");
    assert_eq!((acme.count(), tenants.len()), (6, 10));
}

#[tokio::test]
async fn a_batch_and_a_session_of_legacy_sse_have_those_of_the_post() {
    let (stage, ..) = stage().await;
    let session = stage.session("2025-03-26", json!({})).await;
    let batch = json!([call(1, "whose"), call(2, "whose")]);
    let response = stage
        .post("/mcp", &format!("{session}\n{BOTH}\n{ACME}"), &batch)
        .await;
    let answers = response.answer();
    for answer in answers.as_array().unwrap() {
        assert_eq!(text(answer), "acme");
    }

    let (server, ..) = server();
    let config = HttpConfig {
        endpoints: Endpoints::LegacySse,
        ..patient()
    };
    let stage = Stage::serving(server, config).await;
    let mut stream = stage
        .open("GET", "/sse", &format!("{STREAM}\nX-Tenant: other"), "")
        .await;
    let target = loop {
        let line = line(&mut stream).await.expect("an endpoint");
        if let Some(target) = line.strip_prefix("data: ") {
            break target.to_owned();
        }
    };
    stage
        .post(&target, "", &initialize("2024-11-05", json!({})))
        .await;
    data(&mut stream).await;
    stage.post(&target, ACME, &call(1, "whose")).await;
    assert_eq!(text(&data(&mut stream).await.unwrap()), "acme");
}

#[tokio::test]
async fn results_are_cached_for_the_same_values_only() {
    let (stage, _, runs) = stage().await;
    let (headers, message) = modern(call(1, "whose"), json!({}));
    let whose = async |named: &str| {
        let response = stage
            .post("/mcp", &format!("{headers}\n{BOTH}\n{named}"), &message)
            .await;
        text(&response.answer()).to_owned()
    };
    for round in 0..2 {
        for (named, expected) in [
            ("X-Tenant: acme", "acme"),
            ("X-Tenant: zebra", "zebra"),
            ("X-Tenant: acme\nX-Region: eu", "acme"),
            ("X-Region: acme", "nobody"),
            ("X-Tenant;\nX-Other: acme", "nobody"),
            ("X-Other: zebra", "nobody"),
        ] {
            let named = named.replace(';', ":");
            let found = whose(&named).await;
            let expected = match named.starts_with("X-Tenant:\n") {
                true => "",
                false => expected,
            };
            assert_eq!(found, expected, "{round} {named}");
        }
    }
    // Those that nobody has named are not looked at; and the second round ran nothing.
    assert_eq!(runs.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn a_header_that_says_two_things_is_refused() {
    let (stage, tenants, _) = stage().await;
    let session = stage.session("2025-11-25", json!({})).await;
    let before = tenants.0.lock().unwrap().len();
    let (headers, message) = modern(call(1, "whose"), json!({}));
    let long = "a".repeat((4 << 10) + 1);
    for named in [
        "X-Tenant: hunter2\nx-tenant: acme",
        &format!("X-Tenant: {long}"),
    ] {
        for (headers, message) in [(&headers, &message), (&session, &call(1, "whose"))] {
            let response = stage
                .post("/mcp", &format!("{headers}\n{BOTH}\n{named}"), message)
                .await;
            let error = response.answer()["error"].clone();
            assert_eq!((response.status, &error["code"]), (400, &json!(-32600)));
            let why = error["message"].as_str().unwrap();
            assert!(
                why.contains("x-tenant") && !why.contains("hunter2"),
                "{why}"
            );
        }
    }
    assert_eq!(tenants.0.lock().unwrap().len(), before);
}

#[tokio::test]
async fn a_round_and_a_task_see_those_of_their_own_request() {
    let (stage, ..) = stage().await;
    let able = json!({ "elicitation": {}, "extensions": { "io.modelcontextprotocol/tasks": {} } });
    let post = async |message: Value, named: &str| {
        let (headers, message) = modern(message, able.clone());
        let headers = format!("{headers}\n{BOTH}\n{named}");
        stage.post("/mcp", &headers, &message).await.answer()["result"].clone()
    };
    // The answer comes with another request, of which the whole handler sees the headers.
    let asked = post(call(1, "ask"), ACME).await;
    let requests = asked["inputRequests"].as_object().unwrap();
    let name = requests.keys().next().unwrap();
    let mut again = call(2, "ask");
    again["params"]["requestState"] = asked["requestState"].clone();
    again["params"]["inputResponses"] =
        json!({ name: { "action": "accept", "content": { "value": true } } });
    let answered = post(again, "X-Tenant: zebra").await;
    assert_eq!(text(&json!({ "result": answered })), "zebra zebra");

    let task = post(call(3, "task"), ACME).await;
    let id = task["taskId"].as_str().unwrap().to_owned();
    let done = loop {
        let look = request(4, "tasks/get", json!({ "taskId": id }));
        let (headers, message) = modern(look, able.clone());
        let headers = format!("{headers}\nMcp-Name: {id}\n{BOTH}");
        let looked = stage.post("/mcp", &headers, &message).await.answer();
        if looked["result"]["status"] == "completed" {
            break looked["result"]["result"].clone();
        }
        assert_eq!(looked["result"]["status"], "working", "{looked}");
    };
    assert_eq!(text(&json!({ "result": done })), "acme");
}

#[tokio::test]
async fn there_are_none_over_stdio() {
    let (server, ..) = server();
    let mut client = BufReader::new(testing::connect(&server));
    for message in [initialize("2025-11-25", json!({})), call(1, "whose")] {
        let line = format!("{message}\n");
        client.write_all(line.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon(client.read_line(&mut answer)).await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        if answer["id"] == 1 {
            assert_eq!(text(&answer), "nobody");
        }
    }
}

#[test]
fn a_name_that_is_none_is_refused_at_build() {
    let refused = Server::builder("test", "1.0.0")
        .headers(["x tenant"])
        .build();
    let why = refused.map(drop).unwrap_err().to_string();
    assert!(why.contains("\"x tenant\""), "{why}");
}
