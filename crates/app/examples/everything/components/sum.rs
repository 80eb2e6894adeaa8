//! Shows: arguments and a result that are plain Rust types.

use pymcp_kit::{Ctx, Error, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// What to add up.
#[derive(Debug, Deserialize, JsonSchema)]
struct Args {
    /// The first number.
    a: f64,
    /// The second number.
    b: f64,
}

/// The tool, as clients see it.
pub(crate) fn tool() -> Tool {
    Tool::new("sum", sum)
        .title("Sum")
        .description("Adds two numbers.")
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
        .cached()
}

async fn sum(_: Ctx, args: Args) -> Result<f64> {
    let sum = args.a + args.b;
    // JSON has no infinity.
    match sum.is_finite() {
        true => Ok(sum),
        false => Err(Error::user("The sum is too large; use smaller numbers.")),
    }
}
