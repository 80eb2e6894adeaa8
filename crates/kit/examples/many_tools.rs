//! A server with as many tools as wanted, to measure that their number does not matter:
//! `many_tools --tools 1000` listens on a free port of 127.0.0.1 and names it on stderr.

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use pymcp_kit::transport::http::{self, HttpConfig};
use pymcp_kit::{CacheConfig, Ctx, NoArgs, Result, Server, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::net::TcpListener;

#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// The optional name to be greeted.
    name: Option<String>,
}

async fn greet(ctx: Ctx, args: Args) -> Result<String> {
    let name = args.name.as_deref().unwrap_or("World");
    ctx.info(format!("Greeting {name}.")).await;
    Ok(format!(
        "Hello, {name}! Welcome to the {} server!",
        ctx.server().name
    ))
}

async fn number(_: Ctx, _: NoArgs) -> Result<u32> {
    Ok(42)
}

fn server(tools: usize) -> Result<Server, Box<dyn Error>> {
    // Longer than any measurement, so that every call of one is answered from the cache.
    let cache = CacheConfig {
        ttl: Duration::from_secs(24 * 60 * 60),
        ..CacheConfig::default()
    };
    let greet = Tool::new("greet", greet)
        .description("Greets the caller.")
        .read_only()
        .cached();
    let mut builder = Server::builder("many-tools", "1.0.0")
        .cache(cache)
        .tool(greet);
    for i in 1..tools {
        // Names live as long as the program, which is as long as the server.
        let name: &'static str = format!("number_{i}").leak();
        builder = builder.tool(Tool::new(name, number).description("A number.").read_only());
    }
    Ok(builder.build()?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let tools = match &std::env::args().skip(1).collect::<Vec<_>>()[..] {
        [] => 7,
        [flag, count] if flag == "--tools" => count.parse()?,
        _ => return Err("usage: many_tools [--tools N]".into()),
    };
    let server = server(tools)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(
        std::io::stderr(),
        "pymcp: listening on http://{}/mcp",
        listener.local_addr()?
    )?;
    http::serve(listener, server, HttpConfig::default(), async {
        tokio::signal::ctrl_c().await
    })
    .await;
    Ok(())
}
