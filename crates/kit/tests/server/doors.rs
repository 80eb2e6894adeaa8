//! What a component may do to the world: what it declared, and nothing else.

use std::path::Path;

use pymcp_kit::component::Settings;
use pymcp_kit::middleware::{Middleware, Next, Request, ResponseFuture};
use pymcp_kit::testing::{self, Client, Era};
use pymcp_kit::{
    Completion, CompletionRequest, Ctx, Effect, Error, Form, NoArgs, Prompt, Resource,
    ResourceTemplate, Result, Sample, Server, Tool, doors,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::logs::Logs;

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];

/// The errors that were logged. Nothing that was logged holds what came from an argument.
fn errors(logs: &Logs) -> Vec<String> {
    let mut lines = logs.take();
    assert!(
        !lines.iter().any(|line| line.contains("secret")),
        "{lines:#?}"
    );
    lines.retain(|line| line.contains(" ERROR "));
    lines
}

/// What is handed to a door: a path, a name, a host.
#[derive(Deserialize, JsonSchema)]
struct Through {
    /// What goes through.
    value: String,
}

/// Goes through one door.
async fn go(ctx: Ctx, door: &'static str, through: Through) -> Result<String> {
    let value = through.value;
    Ok(match door {
        "elicit" => format!("{:?}", ctx.elicit::<bool>("Sure?").await?),
        "form" => format!("{:?}", ctx.ask(Form::<bool>::new("Sure?")).await?),
        "page" => format!("{:?}", ctx.elicit_url("Open it?", value).await?),
        "roots" => format!("{:?}", ctx.roots().await?),
        "sample" => format!("{:?}", ctx.sample(Sample::text(value, 9)).await?.text()),
        "read" => ctx.files().read_text(value).await?,
        "list" => ctx.files().list(value).await?.concat(),
        "write" => format!("{:?}", ctx.files().write(value, "written").await?),
        "remove" => format!("{:?}", ctx.files().remove(value).await?),
        "env" => format!("{}", ctx.env(&value)?.is_some()),
        "spawn" => {
            let output = doors::output(ctx.command(&value)?, 10).await?;
            format!("{}", output.status.success())
        }
        "reach" => format!("{:?}", ctx.may_reach(&value)?),
        "random" => format!("{:?}", ctx.random(&mut [0; 8])?),
        "clock" => format!("{}", ctx.now()? > std::time::UNIX_EPOCH),
        "untrusted" => format!("{:?}", ctx.require(&Effect::RunsUntrustedCode)?),
        door => panic!("no such door: {door}"),
    })
}

/// Each door, what goes through it, and the effect that opens it.
fn all(folder: &Path) -> Vec<(&'static str, String, Effect)> {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let whole = path("");
    vec![
        ("elicit", String::new(), Effect::AsksUser),
        ("form", String::new(), Effect::AsksUser),
        ("page", "https://secret.example/".into(), Effect::AsksUser),
        ("roots", String::new(), Effect::AsksUser),
        ("sample", "secret".into(), Effect::UsesModel),
        ("write", path("secret"), Effect::writes_files(&whole)),
        ("read", path("secret"), Effect::reads_files(&whole)),
        ("list", whole.clone(), Effect::reads_files(&whole)),
        ("remove", path("secret"), Effect::writes_files(&whole)),
        ("env", "PATH".into(), Effect::environment("PATH")),
        ("spawn", "true".into(), Effect::spawns("true")),
        (
            "reach",
            "secret.example".into(),
            Effect::network("secret.example"),
        ),
        ("random", String::new(), Effect::Random),
        ("clock", String::new(), Effect::Clock),
        ("untrusted", String::new(), Effect::RunsUntrustedCode),
    ]
}

fn tool(door: &'static str) -> Tool {
    Tool::new(door, go)
        .with(door)
        .description("Goes through it.")
}

fn client(server: &Server, era: Era) -> Client {
    Client::new(server, era)
        .answer("Sure?", json!(true))
        .answer("Open it?", Value::Null)
        .sample(testing::ANY, "a poem")
        .roots(["file:///home"])
}

