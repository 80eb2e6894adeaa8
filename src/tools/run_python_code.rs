//! Runs Python that the caller wrote, in a worker that can do nothing else.

use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pymcp_kit::model::{ContentBlock, MetaObject};
use pymcp_kit::{Ctx, Effect, Error, Result, Tool, ToolResult};
use pymcp_python::{Config, HostFunctions, Kind, Limits, Outcome, Pool, Printed, Request, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, json};

/// The `_meta` key of a content block that is not the value: `stdout` or `stderr` for what was printed,
/// `diagnostics` for what the type checker has to say of code that ran all the same.
const STREAM: &str = "pymcp/stream";

/// The code, and what it is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Args {
    /// The Python code to run; what the last line evaluates to is the result.
    code: String,
    /// Variables that the code finds defined: their names, and any JSON values.
    #[schemars(with = "Option<Map<String, serde_json::Value>>")]
    inputs: Option<Box<RawValue>>,
    /// What error messages call the code; only a label.
    #[serde(default = "main_py")]
    script_name: String,
    /// Whether to check the code first: what would fail (undefined names, missing modules, wrong arguments)
    /// stops it, other findings are returned beside the result.
    #[serde(default = "yes")]
    check_types: bool,
    /// Declarations for the type checker, as in a .pyi file. Inputs that have none are declared after
    /// their values.
    type_definitions: Option<String>,
}

fn main_py() -> String {
    "main.py".to_owned()
}

fn yes() -> bool {
    true
}

/// What the tool needs: where to run, how much is allowed, and which functions of the host the code
/// may call.
#[derive(Debug, Clone)]
pub struct Python {
    /// The workers.
    pub pool: Pool,
    /// What one call may use.
    pub limits: Limits,
    /// Functions that the code may call; none by default.
    pub host: Arc<HostFunctions>,
    /// How long a call may wait for a worker and then take, before the server gives up on it.
    pub timeout: Duration,
}

impl Default for Python {
    fn default() -> Self {
        Self {
            pool: Pool::new(Config::default()),
            limits: Limits::default(),
            host: Arc::default(),
            timeout: Duration::from_secs(30),
        }
    }
}

/// The tool, as clients see it.
pub fn tool(python: Python) -> Tool {
    let description = description(&python);
    let timeout = python.timeout;
    Tool::new("run_python_code", run_python_code)
        .effects([Effect::RunsUntrustedCode])
        .with_doors(|doors| {
            doors.require(&Effect::RunsUntrustedCode)?;
            Ok((python, Arc::new(RandomState::new())))
        })
        .title("Run Python code")
        .description(description)
        .tags(["secure interpreter", "python", "example"])
        .read_only()
        .destructive(false)
        .idempotent(false)
        .open_world(false)
        .timeout(timeout)
}

/// What a model has to know to write code that runs, and to mend code that does not. Short, because
/// every conversation pays for it: under 600 characters, without the functions of the host.
fn description(python: &Python) -> String {
    let Limits { time, memory, .. } = python.limits;
    let mut text = format!(
        "Run the given Python code in a sandbox and return the output or error message. The result is the \
         value of the last expression (a dict also as structured content), followed by what was printed. \
         This is CPython 3.14's language and standard library as far as RustPython has them; await works at \
         top level. No other packages. Files are in memory and gone after the call; no network, processes, \
         threads or environment. datetime.now() and random work. Each call starts afresh, with at most {} s \
         and {} MiB.",
        time.as_secs_f64(),
        memory >> 20,
    );
    if !python.host.is_empty() {
        text.push_str(" Functions to call:");
        for stub in python.host.stubs() {
            text.push('\n');
            text.push_str(stub);
        }
    }
    text
}

