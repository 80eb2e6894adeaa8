//! Greets the caller. This is the file to copy for a tool of your own.

use chrono::{DateTime, SecondsFormat, Utc};
use pymcp_kit::{Ctx, Effect, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// Whom to greet.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Args {
    /// The optional name to be greeted.
    name: Option<String>,
}

/// The tool, as clients see it.
pub fn tool() -> Tool {
    Tool::new("greet", greet)
        .title("Greet")
        .description("Greet the caller with a quintessential Hello World message.")
        .tags(["greeting", "example"])
        .read_only()
        .destructive(false)
        .idempotent(true)
        .open_world(false)
        .effects([Effect::Clock])
        .cached()
}

async fn greet(ctx: Ctx, args: Args) -> Result<String> {
    let hello = match args.name.filter(|name| !name.trim().is_empty()) {
        Some(name) => {
            ctx.info(format!("Greeting {name}.")).await;
            format!("Hello, {name}!")
        }
        None => {
            ctx.warning("No name provided, using default greeting.")
                .await;
            "Hello World!".to_owned()
        }
    };
    let (server, now) = (
        ctx.server(),
        DateTime::<Utc>::from(ctx.now()?).to_rfc3339_opts(SecondsFormat::Micros, false),
    );
    Ok(format!(
        "{hello} Welcome to the {} {} server! The current date time in UTC is {now}. This response may be cached.",
        server.name, server.version
    ))
}

#[cfg(test)]
mod tests {
    use pymcp_kit::testing::Probe;

    use super::*;

    #[tokio::test]
    async fn greets_by_name_or_the_whole_world() {
        let mut probe = Probe::new();
        let named = Args {
            name: Some("Ada".into()),
        };
        assert!(
            probe
                .run(greet(probe.ctx(), named))
                .await
                .unwrap()
                .starts_with("Hello, Ada! Welcome to the test")
        );
        for nobody in [None, Some(""), Some(" \u{a0}\u{2003}")] {
            let args = Args {
                name: nobody.map(Into::into),
            };
            assert!(
                probe
                    .run(greet(probe.ctx(), args))
                    .await
                    .unwrap()
                    .starts_with("Hello World!")
            );
        }
        let levels: Vec<_> = probe.logs().into_iter().map(|(level, _)| level).collect();
        assert_eq!(levels, ["info", "warning", "warning", "warning"]);
    }
}
