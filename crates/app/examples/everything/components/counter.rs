//! Shows: a resource that a tool changes, and that clients subscribe to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pymcp_kit::{Ctx, NoArgs, Resource, Result, Tool};

use super::icons;

const URI: &str = "data://counter";

/// How often anybody has counted: it is the server's, not a caller's.
pub(crate) type Counter = Arc<AtomicU64>;

/// The tool, as clients see it.
pub(crate) fn tool(counter: &Counter) -> Tool {
    Tool::new("count", count)
        .with(Arc::clone(counter))
        .title("Count")
        .description("Adds one to the server's counter, which is read at data://counter.")
        .destructive(false)
        .idempotent(false)
        .open_world(false)
}

async fn count(ctx: Ctx, counter: Counter, _: NoArgs) -> Result<u64> {
    let now = counter.fetch_add(1, Ordering::Relaxed) + 1;
    // After the change: whoever hears of it and reads at once sees it.
    ctx.components().updated(URI);
    Ok(now)
}

/// The resource, as clients see it.
pub(crate) fn resource(counter: &Counter) -> Resource {
    Resource::new(URI, "counter", read)
        .with(Arc::clone(counter))
        .title("Counter")
        .description("How often the tool `count` was called, by anybody.")
        .mime_type("text/plain")
        .icons([icons::disc("tomato")])
}

async fn read(_: Ctx, counter: Counter) -> Result<String> {
    Ok(counter.load(Ordering::Relaxed).to_string())
}
