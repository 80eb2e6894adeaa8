//! A server whose handlers wait for ever, and the scales.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use pymcp_kit::auth::Permit;
use pymcp_kit::core::{Connection, Event, Exchange};
use pymcp_kit::{
    Completion, CompletionRequest, Ctx, Effect, Error, NoArgs, Principal, Prompt, Resource,
    ResourceTemplate, Result, Server, TaskSupport, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::MEMORY;

/// What is kept beside four times what was sent.
const BESIDE: usize = 64 << 10;

#[derive(Deserialize, JsonSchema)]
struct Text {
    #[allow(dead_code)]
    text: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Work {
    text: String,
    /// Handlers have their own types; this one is smaller than its text.
    flags: Vec<bool>,
}

async fn wait(work: Work) -> Result<&'static str> {
    std::future::pending::<()>().await;
    drop((work.text, work.flags));
    Ok("never")
}

async fn ask(ctx: Ctx, _: NoArgs) -> Result<String> {
    ctx.elicit::<u8>("How many?").await?;
    std::future::pending().await
}

fn server() -> Server {
    Server::builder("test", "1.0.0")
        .tool(Tool::new("wait", |_: Ctx, work: Work| wait(work)))
        .tool(Tool::new("cached", |_: Ctx, work: Work| wait(work)).cached())
        .tool(Tool::new("ask", ask).effects([Effect::AsksUser]))
        .tool(Tool::new("task", |_: Ctx, work: Work| wait(work)).task(TaskSupport::Optional))
        .prompt(
            Prompt::new("wait", async |_: Ctx, text: Text| {
                std::future::pending::<()>().await;
                Ok::<_, Error>(text.text)
            })
            .complete("text", async |_: Ctx, typed: CompletionRequest| {
                std::future::pending::<()>().await;
                Ok::<_, Error>(Completion::of([typed.value]))
            }),
        )
        .resource(Resource::new("data://x", "x", async |_: Ctx| {
            Ok::<_, Error>("x")
        }))
        .resource(Resource::new("data://wait", "w", async |_: Ctx| {
            std::future::pending::<()>().await;
            Ok::<_, Error>("never")
        }))
        .template(ResourceTemplate::new(
            "text://{text}",
            "text",
            async |_: Ctx, text: Text| {
                std::future::pending::<()>().await;
                Ok::<_, Error>(text.text)
            },
        ))
        .build()
        .unwrap()
}

/// One at a time: what another test allocates would be on the scales as well.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server that has answered before, so that what it makes ready once is there.
pub(crate) struct Stage {
    pub(crate) server: Server,
    runtime: tokio::runtime::Runtime,
    _alone: MutexGuard<'static, ()>,
}

/// What the server keeps, and what came of it.
pub(crate) struct Kept {
    pub(crate) bytes: usize,
    pub(crate) answer: Option<Value>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let alone = alone();
        let stage = Self {
            server: server(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap(),
            _alone: alone,
        };
        for connection in [stage.legacy(), Connection::stateless(Principal::ANONYMOUS)] {
            for method in ["tools/call", "tools/list", "prompts/get", "resources/read"] {
                let params = modern(json!({ "name": "wait", "uri": "data://x" }), json!({}));
                stage.keep(&connection, [request(method, &params)]);
            }
        }
        stage
    }

    /// A session.
    pub(crate) fn legacy(&self) -> Arc<Connection> {
        let connection = Connection::new(Principal::ANONYMOUS);
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "test", "version": "1.0" },
        });
        let kept = self.keep(&connection, [request("initialize", &params)]);
        assert!(kept.answer.unwrap()["result"].is_object());
        connection
    }

    /// What is kept of these messages while their calls last, and the last answer of those that
    /// are over.
    pub(crate) fn keep(
        &self,
        connection: &Arc<Connection>,
        messages: impl IntoIterator<Item = String>,
    ) -> Kept {
        let _runtime = self.runtime.enter();
        let messages: Vec<String> = messages.into_iter().collect();
        let mut going: Vec<Exchange> = Vec::with_capacity(messages.len());
        let mut last = None;
        let before = MEMORY.allocated();
        for message in &messages {
            let reply = match self.server.parse(message.as_bytes()) {
                Ok(body) => self
                    .server
                    .receive(connection, &Permit::unrestricted(), body),
                Err(refused) => panic!("{refused:?}"),
            };
            match reply.into_exchange() {
                Ok(mut exchange) => match answer(&mut exchange) {
                    Some(answer) => last = Some(answer),
                    None => going.push(exchange),
                },
                Err(answer) => last = answer.map(|answer| answer.body),
            }
        }
        // What was spawned has begun.
        self.runtime.block_on(async {
            for _ in 0..16 {
                tokio::task::yield_now().await;
            }
        });
        let answered = last.as_ref().map_or(0, |answer| answer.len());
        let bytes = MEMORY.allocated().saturating_sub(before + answered);
        Kept {
            bytes,
            answer: last.map(|answer| serde_json::from_slice(&answer).unwrap()),
        }
    }

    /// The same, and that it is no more than anybody may have kept.
    pub(crate) fn assert_bounded(
        &self,
        what: &str,
        connection: &Arc<Connection>,
        messages: impl IntoIterator<Item = String>,
    ) -> Kept {
        let messages: Vec<String> = messages.into_iter().collect();
        let sent: usize = messages.iter().map(String::len).sum();
        let kept = self.keep(connection, messages);
        assert!(
            kept.bytes <= 4 * sent + BESIDE,
            "{what}: {} bytes are kept of {sent}",
            kept.bytes
        );
        kept
    }
}

/// The answer, if it is there; what is said before it is taken off.
pub(crate) fn answer(exchange: &mut Exchange) -> Option<bytes::Bytes> {
    loop {
        match exchange.next_event().now_or_never()?? {
            Event::Answer(answer) => return Some(answer.body),
            Event::Message(_) | Event::Release => {}
        }
    }
}

/// A request with an id that no other has.
pub(crate) fn request(method: &str, params: &Value) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// Params with a modern envelope.
pub(crate) fn modern(mut params: Value, capabilities: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
    params
}

/// Whether a client may say that much of itself.
pub(crate) fn is_short(capabilities: &Value, client: &Value) -> bool {
    let mut client = client.clone();
    if let Some(client) = client.as_object_mut() {
        client.remove("icons");
    }
    capabilities.to_string().len() + client.to_string().len() <= 16 << 10
}

/// A modern client that can be asked, and takes tasks.
pub(crate) fn able() -> Value {
    json!({ "elicitation": {}, "extensions": { "io.modelcontextprotocol/tasks": {} } })
}