fn server(tools: impl IntoIterator<Item = Tool>) -> Server {
    let server = Server::builder("test", "1.0.0");
    tools
        .into_iter()
        .fold(server, |server, tool| server.tool(tool))
        .build()
        .unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn each_door_opens_by_its_effect_and_by_no_other() {
    let (logs, _guard) = Logs::keep();
    for era in ERAS {
        let folder = tempfile::tempdir().unwrap();
        let doors = all(folder.path());
        let opened = |door: &'static str, effect: &Effect| tool(door).effects([effect.clone()]);
        let open = server(doors.iter().map(|(door, _, effect)| opened(door, effect)));
        // Each has what all the others have.
        let shut = server(doors.iter().map(|(door, _, needed)| {
            let others = doors.iter().map(|(_, _, effect)| effect.clone());
            tool(door).effects(others.filter(|effect| effect != needed))
        }));
        assert_eq!(testing::unused_effects(&open).len(), doors.len());
        for (door, value, effect) in &doors {
            let arguments = json!({ "value": value });
            logs.take();
            let (code, message) = {
                let reply = client(&shut, era).call(door, arguments.clone()).await;
                let (code, message) = reply.error();
                (code, message.to_owned())
            };
            assert_eq!(
                (code, &*message),
                (-32603, "Internal error; the server's log has the detail."),
                "{door}"
            );
            let said = errors(&logs);
            let [line] = &said[..] else {
                panic!("{door}: {said:#?}");
            };
            let kind = effect.kind();
            for part in [&format!("name=\"{door}\""), &format!("effect=\"{kind}\"")] {
                assert!(line.contains(part), "{line}");
            }

            let reply = client(&open, era).call(door, arguments).await;
            assert!(!reply.is_error(), "{door}: {reply:?}");
            let said = errors(&logs);
            assert!(said.is_empty(), "{door}: {said:#?}");
        }
        assert_eq!(testing::unused_effects(&open), []);
    }
}

/// What a handler makes of the error is its own; the log has it all the same.
#[tokio::test]
async fn a_refusal_that_is_swallowed_is_logged() {
    let (logs, _guard) = Logs::keep();
    let tool = Tool::new("quiet", async |ctx: Ctx, _: NoArgs| {
        let inner = ctx.clone();
        // In a task of its own too.
        let spawned = tokio::spawn(async move { inner.now().is_err() });
        Ok::<_, Error>(spawned.await? && ctx.random(&mut [0]).is_err())
    });
    let server = server([tool.effects([Effect::AsksUser]).description("Hides it.")]);
    let reply = Client::modern(&server).call("quiet", json!({})).await;
    assert!(reply.value::<bool>());
    assert_eq!(errors(&logs).len(), 2);
}

#[tokio::test]
async fn a_value_opens_itself_alone() {
    let tool = Tool::new("t", async |ctx: Ctx, _: NoArgs| {
        let reached = ["a.example", "b.example", "sub.a.example", "A.example", "*"];
        let reached = reached.map(|host| ctx.may_reach(host).is_ok());
        let spawned = ["git", "/usr/bin/git", "bin/git"].map(|it| ctx.command(it).is_ok());
        let read = ["PATH", "path", "HOME"].map(|name| ctx.env(name).is_ok());
        Ok::<_, Error>(format!("{reached:?} {spawned:?} {read:?}"))
    });
    let effects = [
        Effect::network("a.example"),
        Effect::spawns("/usr/bin/git"),
        Effect::environment("PATH"),
        Effect::environment("NO_SUCH_VARIABLE"),
    ];
    let server = server([tool.effects(effects).description("Tries.")]);
    let reply = Client::modern(&server).call("t", json!({})).await;
    assert_eq!(
        reply.text(),
        "[true, false, false, false, false] [false, true, false] [true, false, false]"
    );
    let unused = testing::unused_effects(&server);
    let unused: Vec<_> = unused.iter().map(ToString::to_string).collect();
    assert_eq!(
        unused,
        ["The tool 't' declares environment:NO_SUCH_VARIABLE and did not use it."]
    );
}

#[tokio::test]
async fn any_host_is_one_that_was_declared_as_such() {
    let tool = Tool::new("t", async |ctx: Ctx, _: NoArgs| {
        Ok::<_, Error>(ctx.may_reach("a.example").is_ok())
    });
    let server = server([tool.effects([Effect::network("*")]).description("Tries.")]);
    assert!(
        Client::modern(&server)
            .call("t", json!({}))
            .await
            .value::<bool>()
    );
    assert_eq!(testing::unused_effects(&server), []);
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_has_no_environment_no_input_and_a_bound() {
    async fn run(ctx: Ctx, script: Through) -> Result<String> {
        let mut shell = ctx.command("/bin/sh")?;
        shell.args(["-c", &script.value]);
        let output = doors::output(shell, 100).await?;
        Ok(String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?)
    }
    let tool = Tool::new("sh", run).effects([Effect::spawns("/bin/sh")]);
    let server = server([tool.description("Runs it.")]);
    let mut client = Client::modern(&server);
    let mut ran = async |script: &str| client.call("sh", json!({ "value": script })).await;
    assert_eq!(
        ran("echo $HOME$CARGO; cat; echo err >&2").await.text(),
        "\nerr\n"
    );
    let flood = ran("while :; do echo 0123456789; done").await;
    assert_eq!(flood.error_text(), "The program wrote more than 100 bytes.");
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_is_nowhere_is_ours_to_mend() {
    let (logs, _guard) = Logs::keep();
    let server = server([tool("spawn").effects([Effect::spawns("no-such-program")])]);
    let arguments = json!({ "value": "no-such-program" });
    let reply = Client::modern(&server).call("spawn", arguments).await;
    assert_eq!(reply.error().0, -32603);
    let said = errors(&logs);
    assert!(
        said[0].contains("there is no program of the declared name"),
        "{said:?}"
    );
}

#[derive(Deserialize, JsonSchema)]
struct Name {
    name: String,
}

/// Resources, templates, prompts and completions have their own.
#[tokio::test]
async fn every_kind_of_component_has_its_doors() {
    async fn time(ctx: Ctx) -> Result<String> {
        ctx.now().map(|_| "now".to_owned())
    }
    let suggest = async |ctx: Ctx, _: CompletionRequest| -> Result<Completion> {
        Ok(Completion::of([time(ctx).await?]))
    };
    let build = |effects: &'static [Effect]| {
        let effects = || effects.iter().cloned();
        let template =
            ResourceTemplate::new("x://{name}", "t", |ctx: Ctx, name: Name| async move {
                drop(name.name);
                time(ctx).await
            });
        let prompt = Prompt::new("p", |ctx: Ctx, name: Name| async move {
            drop(name.name);
            time(ctx).await
        });
        Server::builder("test", "1.0.0")
            .resource(Resource::new("y://x", "x", time).effects(effects()))
            .template(template.effects(effects()).complete("name", suggest))
            .prompt(prompt.effects(effects()).complete("name", suggest))
            .build()
            .unwrap()
    };
    let reference =
        |reference: Value| json!({ "ref": reference, "argument": { "name": "name", "value": "" } });
    for era in ERAS {
        for (server, opens) in [(build(&[Effect::Clock]), true), (build(&[]), false)] {
            let mut client = Client::new(&server, era);
            for (method, params) in [
                ("resources/read", json!({ "uri": "y://x" })),
                ("resources/read", json!({ "uri": "x://a" })),
                (
                    "prompts/get",
                    json!({ "name": "p", "arguments": { "name": "a" } }),
                ),
                (
                    "completion/complete",
                    reference(json!({ "type": "ref/prompt", "name": "p" })),
                ),
                (
                    "completion/complete",
                    reference(json!({ "type": "ref/resource", "uri": "x://{name}" })),
                ),
            ] {
                let reply = client.request(method, params).await;
                let code = reply.message()["error"]["code"].as_i64();
                assert_eq!(code, (!opens).then_some(-32603), "{method}: {reply:?}");
            }
        }
    }
}

/// A middleware has what the component has that the request is for.
#[tokio::test]
async fn a_middleware_has_the_doors_of_the_component() {
    struct Clocked;
    impl Middleware for Clocked {
        fn on_request<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
            if request.kind.method() == "initialize" {
                return next.run(request);
            }
            match request.ctx.now() {
                Ok(_) => next.run(request),
                Err(error) => Box::pin(std::future::ready(Err(error))),
            }
        }
    }
    let with = |name: &'static str| {
        let tool = Tool::new(name, async |_: Ctx, _: NoArgs| Ok::<_, Error>(1));
        tool.description("One.")
    };
    let server = Server::builder("test", "1.0.0")
        .middleware(Clocked)
        .tool(with("open").effects([Effect::Clock]))
        .tool(with("shut"))
        .build()
        .unwrap();
    let mut client = Client::legacy(&server);
    assert!(!client.call("open", json!({})).await.is_error());
    assert_eq!(client.call("shut", json!({})).await.error().0, -32603);
    let listed = client.request("tools/list", json!({})).await;
    assert_eq!(listed.error().0, -32603);
}

