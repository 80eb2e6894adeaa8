//! Sandboxed code that may call functions of its server: here, to look up prices.
//!
//! ```text
//! cargo run --example python_host
//! ```
//!
//! A model can now answer "what do three lamps and a desk cost?" with one call of `run_python_code`:
//! `3 * price("lamp") + price("desk")`. The functions are in the tool's description, with their types.

use std::process::ExitCode;
use std::sync::Arc;

use pymcp::tools::run_python_code::{self, Python};
use pymcp_kit::{Server, transport::stdio};
use pymcp_python::{HostError, HostFunctions, worker};
use schemars::JsonSchema;
use serde::Deserialize;

/// Every program that runs Python is its own worker: this counts a worker's memory.
#[global_allocator]
static ALLOCATOR: pymcp_python::Allocator = pymcp_python::Allocator;

/// Field names are the names of the parameters in Python.
#[derive(Deserialize, JsonSchema)]
struct Price {
    article: String,
    #[serde(default)]
    currency: Currency,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Currency {
    #[default]
    Eur,
    Chf,
}

/// The code is not trusted, and neither are its arguments: this one looks up, and nothing else.
async fn price(args: Price) -> Result<f64, HostError> {
    let euros = match args.article.as_str() {
        "lamp" => 35.0,
        "desk" => 210.0,
        _ => return Err("There is no such article.".into()),
    };
    Ok(match args.currency {
        Currency::Eur => euros,
        Currency::Chf => euros * 0.95,
    })
}

fn main() -> ExitCode {
    // Before anything else.
    if worker::is_requested() {
        return worker::main();
    }
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[tokio::main]
async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let python = Python {
        host: Arc::new(HostFunctions::new().function("price", price)?),
        ..Python::default()
    };
    let pool = python.pool.clone();
    let server = Server::builder("python-host", env!("CARGO_PKG_VERSION"))
        .tool(run_python_code::tool(python))
        .build()?;
    let served = stdio::serve_process(server).await;
    // While there is a runtime that waits for the workers.
    pool.close().await;
    Ok(served?)
}
