//! What a server exposes, as a manifest; and its digest wherever it is told.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pymcp_kit::audit::{Audit, AuditConfig, AuditKey};
use pymcp_kit::manifest::{Digest, ItemKind, META, Manifest, Projection};
use pymcp_kit::metrics::Metrics;
use pymcp_kit::model::{Annotations, Icon, Role};
use pymcp_kit::{
    CacheHint, Completion, CompletionRequest, Component, Ctx, Effect, Error, Kind, NoArgs, Prompt,
    Resource, ResourceTemplate, Server, ServerBuilder, TaskSupport, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, soon};

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Narrow {
    /// How many.
    #[schemars(range(max = 10))]
    n: u32,
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Wide {
    /// How many.
    #[schemars(range(max = 11))]
    n: u32,
}

fn tool() -> Tool {
    Tool::new("t", async |_: Ctx, _: Narrow| Ok::<_, Error>("t")).description("Takes some.")
}

fn resource() -> Resource {
    Resource::new("data://r", "r", async |_: Ctx| Ok::<_, Error>("r")).description("It.")
}

fn template() -> ResourceTemplate {
    ResourceTemplate::new("data://x/{n}", "x", async |_: Ctx, _: Narrow| {
        Ok::<_, Error>("x")
    })
    .description("One of them.")
}

fn prompt() -> Prompt {
    Prompt::new("p", async |_: Ctx, _: Narrow| {
        Ok::<_, Error>("p".to_owned())
    })
    .description("Asks.")
}

fn builder() -> ServerBuilder {
    Server::builder("test", "1.0.0").instructions("Use it.")
}

/// The fixture, with these four components.
fn with(tool: Tool, resource: Resource, template: ResourceTemplate, prompt: Prompt) -> Server {
    let builder = builder().tool(tool).resource(resource);
    builder.template(template).prompt(prompt).build().unwrap()
}

fn fixture() -> Server {
    with(tool(), resource(), template(), prompt())
}

async fn nothing(_: Ctx, _: CompletionRequest) -> Result<Completion, Error> {
    Ok(Completion::default())
}

/// Pinned here: whoever changes what is hashed sees it, and has every lock accepted anew.
#[test]
fn the_digests_of_the_fixture() {
    let server = fixture();
    let digests = Projection::ALL.map(|projection| {
        let manifest = server.manifest(projection).unwrap();
        assert_eq!(manifest.projection(), projection);
        let written = serde_json::from_str(&manifest.canonical()).unwrap();
        assert_eq!(Manifest::from_value(&written).unwrap(), manifest);
        format!("{projection} {}", manifest.digest())
    });
    assert_eq!(
        digests,
        [
            "code/1 sha256:21306990edaf6c56e3a31ab09613d309f03097ddd99cc05e982dc013119069af",
            "full/1 sha256:f48fd4db583a93143d8741726a64ff1ead61b85b628c4e4baa3b6191bd2a5ef1",
            "shown/1 sha256:c713661fdf43b4d35603b1e25acf35a52db60f98efacdf677c5f158afd416da4",
        ]
    );
    let full = server.manifest(Projection::Full).unwrap();
    assert_eq!(full.digest(), server.manifest_digest());
}

#[test]
fn the_order_in_which_a_server_is_put_together_is_nothing() {
    let other = |name| Tool::new(name, async |_: Ctx, _: NoArgs| Ok::<_, Error>("x"));
    let one = builder()
        .tool(
            tool()
                .effects([Effect::Clock, Effect::Random])
                .scopes(["a", "b"]),
        )
        .tool(other("other"))
        .resource(resource())
        .prompt(prompt().complete("n", nothing))
        .headers(["x-a", "x-b"])
        .configuration("one", json!({ "a": 1, "b": 2 }))
        .configuration("two", json!(2))
        .build();
    let two = builder()
        .configuration("two", json!(2))
        .configuration("one", json!({ "b": 2, "a": 1 }))
        .headers(["x-b", "x-a"])
        .prompt(prompt().complete("n", nothing))
        .resource(resource())
        .tool(other("other"))
        .tool(
            tool()
                .effects([Effect::Random, Effect::Clock])
                .scopes(["b", "a"]),
        )
        .build();
    let (one, two) = (one.unwrap(), two.unwrap());
    for projection in Projection::ALL {
        let (one, two) = (one.manifest(projection), two.manifest(projection));
        assert_eq!(one.unwrap().canonical(), two.unwrap().canonical());
    }
}

/// What a change is called, the server with it, and whether it is what the author wrote (`code/1`), and whether clients
/// see it (`shown/1`).
type Case = (&'static str, Server, bool, bool);

fn of_tool(what: &'static str, tool: Tool, shown: bool) -> Case {
    (
        what,
        with(tool, resource(), template(), prompt()),
        true,
        shown,
    )
}

fn of_resource(what: &'static str, resource: Resource, shown: bool) -> Case {
    (
        what,
        with(tool(), resource, template(), prompt()),
        true,
        shown,
    )
}

fn of_template(what: &'static str, template: ResourceTemplate, shown: bool) -> Case {
    (
        what,
        with(tool(), resource(), template, prompt()),
        true,
        shown,
    )
}

fn of_prompt(what: &'static str, prompt: Prompt, shown: bool) -> Case {
    (
        what,
        with(tool(), resource(), template(), prompt),
        true,
        shown,
    )
}

fn of_server(what: &'static str, builder: ServerBuilder, code: bool, shown: bool) -> Case {
    let builder = builder
        .tool(tool())
        .resource(resource())
        .template(template());
    (what, builder.prompt(prompt()).build().unwrap(), code, shown)
}

fn icon() -> [Icon; 1] {
    [Icon::new("https://example.org/i.png")]
}

fn meta(definition: &mut Option<pymcp_kit::model::MetaObject>) {
    definition
        .get_or_insert_default()
        .insert("x/y".into(), json!(1));
}

fn described() -> ServerBuilder {
    use pymcp_kit::component::Definition;
    builder().describe(|definition, _| {
        if let Definition::Prompt(prompt) = definition {
            meta(&mut prompt.meta);
        }
    })
}

fn cases() -> Vec<Case> {
    let wide =
        Tool::new("t", async |_: Ctx, _: Wide| Ok::<_, Error>("t")).description("Takes some.");
    let other_output =
        Tool::new("t", async |_: Ctx, _: Narrow| Ok::<_, Error>(1)).description("Takes some.");
    let for_user = || Annotations::default().with_audience(vec![Role::User]);
    let hint = CacheHint::FIXED;
    let minute = Duration::from_secs(60);
    vec![
        of_tool("description", tool().description("Takes more."), true),
        of_tool("title", tool().title("T"), true),
        of_tool("input schema", wide, true),
        of_tool("output schema", other_output, true),
        of_tool("read only", tool().read_only(), true),
        of_tool("destructive", tool().destructive(false), true),
        of_tool("idempotent", tool().idempotent(true), true),
        of_tool("open world", tool().open_world(false), true),
        of_tool("icons", tool().icons(icon()), true),
        of_tool("mirrored", tool().mirrored("n", "N"), true),
        of_tool("effects", tool().effects([Effect::Clock]), false),
        of_tool("scopes", tool().scopes(["a"]), false),
        of_tool("tags", tool().tags(["a"]), false),
        of_tool("cost", tool().cost(2), false),
        of_tool("timeout", tool().timeout(minute), false),
        of_tool("cached", tool().cached(), false),
        of_tool("asks before", tool().asks_before_task(), false),
        of_resource("description", resource().description("That."), true),
        of_resource("title", resource().title("R"), true),
        of_resource("mime type", resource().mime_type("text/plain"), true),
        of_resource("size", resource().size(1), true),
        of_resource("annotations", resource().annotations(for_user()), true),
        of_resource("icons", resource().icons(icon()), true),
        of_resource("cache hint", resource().cache_hint(hint), false),
        of_resource("effects", resource().effects([Effect::Random]), false),
        of_resource("scopes", resource().scopes(["a"]), false),
        of_resource("cost", resource().cost(0), false),
        of_resource("timeout", resource().timeout(minute), false),
        of_resource("cached", resource().cached(), false),
        of_template("description", template().description("That."), true),
        of_template("title", template().title("X"), true),
        of_template("mime type", template().mime_type("text/plain"), true),
        of_template("annotations", template().annotations(for_user()), true),
        of_template("icons", template().icons(icon()), true),
        of_template("cache hint", template().cache_hint(hint), false),
        of_template("scopes", template().scopes(["a"]), false),
        of_template("cost", template().cost(0), false),
        of_template(
            "variables",
            ResourceTemplate::new("data://x/{n}", "x", async |_: Ctx, _: Wide| {
                Ok::<_, Error>("x")
            })
            .description("One of them."),
            false,
        ),
        of_prompt("description", prompt().description("That."), true),
        of_prompt("title", prompt().title("P"), true),
        of_prompt("icons", prompt().icons(icon()), true),
        of_prompt("scopes", prompt().scopes(["a"]), false),
        of_prompt("effects", prompt().effects([Effect::AsksUser]), false),
        of_prompt("cost", prompt().cost(0), false),
        of_prompt("bytes of arguments", prompt().argument_bytes(1), false),
        of_prompt(
            "bounds of arguments",
            Prompt::new("p", async |_: Ctx, _: Wide| Ok::<_, Error>("p".to_owned()))
                .description("Asks."),
            false,
        ),
        of_server("_meta", described(), true, true),
        of_server(
            "version",
            Server::builder("test", "1.0.1").instructions("Use it."),
            true,
            true,
        ),
        of_server(
            "instructions",
            builder().instructions("Use it well."),
            true,
            true,
        ),
        of_server(
            "configuration",
            builder().configuration("profile", json!("safe")),
            false,
            false,
        ),
        of_server(
            "call limits",
            builder().change_call_limits(|limits| limits.timeout += Duration::from_secs(1)),
            false,
            false,
        ),
        of_server(
            "cache",
            builder().change_cache(|cache| cache.entries += 1),
            false,
            false,
        ),
        of_server("page size", builder().page_size(7), false, false),
        of_server("components", builder().max_components(7), false, false),
        of_server("headers", builder().headers(["x-tenant"]), false, false),
    ]
}

#[test]
fn each_change_alone_is_another_digest() {
    let of = |server: &Server, projection| server.manifest(projection).unwrap().digest();
    let before = fixture();
    let mut all: Vec<Digest> = vec![before.manifest_digest()];
    for (what, server, code, shown) in cases() {
        let full = of(&server, Projection::Full);
        assert_eq!(full, server.manifest_digest(), "{what}");
        assert!(!all.contains(&full), "{what} changes nothing");
        all.push(full);
        for (projection, changes) in [(Projection::Code, code), (Projection::Shown, shown)] {
            let same = of(&server, projection) == of(&before, projection);
            assert_eq!(same, !changes, "{what} in {projection}");
        }
    }
    // Two that bring a capability with them.
    for (what, server) in [
        (
            "tasks",
            of_tool("", tool().task(TaskSupport::Optional), false).1,
        ),
        (
            "completions",
            of_prompt("", prompt().complete("n", nothing), false).1,
        ),
    ] {
        assert!(!all.contains(&server.manifest_digest()), "{what}");
        assert_ne!(
            of(&server, Projection::Code),
            of(&before, Projection::Code),
            "{what}"
        );
    }
}

#[test]
fn where_an_effect_leads_is_none_of_the_code() {
    let of = |host: &str, projection| {
        let tool = tool().effects([Effect::network(host)]);
        let server = builder().tool(tool).build().unwrap();
        server.manifest(projection).unwrap()
    };
    let (a, b) = ("a.example.org", "b.example.org");
    assert_eq!(of(a, Projection::Code), of(b, Projection::Code));
    assert_ne!(of(a, Projection::Full), of(b, Projection::Full));
    let full = of(a, Projection::Full);
    let item = full
        .items()
        .iter()
        .find(|item| item.kind == ItemKind::Tool)
        .unwrap();
    assert_eq!(item.content["effects"], json!(["network:a.example.org"]));
}

/// A number of single precision is another one in memory than in its text.
#[tokio::test]
async fn a_definition_is_as_clients_get_it() {
    let priority = Annotations::default().with_priority(0.1);
    let server = builder()
        .resource(resource().annotations(priority))
        .build()
        .unwrap();
    let client = Client::modern(&server, json!({}));
    let listed = client.result("resources/list", json!({})).await;
    let manifest = server.manifest(Projection::Shown).unwrap();
    let item = manifest
        .items()
        .iter()
        .find(|item| item.kind == ItemKind::Resource)
        .unwrap();
    assert_eq!(item.content["definition"], listed["resources"][0]);
    assert!(manifest.canonical().contains(r#""priority":0.1"#));
}

#[test]
fn what_is_off_is_of_the_code_alone() {
    let off = builder()
        .tool(tool())
        .disabled(Kind::Tool, "t")
        .build()
        .unwrap();
    let on = builder().tool(tool()).build().unwrap();
    let tools = |server: &Server, projection| {
        let manifest = server.manifest(projection).unwrap();
        let items = manifest.items().iter();
        items.filter(|item| item.kind == ItemKind::Tool).count()
    };
    assert_eq!(tools(&off, Projection::Full), 0);
    assert_eq!(tools(&off, Projection::Code), 1);
    assert_eq!(
        off.manifest(Projection::Code).unwrap().digest(),
        on.manifest(Projection::Code).unwrap().digest()
    );
}

#[test]
fn what_cannot_be_pinned_is_not_served() {
    let bad = "Cafe\u{301}";
    let refused = builder().tool(tool().description(bad)).build().map(drop);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "The tool 't' cannot be served: it has text at '/definition/description' that is not in Unicode's normal form C; \
         write it in NFC."
    );
    for builder in [
        builder().resource(resource().title(bad)),
        builder().template(template().title(bad)),
        builder().prompt(prompt().title(bad)),
        builder().instructions(bad),
        builder().configuration("x", json!(bad)),
    ] {
        let refused = builder.build().map(drop).unwrap_err().to_string();
        assert!(refused.contains("write it in NFC."), "{refused}");
    }
    let twice = builder().configuration("cache", json!(1)).build().map(drop);
    assert_eq!(
        twice.unwrap_err().to_string(),
        "The configuration 'cache' is there twice; name each once."
    );
    let server = fixture();
    let before = server.manifest_digest();
    assert!(
        server
            .components()
            .replace(tool().description(bad))
            .is_err()
    );
    assert_eq!(server.manifest_digest(), before);
}

#[tokio::test]
async fn a_change_at_run_time_is_another_digest_and_back() {
    let server = fixture();
    let before = server.manifest_digest();
    let check = |what: &str, same: bool| {
        let now = server.manifest_digest();
        assert_eq!(now == before, same, "{what}");
        let manifest = server.manifest(Projection::Full).unwrap();
        assert_eq!(manifest.digest(), now, "{what}");
    };
    let added: Component = Tool::new("more", async |_: Ctx, _: NoArgs| Ok::<_, Error>(1)).into();
    server.components().add(added).unwrap();
    check("added", false);
    assert!(server.components().remove(Kind::Tool, "more"));
    check("removed", true);
    assert!(server.components().switch(Kind::Prompt, "p", false));
    check("switched off", false);
    assert!(server.components().switch(Kind::Prompt, "p", true));
    check("switched on", true);
    server.components().replace(tool().cost(5)).unwrap();
    check("replaced", false);
    server.components().replace(tool()).unwrap();
    check("replaced by the same", true);
}

#[tokio::test]
async fn everybody_is_told_the_same_digest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::open(AuditConfig::new(&path, AuditKey::new(&[7; 32]).unwrap())).unwrap();
    let metrics = Metrics::new();
    let server = builder()
        .tool(tool().scopes(["secret"]))
        .tool(Tool::new("open", async |_: Ctx, _: NoArgs| {
            Ok::<_, Error>(1)
        }))
        .resource(resource())
        .template(template())
        .prompt(prompt())
        .page_size(1)
        .audit(&audit)
        .metrics(&metrics)
        .build()
        .unwrap();
    for round in 0..2 {
        let digest = json!(server.manifest_digest());
        let (legacy, _) = Client::legacy(&server).await;
        let introduction = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        let modern = Client::modern(&server, json!({}));
        let mut said = vec![
            legacy.result("initialize", introduction).await,
            modern.result("server/discover", json!({})).await,
        ];
        for list in [
            "tools/list",
            "resources/list",
            "resources/templates/list",
            "prompts/list",
        ] {
            for client in [&legacy, &modern] {
                said.push(client.result(list, json!({})).await);
            }
        }
        let cursor = said[2]["nextCursor"].clone();
        said.push(
            legacy
                .result("tools/list", json!({ "cursor": cursor }))
                .await,
        );
        for result in said {
            assert_eq!(result["_meta"][META], digest, "{round}: {result}");
        }
        let text = metrics.text();
        let line = format!("mcp_server_manifest_info{{digest={digest}}} 1\n");
        assert!(text.contains(&line), "{text}");
        let call = json!({ "name": "open", "arguments": {} });
        soon(modern.result("tools/call", call)).await;
        let log = fs::read_to_string(&path).unwrap();
        let line: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        assert_eq!(line["manifest"], digest, "{line}");
        // And all of it once more, of another manifest.
        server.components().switch(Kind::Prompt, "p", false);
    }
}

#[tokio::test]
async fn an_answer_is_not_repeated_under_another_manifest() {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let counts = Tool::new("count", move |_: Ctx, _: NoArgs| {
        let counted = count.fetch_add(1, Ordering::SeqCst);
        async move { Ok::<_, Error>(counted) }
    });
    let server = builder()
        .tool(counts.cached())
        .prompt(prompt())
        .build()
        .unwrap();
    let client = Client::modern(&server, json!({}));
    let call = async || {
        let params = json!({ "name": "count", "arguments": {} });
        client.result("tools/call", params).await["structuredContent"]["result"].clone()
    };
    assert_eq!((call().await, call().await), (json!(0), json!(0)));
    // Nothing of the tool has changed.
    server.components().switch(Kind::Prompt, "p", false);
    assert_eq!((call().await, call().await), (json!(1), json!(1)));
    server.components().switch(Kind::Prompt, "p", true);
    assert_eq!(call().await, json!(0), "it is the manifest of before");
}

/// It is made while the server is built. A server of this size takes well under a millisecond with optimisations; the
/// bound is for builds without them on a busy machine.
#[test]
fn it_takes_little_time() {
    let server = fixture();
    let time = || {
        let begin = Instant::now();
        server.manifest(Projection::Full).unwrap();
        begin.elapsed()
    };
    let best = (0..20).map(|_| time()).min().unwrap();
    assert!(best < Duration::from_millis(5), "{best:?}");
}
