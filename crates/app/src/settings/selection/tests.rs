use std::collections::BTreeMap;

use clap::{Command, FromArgMatches as _};
use pymcp_kit::{
    Ctx, Effect, Error as ToolError, NoArgs, Prompt, Resource, ResourceTemplate, Server, Tool,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;

#[derive(Deserialize, JsonSchema)]
struct Place {
    #[allow(dead_code)]
    a: Option<String>,
    #[allow(dead_code)]
    b: Option<String>,
}

fn tool(name: &'static str, effects: &[Effect], tags: &[&str]) -> Tool {
    Tool::new(name, async |_: Ctx, _: NoArgs| Ok::<_, ToolError>("it"))
        .effects(effects.iter().cloned())
        .tags(tags.iter().copied())
}

/// A tool for each effect, some with tags, and names that mean several things.
fn builder() -> ServerBuilder {
    let resource = async |_: Ctx| Ok::<_, ToolError>("it");
    let template = async |_: Ctx, _: Place| Ok::<_, ToolError>("it");
    let prompt = async |_: Ctx, _: Place| Ok::<_, ToolError>("it".to_owned());
    Server::builder("test", "1.0.0")
        .tool(tool("plain", &[], &["reading"]))
        .tool(tool("ask", &[Effect::AsksUser], &[]))
        .tool(tool("model", &[Effect::UsesModel], &[]))
        .tool(tool("dice", &[Effect::Random, Effect::Clock], &["reading"]))
        .tool(tool("fetch", &[Effect::network("a.example")], &["reading"]))
        .tool(tool("python", &[Effect::RunsUntrustedCode], &["admin"]))
        .tool(tool(
            "save",
            &[Effect::AsksUser, Effect::writes_files("/srv")],
            &["admin"],
        ))
        .tool(tool("git", &[Effect::spawns("git")], &[]))
        .tool(tool("home", &[Effect::environment("HOME")], &[]))
        .tool(tool("both", &[], &[]))
        .tool(tool("clock", &[], &[]))
        .resource(
            Resource::new("data://logo", "logo", resource)
                .effects([Effect::reads_files("/srv/logo")]),
        )
        .resource(Resource::new("tag:example.org,2026:x", "x", resource))
        .template(ResourceTemplate::new("data://rows{?a,b}", "rows", template).tags(["both"]))
        .prompt(Prompt::new("both", prompt))
        .prompt(Prompt::new("write", prompt).tags(["reading"]))
}

fn settings(arguments: &[&str]) -> SelectionSettings {
    let command = SelectionSettings::augment_args(Command::new("test").no_binary_name(true));
    let matches = command.try_get_matches_from(arguments).unwrap();
    SelectionSettings::from_arg_matches(&matches).unwrap()
}

fn list(words: &[&str], line: usize) -> Option<(Vec<String>, usize)> {
    Some((words.iter().map(ToString::to_string).collect(), line))
}

fn profiles() -> Profiles {
    let reading = Profile {
        line: 1,
        enable: list(&["tag:reading"], 2),
        ..Profile::default()
    };
    let careful = Profile {
        line: 4,
        extends: Some(("safe".into(), 5)),
        disable: list(&["ask"], 6),
        ..Profile::default()
    };
    let both = Profile {
        line: 8,
        extends: Some(("reading".into(), 9)),
        enable: list(&["dice", "fetch"], 10),
        disable: list(&["effect:network"], 11),
    };
    let wrong = Profile {
        line: 13,
        extends: Some(("safe".into(), 14)),
        enable: list(&["plain", "fetch"], 15),
        ..Profile::default()
    };
    let typo = Profile {
        line: 17,
        disable: list(&["fetsch"], 18),
        ..Profile::default()
    };
    let circle = |of: &str| Profile {
        line: 20,
        extends: Some((of.into(), 21)),
        ..Profile::default()
    };
    Profiles {
        path: "test.toml".into(),
        all: BTreeMap::from([
            ("reading".into(), reading),
            ("careful".into(), careful),
            ("both".into(), both),
            ("wrong".into(), wrong),
            ("typo".into(), typo),
            ("round".into(), circle("about")),
            ("about".into(), circle("round")),
            ("lost".into(), circle("reeding")),
        ]),
    }
}

/// What is left, as the kit has it.
fn left(arguments: &[&str]) -> Result<Vec<String>> {
    let mut settings = settings(arguments);
    settings.with(&profiles())?;
    let server = settings.apply(builder())?.build()?;
    let registry = server.registry();
    let names = each(&registry);
    let names = names.iter().map(|(_, name, _)| (*name).to_owned());
    Ok(names.collect())
}

fn refused(arguments: &[&str]) -> (String, String) {
    let error = left(arguments).unwrap_err();
    assert_eq!(error.code(), 2);
    let text = error.text().unwrap();
    let (sentence, hint) = text.split_once("\n  ").unwrap_or((&text, ""));
    (sentence.to_owned(), hint.to_owned())
}

#[test]
fn what_is_on_is_what_profile_enable_and_disable_all_let() {
    let all: Vec<_> = {
        let builder = builder();
        let names = each(builder.registry());
        names
            .iter()
            .map(|(_, name, _)| (*name).to_owned())
            .collect()
    };
    assert_eq!(left(&[]).unwrap(), all);
    assert_eq!(left(&["--profile=full"]).unwrap(), all);
    const TAG: &str = "tag:example.org,2026:x";
    const ROWS: &str = "data://rows{?a,b}";
    const SAFE_ONES: [&str; 10] = [
        "plain", "ask", "model", "dice", "both", "clock", TAG, ROWS, "both", "write",
    ];
    for (arguments, expected) in [
        (&["--profile=safe"][..], &SAFE_ONES[..]),
        // What is enabled is all there is.
        (&["--enable=plain,ask"], &["plain", "ask"]),
        (
            &["--enable= DATA://logo , write"],
            &["data://logo", "write"],
        ),
        (&["--enable=data://rows{?a,b},plain"], &["plain", ROWS]),
        (
            &["--enable=tag:reading"],
            &["plain", "dice", "fetch", "write"],
        ),
        (&["--enable=reading"], &["plain", "dice", "fetch", "write"]),
        (&["--enable=effect:asks-user"], &["ask", "save"]),
        (&["--enable=asks-user"], &["ask", "save"]),
        (&["--enable=tool:both"], &["both"]),
        (
            &["--enable=resource:data://logo,prompt:write"],
            &["data://logo", "write"],
        ),
        // Disable wins.
        (&["--enable=plain,ask", "--disable=ask"], &["plain"]),
        (
            &["--enable=tag:reading", "--disable=effect:network"],
            &["plain", "dice", "write"],
        ),
        (&["--enable=ask", "--disable=effect:asks-user"], &[]),
        // A profile is not widened.
        (
            &["--profile=safe", "--enable=tag:reading"],
            &["plain", "dice", "write"],
        ),
        (
            &[
                "--profile=safe",
                "--disable=tag:both,tool:both,prompt:both,ask,model",
            ],
            &["plain", "dice", "clock", TAG, "write"],
        ),
        (&["--profile=reading"], &["plain", "dice", "fetch", "write"]),
        (&["--profile=reading", "--enable=fetch"], &["fetch"]),
        (
            &["--profile=reading", "--disable=fetch,write"],
            &["plain", "dice"],
        ),
        (&["--profile=both"], &["dice"]),
    ] {
        assert_eq!(left(arguments).unwrap(), expected, "{arguments:?}");
    }
    let careful = left(&["--profile=careful"]).unwrap();
    let without: Vec<_> = SAFE_ONES
        .into_iter()
        .filter(|name| *name != "ask")
        .collect();
    assert_eq!(careful, without);
    let disabled = left(&["--disable=effect:network,tag:admin,data://logo"]).unwrap();
    let gone = ["fetch", "python", "save", "data://logo"];
    let kept: Vec<_> = all
        .iter()
        .filter(|name| !gone.contains(&&***name))
        .collect();
    assert_eq!(disabled.iter().collect::<Vec<_>>(), kept);
}

#[test]
fn what_fits_nothing_is_refused_with_what_may_be_meant_and_what_there_is() {
    for (arguments, sentence) in [
        (
            &["--enable=fetsch"][..],
            "--enable has 'fetsch', which is no tool, resource, template, prompt, tag or effect of this server; did you mean fetch?",
        ),
        (
            &["--disable=plain,tool:plane"],
            "--disable has 'tool:plane', which is no tool of this server; did you mean tool:plain?",
        ),
        (
            &["--disable=tag:raeding"],
            "--disable has 'tag:raeding', which is a tag that nothing has; did you mean tag:reading?",
        ),
        (
            &["--disable=effect:networks"],
            "--disable has 'effect:networks', which is no kind of effect; did you mean effect:network?",
        ),
        (
            &["--disable=prompt:plain"],
            "--disable has 'prompt:plain', which is no prompt of this server.",
        ),
        (
            &["--profile=typo"],
            "test.toml, line 18: disable of [profiles.typo] has 'fetsch', which is no tool, resource, template, prompt, tag or \
             effect of this server; did you mean fetch?",
        ),
    ] {
        let (found, hint) = refused(arguments);
        assert_eq!(found, sentence);
        assert!(
            hint.starts_with("There are tools plain, ask, ")
                && hint.contains("; tags admin, both, reading; effects asks-user, ")
                && hint.ends_with("clock."),
            "{hint}"
        );
    }
    let (sentence, _) = refused(&["--enable=\u{1b}[2J"]);
    assert!(!sentence.contains('\u{1b}'), "{sentence}");
}

#[test]
fn what_means_several_things_is_refused_with_the_ways_to_write_it() {
    for (word, reason) in [
        (
            "both",
            "which is a tool, a prompt and a tag; write tool:both, prompt:both or tag:both.",
        ),
        (
            "clock",
            "which is a tool and a kind of effect; write tool:clock or effect:clock.",
        ),
    ] {
        let (sentence, _) = refused(&[&format!("--disable={word}")]);
        assert_eq!(sentence, format!("--disable has '{word}', {reason}"));
    }
    // A URI may begin like an entry that says its sort.
    let registry = builder();
    let entry = entry::resolve("tag:example.org,2026:x", registry.registry());
    assert!(matches!(entry, Ok(Entry::Component(Kind::Resource, _))));
}

#[test]
fn nothing_is_enabled_beside_a_profile_that_leaves_it_out() {
    for (arguments, sentence) in [
        (
            &["--profile=safe", "--enable=plain,fetch"][..],
            "--enable has 'tool:fetch', which the profile safe leaves out, and what a profile leaves out cannot be enabled \
             beside it; use another profile.",
        ),
        (
            &["--profile=wrong"],
            "test.toml, line 15: enable of [profiles.wrong] has 'tool:fetch', which the profile safe leaves out, and what a \
             profile leaves out cannot be enabled beside it; use another profile.",
        ),
        (
            &["--profile=reading", "--enable=tag:admin"],
            "--enable has 'tag:admin', which the profile reading leaves out, and what a profile leaves out cannot be enabled \
             beside it; use another profile.",
        ),
    ] {
        assert_eq!(refused(arguments).0, sentence);
    }
}

#[test]
fn a_profile_that_is_not_there_or_begins_with_itself_is_refused() {
    for (name, sentence) in [
        (
            "saef",
            "--profile is 'saef', but must be one of full, safe, about, both, careful, lost, reading, round, typo, wrong; did \
             you mean safe?",
        ),
        (
            "lost",
            "test.toml, line 21: extends is 'reeding', but must be one of full, safe, about, both, careful, lost, reading, \
             round, typo, wrong; did you mean reading?",
        ),
        (
            "round",
            "test.toml, line 21: [profiles.round] begins with itself, by way of extends.",
        ),
    ] {
        assert_eq!(refused(&[&format!("--profile={name}")]).0, sentence);
    }
    let none = settings(&["--profile=mine"]).with(&Profiles::default());
    assert_eq!(
        none.unwrap_err().sentence(),
        Some("--profile is 'mine', but must be full, safe or a profile of the file of --config.")
    );
}

#[test]
fn a_list_has_commas_between_its_entries_and_at_least_one() {
    let read = |text| words(text).map(|Words(words)| words.join("|"));
    assert_eq!(read(" a, b ,").as_deref(), Ok("a|b"));
    assert_eq!(read("x://{?a,b},c").as_deref(), Ok("x://{?a,b}|c"));
    assert_eq!(read("}a,b").as_deref(), Ok("}a|b"));
    for empty in ["", " , "] {
        assert!(
            read(empty)
                .unwrap_err()
                .starts_with("a comma-separated list")
        );
    }
    assert_eq!(profile(" safe ").as_deref(), Ok("safe"));
    for bad in ["", "a b", "a.b", &"a".repeat(65)] {
        assert!(profile(bad).is_err());
    }
}

#[test]
fn what_is_off_is_told_in_a_line_and_the_manifest_has_the_rules() {
    let told = |arguments: &[&str]| {
        let mut settings = settings(arguments);
        settings.with(&profiles()).unwrap();
        let selected = settings.resolve(builder().registry()).unwrap();
        (selected.to_string(), selected.value())
    };
    assert_eq!(
        told(&[]),
        (
            "profile full".into(),
            json!({ "name": "full", "layers": [] })
        )
    );
    assert_eq!(
        told(&["--profile=careful", "--enable=plain, tool:clock"]),
        (
            "profile careful, 14 of 16 components are off: tool:ask, tool:model, tool:dice, tool:fetch, tool:python, \
             tool:save, tool:git, tool:home, tool:both, resource:data://logo, resource:tag:example.org,2026:x, \
             template:data://rows{?a,b}, prompt:both and prompt:write"
                .into(),
            json!({
                "name": "careful",
                "layers": [
                    { "effects": ["asks-user", "uses-model", "random", "clock"] },
                    { "disable": ["tool:ask"] },
                    { "enable": ["tool:plain", "tool:clock"], "disable": [] },
                ],
            })
        )
    );
}
