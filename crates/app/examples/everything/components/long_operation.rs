//! Shows: progress, and that a call which is cancelled ends at once: the handler is dropped where it
//! waits, and does nothing for that.

use std::time::Duration;

use pymcp_kit::{Ctx, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::sleep;

use super::operations::Operations;

/// How long it should take.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
struct Args {
    /// Seconds in all.
    #[schemars(range(min = 0, max = 60))]
    seconds: f64,
    /// Steps to report.
    #[schemars(range(min = 1, max = 100))]
    steps: u32,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            seconds: 10.0,
            steps: 5,
        }
    }
}

/// The tool, as clients see it.
pub(crate) fn tool(operations: &Operations) -> Tool {
    Tool::new("long_operation", long_operation)
        .with(operations.clone())
        .title("Long operation")
        .description("Takes its time, step by step, and can be cancelled.")
        // More than the longest that can be wanted.
        .timeout(Duration::from_secs(70))
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
}

async fn long_operation(ctx: Ctx, operations: Operations, args: Args) -> Result<String> {
    let mut running = operations.begin(&ctx, "long_operation", args.steps);
    let pause = Duration::from_secs_f64(args.seconds / f64::from(args.steps));
    for step in 1..=args.steps {
        running.at(step);
        let (done, all) = (f64::from(step - 1), f64::from(args.steps));
        let message = format!("Step {step} of {all}.");
        ctx.progress(done, Some(all), Some(&message)).await;
        sleep(pause).await;
    }
    let all = f64::from(args.steps);
    ctx.progress(all, Some(all), Some("Done.")).await;
    Ok(format!("Done in {} steps.", args.steps))
}
