//! What every server is asked once it is known how to speak to it: its lists, what goes wrong, its tools.

use pymcp_kit::protocol::{LATEST_LEGACY, LEGACY_VERSIONS};
use serde_json::{Value, json};

use super::super::observed::{List, Lists, Observed, Outcome, Question};
use super::list::{self, Budget};
use super::message::Client;
use super::{Clock, Link, NO_REVISION, Options, Target, Wire};
use crate::Result;

/// Tools that are called.
const MAX_CALLS: usize = 20;

/// A name that no tool, prompt or resource has.
const NO_NAME: &str = "doctor_no_such_name";

/// One of the lists.
type OfLists = fn(&mut Lists) -> &mut List;

/// Asks what every server is asked.
pub(super) async fn converse(link: &mut Link, seen: &mut Observed, capabilities: &Value) {
    let kinds: [(&str, &str, OfLists); 4] = [
        ("tools/list", "tools", |lists| &mut lists.tools),
        ("prompts/list", "prompts", |lists| &mut lists.prompts),
        ("resources/list", "resources", |lists| &mut lists.resources),
        ("resources/templates/list", "resourceTemplates", |lists| {
            &mut lists.templates
        }),
    ];
    for (method, member, of) in kinds {
        let read = list::read(link, method, member, &mut Budget::default()).await;
        let gone = matches!(read.failed, Some(Outcome::Closed | Outcome::Flooded));
        *of(&mut seen.lists) = read;
        if gone {
            seen.answers.insert(Question::Ping, Outcome::Closed);
            return;
        }
    }
    let mut questions = vec![(Question::UnknownMethod, "doctor/noSuchMethod", json!({}))];
    if !link.modern {
        questions.push((Question::Ping, "ping", Value::Null));
    }
    if capabilities.get("tools").is_some() {
        let named = json!({ "name": NO_NAME, "arguments": {} });
        questions.push((
            Question::BadParams,
            "tools/call",
            json!({ "arguments": {} }),
        ));
        questions.push((Question::UnknownTool, "tools/call", named));
    }
    if capabilities.get("resources").is_some() {
        let unknown = json!({ "uri": format!("doctor://{NO_NAME}") });
        questions.push((Question::UnknownResource, "resources/read", unknown));
    }
    if capabilities.get("prompts").is_some() {
        let unknown = json!({ "name": NO_NAME });
        questions.push((Question::UnknownPrompt, "prompts/get", unknown));
    }
    for (question, method, params) in questions {
        let outcome = link.ask(method, params).await;
        let gone = matches!(outcome, Outcome::Closed | Outcome::Flooded);
        seen.answers.insert(question, outcome);
        if gone {
            return;
        }
    }
    let patience = link.clock.left();
    if let Wire::Lines(lines, _) = &mut link.wire {
        lines.garbage(patience).await;
        let (method, params) = match link.modern {
            true => ("server/discover", Value::Null),
            false => ("ping", Value::Null),
        };
        let outcome = link.ask(method, params).await;
        seen.answers.insert(Question::AfterGarbage, outcome);
    }
}

/// Calls tools whose results have a schema: those that only read and need no arguments, and those that were named.
pub(super) async fn call_tools(link: &mut Link, seen: &mut Observed, options: &Options) {
    let can_be = |tool: &&Value| {
        let needs = tool["inputSchema"]["required"].as_array();
        let reads = tool["annotations"]["readOnlyHint"] == true;
        reads && tool["outputSchema"].is_object() && needs.is_none_or(Vec::is_empty)
    };
    let named = |tool: &&Value| options.call.iter().any(|name| tool["name"] == **name);
    let tools = seen.lists.tools.items.iter();
    let chosen = tools
        .filter(|tool| named(tool) || can_be(tool))
        .take(MAX_CALLS);
    let names: Vec<_> = chosen.filter_map(|tool| tool["name"].as_str()).collect();
    for name in names {
        let params = json!({ "name": name, "arguments": {} });
        let outcome = link.ask("tools/call", params).await;
        let gone = matches!(outcome, Outcome::Closed | Outcome::Flooded);
        seen.calls.push((name.to_owned(), outcome));
        if gone {
            return;
        }
    }
}

/// Proposes each legacy revision, and one that there is not, each on a connection of its own.
pub(super) async fn revisions(target: &Target, clock: Clock, seen: &mut Observed) -> Result<()> {
    let older = LEGACY_VERSIONS
        .into_iter()
        .filter(|one| *one != LATEST_LEGACY);
    for version in older.chain([NO_REVISION]) {
        let mut link = target.open(clock, false, Client::doctor()).await?;
        let hello = link.hello(version);
        let outcome = link.ask("initialize", hello).await;
        seen.revisions.push((version, outcome));
        link.leave().await;
    }
    Ok(())
}
