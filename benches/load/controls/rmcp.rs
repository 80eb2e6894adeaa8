//! Control: the same call on the official SDK's own server runtime, set up as well as it can be:
//! stateless in both eras, plain JSON answers, the router built once, no Nagle delay.

use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt;
use rmcp::handler::server::{router::tool::ToolRouter, wrapper::Parameters};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{Json, ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// The name to greet.
    name: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Greeting {
    result: String,
}

#[derive(Clone)]
struct Control {
    router: Arc<ToolRouter<Self>>,
}

#[tool_router]
impl Control {
    /// Says hello.
    #[tool]
    async fn greet(&self, Parameters(args): Parameters<Args>) -> Json<Greeting> {
        let name = args.name.as_deref().unwrap_or("World");
        Json(Greeting {
            result: format!(
                "Hello, {name}! Welcome to the control-rmcp 0.1.0 server! The current date time in UTC is \
                 2026-11-22T09:23:16.747614+00:00. This response may be cached."
            ),
        })
    }
}

// Without `router = …` the macro builds the whole router anew for every call.
#[tool_handler(router = self.router)]
impl ServerHandler for Control {}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    writeln!(std::io::stderr(), "listening on http://{address}/mcp")?;
    // Without this a streamed answer waits some 40 ms for a delayed ACK.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));

    let mut config = StreamableHttpServerConfig::default().with_json_response(true);
    config.legacy_session_mode = false;
    let control = Control {
        router: Arc::new(Control::tool_router()),
    };
    let service = StreamableHttpService::new(
        move || Ok(control.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    axum::serve(listener, Router::new().route_service("/mcp", service)).await
}