/// Callers are numbers to the workers, which nobody outside can foresee.
async fn run_python_code(
    ctx: Ctx,
    (python, callers): (Python, Arc<RandomState>),
    args: Args,
) -> Result<ToolResult> {
    let request = Request {
        code: args.code,
        inputs: args.inputs,
        script_name: args.script_name,
        check_types: args.check_types,
        stubs: args.type_definitions,
        limits: python.limits,
        host: Arc::clone(&python.host),
        caller: callers.hash_one(ctx.caller()),
    };
    // Beside each other: a client that reads no progress must not keep the run from its deadline.
    let ended = tokio::select! {
        biased;
        ended = python.pool.run(request) => ended,
        never = report_progress(&ctx) => match never {},
    };
    match ended {
        Ok(Outcome {
            value,
            stdout,
            stderr,
            ..
        }) => {
            let Value {
                text,
                object,
                diagnostics,
            } = value;
            let mut content: Vec<_> = text.map(ContentBlock::text).into_iter().collect();
            content.extend(printed(&stdout, "stdout"));
            content.extend(printed(&stderr, "stderr"));
            content.extend(noted(&diagnostics));
            let mut result = ToolResult::content(content);
            // Workers send objects; one that was taken over may send anything.
            result.structured = object
                .and_then(|object| serde_json::from_str(object.get()).ok())
                .filter(serde_json::Value::is_object);
            Ok(result)
        }
        Err(failure) if failure.kind == Kind::Unavailable => Err(Error::user(failure.message)),
        Err(failure) => {
            let mut content = vec![ContentBlock::text(failure.message)];
            content.extend(printed(&failure.stdout, "stdout"));
            content.extend(printed(&failure.stderr, "stderr"));
            Ok(ToolResult::content(content).error())
        }
    }
}

/// Tells the client every second that the call is alive.
async fn report_progress(ctx: &Ctx) -> Infallible {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        ctx.progress(started.elapsed().as_secs_f64(), None, None)
            .await;
    }
}

/// What was printed, as a content block that says so.
fn printed(printed: &Printed, stream: &str) -> Option<ContentBlock> {
    if printed.text.is_empty() && printed.dropped == 0 {
        return None;
    }
    let mut text = printed.text.clone();
    if printed.dropped > 0 {
        text.push_str(&format!(
            "\n[{} more bytes were printed and dropped]",
            printed.dropped
        ));
    }
    Some(block(text, stream))
}

/// What the type checker has to say of code that ran, as a content block that says so.
fn noted(diagnostics: &[String]) -> Option<ContentBlock> {
    if diagnostics.is_empty() {
        return None;
    }
    let text = format!(
        "Type check, which stopped nothing:\n{}",
        diagnostics.join("\n")
    );
    Some(block(text, "diagnostics"))
}

/// A content block that is not the value.
fn block(text: String, stream: &str) -> ContentBlock {
    let mut block = ContentBlock::text(text);
    if let ContentBlock::Text(text) = &mut block {
        let mut meta = Map::new();
        meta.insert(STREAM.into(), json!(stream));
        text.meta = Some(MetaObject::from(meta));
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_output_is_said() {
        let cut = Printed {
            text: "abc".into(),
            dropped: 5,
        };
        let block = serde_json::to_value(printed(&cut, "stdout")).unwrap();
        assert_eq!(
            block["text"],
            "abc\n[5 more bytes were printed and dropped]"
        );
        assert_eq!(block["_meta"][STREAM], "stdout");
        assert_eq!(printed(&Printed::default(), "stdout"), None);
    }
    #[test]
    fn what_the_type_checker_says_is_a_block_of_its_own() {
        let lines = ["main.py:1:1: error[a] b".to_owned(), "[3 more]".to_owned()];
        let block = serde_json::to_value(noted(&lines)).unwrap();
        assert_eq!(
            block["text"],
            "Type check, which stopped nothing:\nmain.py:1:1: error[a] b\n[3 more]"
        );
        assert_eq!(block["_meta"][STREAM], "diagnostics");
        assert_eq!(noted(&[]), None);
    }

    #[test]
    fn the_description_is_short() {
        let text = description(&Python::default());
        assert!(text.len() < 600, "{}: {text}", text.len());
    }
}