#[tokio::test]
async fn state_is_made_from_what_is_declared() {
    async fn show(_: Ctx, state: String, _: NoArgs) -> Result<String> {
        Ok(state)
    }
    let hosts = [Effect::network("b.example"), Effect::network("a.example")];
    let tool = Tool::new("t", show)
        .effects(hosts)
        .effects([Effect::environment("NO_SUCH_VARIABLE"), Effect::Random])
        .with_doors(|doors| {
            let hosts: Vec<_> = doors.hosts().collect();
            let key = doors.env("NO_SUCH_VARIABLE")?;
            Ok(format!("{hosts:?} {key:?}"))
        });
    let server = server([tool.description("Shows it.")]);
    let reply = Client::modern(&server).call("t", json!({})).await;
    assert_eq!(reply.text(), r#"["a.example", "b.example"] None"#);
    // What was handed out is used.
    let unused = testing::unused_effects(&server);
    let unused: Vec<_> = unused.iter().map(|one| &one.effect).collect();
    assert_eq!(unused, [&Effect::Random]);
}

#[test]
fn a_state_that_cannot_be_made_is_no_server() {
    async fn show(_: Ctx, _: u8, _: NoArgs) -> Result<String> {
        Ok(String::new())
    }
    let why = |tool: Tool| {
        let built = Server::builder("test", "1.0.0").tool(tool.description("It."));
        built.build().err().unwrap().to_string()
    };
    let tool = || Tool::new("t", show);
    let refused =
        why(tool().with_doors(|doors| doors.require(&Effect::RunsUntrustedCode).map(|()| 1)));
    assert_eq!(
        refused,
        "The tool 't' cannot be served: its state cannot be made: the tool 't' uses an effect that it does not \
         declare, runs-untrusted-code; add it to its .effects([…])."
    );
    let refused = why(tool().with_doors(|_| Ok("x".parse::<u8>()?)));
    assert_eq!(
        refused,
        "The tool 't' cannot be served: its state cannot be made: invalid digit found in string."
    );
    for late in [
        tool().with_doors(|_| Ok(1)).effects([Effect::Random]),
        tool().with_doors(|_| Ok(1)).asks::<bool>(),
    ] {
        let refused = why(late);
        assert!(
            refused.contains("declares effects after .with_doors(…)"),
            "{refused}"
        );
    }
    // The same again is no other.
    let again = tool().effects([Effect::Random]).with_doors(|_| Ok(1));
    let again = again.effects([Effect::Random]).description("It.");
    assert!(Server::builder("test", "1.0.0").tool(again).build().is_ok());
    let refused = why(tool()
        .effects([Effect::network("https://a.example")])
        .with(1));
    assert!(
        refused.starts_with("The tool 't' cannot be served: the value of its effect 'network:https://a.example' is not a host"),
        "{refused}"
    );
}

#[test]
fn effects_add_up_and_asking_declares_itself() {
    let tool = Tool::new("t", async |_: Ctx, _: NoArgs| Ok::<_, Error>(1))
        .asks::<bool>()
        .effects([Effect::Random])
        .effects([Effect::Clock]);
    let Settings { effects, .. } = tool.settings();
    let kinds: Vec<_> = effects.iter().map(Effect::kind).collect();
    assert_eq!(kinds, ["asks-user", "random", "clock"]);
}

/// Who keeps a file from others keeps its next contents from them as well.
#[cfg(unix)]
#[tokio::test]
async fn what_is_written_anew_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    let probe = testing::Probe::new();
    probe.ctx().files().write(&path, "x").await.unwrap();
    for strict in [0o600, 0o640, 0o700] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(strict)).unwrap();
        probe.ctx().files().write(&path, "y").await.unwrap();
        assert_eq!(mode(), strict, "{strict:o}");
    }
}

#[tokio::test]
async fn a_probe_opens_all_doors_unless_it_is_told_which() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let open = testing::Probe::new();
    open.ctx().files().write(&path, "x").await.unwrap();
    assert_eq!(open.ctx().files().read_text(&path).await.unwrap(), "x");
    open.ctx().may_reach("a.example").unwrap();
    open.ctx().now().unwrap();
    let narrow = testing::Probe::new().effects([Effect::Random]);
    narrow.ctx().random(&mut [0]).unwrap();
    assert!(narrow.ctx().now().is_err());
    assert!(narrow.ctx().files().read(&path).await.is_err());
}
