//! Programs in memory: a command line, an environment and files, and what becomes of them.

mod help;

use std::path::Path;

use clap::ValueEnum;

use super::*;
use crate::settings::Transport;

/// Settings of every form that clap knows.
#[derive(Debug, Args)]
struct Stock {
    /// Items at the start.
    #[arg(long, default_value_t = 10)]
    items: u32,
    /// Where the stock is.
    #[arg(long)]
    stock_url: Option<String>,
    /// Key of the stock.
    #[arg(long, env = "STOCK_API_KEY", hide_env_values = true, value_parser = key)]
    stock_key: Option<String>,
    /// Keeps no state.
    #[arg(long)]
    stateless: bool,
    /// How much is told.
    #[arg(long, action = clap::ArgAction::Count, hide_short_help = true)]
    loud: u8,
    /// Rooms to look into.
    #[arg(long, hide_short_help = true)]
    room: Vec<String>,
    /// Colours to look for.
    #[arg(
        long,
        value_delimiter = ',',
        hide_short_help = true,
        help_heading = "Colours"
    )]
    colours: Vec<Colour>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Colour {
    Black,
    White,
}

fn key(text: &str) -> Result<String, String> {
    match text.len() {
        8.. => Ok(text.to_owned()),
        _ => Err("at least 8 characters".into()),
    }
}

fn app() -> App<Stock> {
    App::new("zebra-2", "1.2.3")
        .settings::<Stock>()
        .alias("port", "HORSE_PORT")
}

/// What is read of a command line and an environment.
fn read<S: Args>(
    app: &App<S>,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<(Shared, S)> {
    let arguments = ["/usr/bin/other"]
        .iter()
        .chain(arguments)
        .map(OsString::from);
    let environment = environment.iter().copied().collect();
    match app.read(&app.program(), arguments.collect(), &environment)? {
        Asked::Serve(serve) => Ok((serve.shared, serve.settings)),
        Asked::BuiltIn(..) | Asked::Verb(..) => panic!("a verb"),
        Asked::Help(help) => Err(Error::other(help.render().to_string())),
    }
}

fn stock(arguments: &[&str], environment: &[(&str, &str)]) -> Stock {
    read(&app(), arguments, environment).unwrap().1
}

fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let error = read(&app(), arguments, environment).unwrap_err();
    assert_eq!(error.code(), 2, "{error:?}");
    error.sentence().unwrap_or_default().to_owned()
}

fn help(arguments: &[&str]) -> String {
    let error = read(&app(), arguments, &[]).unwrap_err();
    error.sentence().unwrap_or_default().to_owned()
}

/// A file, and the flag that names it.
fn named(folder: &Path, flag: &str, name: &str, text: &str) -> String {
    std::fs::write(folder.join(name), text).unwrap();
    format!("{flag}={}", folder.join(name).display())
}

#[test]
fn sources_come_in_order_and_one_after_the_other_decides() {
    let folder = tempfile::tempdir().unwrap();
    let env_file = named(
        folder.path(),
        "--env-file",
        "zebra.env",
        "ZEBRA_2_ITEMS=3\n",
    );
    let config = named(folder.path(), "--config", "zebra.toml", "items = 4\n");
    let (env_file, config) = (env_file.as_str(), config.as_str());
    let variable = ("ZEBRA_2_ITEMS", "2");
    for (arguments, environment, items) in [
        (&[][..], &[][..], 10),
        (&[config], &[], 4),
        (&[config, env_file], &[], 3),
        (&[env_file, "serve", config], &[], 3),
        (&[config, env_file], &[variable], 2),
        (&[config, env_file, "--items=1"], &[variable], 1),
        (&["serve", config, env_file, "--items", "1"], &[variable], 1),
        // A variable that is empty counts as not set.
        (&[config], &[("ZEBRA_2_ITEMS", "")], 4),
        (&[config, env_file], &[("ZEBRA_2_ITEMS", "")], 3),
    ] {
        let found = stock(arguments, environment).items;
        assert_eq!(found, items, "{arguments:?} {environment:?}");
    }
    let empty = named(folder.path(), "--env-file", "empty.env", "ZEBRA_2_ITEMS=\n");
    assert_eq!(stock(&[config, &empty], &[]).items, 4);
}

#[test]
fn an_alias_comes_after_the_variable_of_the_program_and_before_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = named(folder.path(), "--env-file", "zebra.env", "ZEBRA_2_PORT=3\n");
    let old = named(folder.path(), "--env-file", "old.env", "HORSE_PORT=4\n");
    let (own, alias) = (("ZEBRA_2_PORT", "1"), ("HORSE_PORT", "2"));
    for (arguments, environment, port) in [
        (&[file.as_str()][..], &[own, alias][..], 1),
        (&[&file], &[alias], 2),
        (&[&file], &[alias, ("ZEBRA_2_PORT", "")], 2),
        (&[&file], &[alias, ("ZEBRA_2_PORT", "tcp://10.0.0.1:80")], 2),
        (&[&file], &[], 3),
        (&[&old], &[], 4),
        (&[], &[("zebra_2_port", "5")], 8000),
    ] {
        let (shared, _) = read(&app(), arguments, environment).unwrap();
        assert_eq!(shared.port, port, "{environment:?}");
    }
}

#[test]
fn an_error_names_the_source_that_was_used() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], environment: &[(&str, &str)]| {
        refused(arguments, environment).replace(&format!("{}/", folder.path().display()), "")
    };
    let must = "is 'x', but must be a whole number from 0 to 65535.";
    assert_eq!(refused(&["--port=x"], &[]), format!("--port {must}"));
    for name in ["ZEBRA_2_PORT", "HORSE_PORT"] {
        assert_eq!(
            refused(&[], &[(name, "x")]),
            format!("{name} (--port) {must}")
        );
        let text = format!("# Mine\n{name}=x\n");
        let file = named(folder.path(), "--env-file", "zebra.env", &text);
        let place = format!("zebra.env, line 2: {name} (--port)");
        assert_eq!(refused(&[&file], &[]), format!("{place} {must}"));
    }
    let config = named(folder.path(), "--config", "zebra.toml", "\n\nport = 'x'\n");
    assert_eq!(
        refused(&[&config], &[]),
        format!("zebra.toml, line 3: port {must}")
    );
    assert_eq!(
        refused(&[&config, "--port=--host=y"], &[]),
        format!("--port {must}").replace('x', "--host=y")
    );
    assert_eq!(refused(&["--port"], &[]), "--port needs a value.");
    assert_eq!(
        refused(&[], &[("ZEBRA_2_TRANSPORT", "websocket")]),
        "ZEBRA_2_TRANSPORT (--transport) is 'websocket', but must be one of stdio, http, sse."
    );
}

#[test]
fn a_secret_is_shown_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let config = named(
        folder.path(),
        "--config",
        "zebra.toml",
        "stock-key = 'hunter2'",
    );
    for (arguments, environment, name) in [
        (&["--stock-key=hunter2"][..], &[][..], "--stock-key"),
        (
            &[],
            &[("ZEBRA_2_STOCK_KEY", "hunter2")],
            "ZEBRA_2_STOCK_KEY (--stock-key)",
        ),
        (
            &[],
            &[("STOCK_API_KEY", "hunter2")],
            "STOCK_API_KEY (--stock-key)",
        ),
        (&[&config], &[], "line 1: stock-key"),
    ] {
        let sentence = refused(arguments, environment);
        let end = format!("{name} must be at least 8 characters.");
        assert!(sentence.ends_with(&end), "{sentence}");
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
}

#[test]
fn every_form_of_setting_can_be_given_by_every_source() {
    let folder = tempfile::tempdir().unwrap();
    let env_file = named(
        folder.path(),
        "--env-file",
        "zebra.env",
        "ZEBRA_2_STATELESS=yes\nZEBRA_2_LOUD=2\nZEBRA_2_ROOM=a b\nZEBRA_2_COLOURS=white,Black\n",
    );
    let config = named(
        folder.path(),
        "--config",
        "zebra.toml",
        "stateless = true\nloud = 2\nroom = ['a b']\ncolours = ['white', 'BLACK']\n",
    );
    let environment = [
        ("ZEBRA_2_STATELESS", "1"),
        ("ZEBRA_2_LOUD", "2"),
        ("ZEBRA_2_ROOM", "a b"),
        ("ZEBRA_2_COLOURS", "WHITE,black"),
    ];
    let flags = [
        "--stateless",
        "--loud",
        "--loud",
        "--room",
        "a b",
        "--colours=White",
        "--colours=black",
    ];
    for stock in [
        stock(&flags, &[]),
        stock(&[], &environment),
        stock(&[&env_file], &[]),
        stock(&[&config], &[]),
    ] {
        assert!(stock.stateless, "{stock:?}");
        assert_eq!(
            (stock.loud, stock.room.as_slice()),
            (2, &["a b".to_owned()][..])
        );
        assert_eq!(stock.colours, [Colour::White, Colour::Black]);
    }
    let many = named(
        folder.path(),
        "--config",
        "many.toml",
        "room = ['a', 'b']\nstateless = false\n",
    );
    let many = stock(&[&many], &[]);
    assert_eq!((many.room.len(), many.stateless), (2, false));
    for (name, value, must) in [
        ("ZEBRA_2_STATELESS", "maybe", "true or false"),
        ("ZEBRA_2_LOUD", "256", "a whole number from 0 to 255"),
        ("ZEBRA_2_COLOURS", "red", "one of black, white"),
    ] {
        let sentence = refused(&[], &[(name, value)]);
        assert!(
            sentence.starts_with(name) && sentence.contains(must),
            "{sentence}"
        );
    }
}

#[test]
fn values_are_taken_in_any_case() {
    for (text, transport) in [
        ("HTTP", Transport::Http),
        ("Streamable-HTTP", Transport::Http),
        ("Sse", Transport::Sse),
        ("stdio", Transport::Stdio),
    ] {
        let (shared, _) = read(&app(), &["--transport", text], &[]).unwrap();
        assert_eq!(shared.transport, transport);
    }
    for text in ["debug", "Debug", "DEBUG"] {
        read(&app(), &["--log-level", text], &[]).unwrap();
    }
}

#[test]
fn what_is_required_can_come_from_any_source_and_is_asked_for_in_a_sentence() {
    #[derive(Debug, Args)]
    struct Needed {
        /// Where the stock is.
        #[arg(long)]
        stock_url: String,
        /// Who asks.
        #[arg(long, env = "STOCK_USER")]
        user: String,
    }
    let app = App::new("zebra-2", "1.0").settings::<Needed>();
    let error = read(&app, &["--user=me"], &[]).unwrap_err();
    assert_eq!(
        error.sentence(),
        Some("ZEBRA_2_STOCK_URL (--stock-url) must be set.")
    );
    let error = read(&app, &[], &[]).unwrap_err();
    let both = "ZEBRA_2_STOCK_URL (--stock-url) and ZEBRA_2_USER (--user) must be set.";
    assert_eq!((error.sentence(), error.code()), (Some(both), 2));
    let environment = [("ZEBRA_2_STOCK_URL", "a"), ("STOCK_USER", "b")];
    let (_, needed) = read(&app, &["serve"], &environment).unwrap();
    assert_eq!((&*needed.stock_url, &*needed.user), ("a", "b"));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_refused_by_its_name() {
    use std::os::unix::ffi::OsStringExt as _;
    let app = app();
    let bytes = OsString::from_vec(b"\xff80".to_vec());
    let environment = Environment::from_iter([("HORSE_PORT", bytes)]);
    let read = app.read(&app.program(), vec!["zebra-2".into()], &environment);
    let sentence = read
        .err()
        .and_then(|error| error.sentence().map(str::to_owned));
    assert_eq!(sentence.as_deref(), Some("HORSE_PORT is not valid UTF-8."));
}

#[test]
fn a_verb_of_the_author_gets_its_arguments_and_the_program() {
    /// Counts the stripes.
    #[derive(Args)]
    struct Count {
        /// Twice.
        #[arg(long)]
        twice: bool,
    }
    let app = app().verb("count", |count: Count, program: &Program| {
        let name = program.name();
        assert_eq!(
            (program.version(), program.env_prefix()),
            ("1.2.3", "ZEBRA_2_")
        );
        Err(Error::other(format!("{name} twice: {}", count.twice)))
    });
    let program = app.program();
    let arguments = ["x", "count", "--twice"].map(OsString::from);
    let environment = Environment::from_iter([("ZEBRA_2_PORT", "x")]);
    let asked = app
        .read(&program, arguments.to_vec(), &environment)
        .unwrap();
    let Asked::Verb(verb, matches) = asked else {
        panic!("not the verb")
    };
    let said = (verb.run)(&matches, &program).unwrap_err();
    assert_eq!(said.sentence(), Some("zebra-2 twice: true"));
    let help = read(&app, &["--help"], &[]).unwrap_err();
    let help = help.sentence().unwrap_or_default();
    let line = help
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("count "));
    assert!(
        line.is_some_and(|line| line.ends_with(" Counts the stripes")),
        "{help}"
    );
}

#[test]
fn a_verb_of_the_author_takes_the_place_of_one_of_every_program() {
    #[derive(Args)]
    struct None {}
    let app = app().verb("ping", |_: None, _| Err(Error::other("pong")));
    let program = app.program();
    let arguments = ["x", "ping"].map(OsString::from).to_vec();
    let asked = app
        .read(&program, arguments, &Environment::default())
        .unwrap();
    let Asked::Verb(verb, matches) = asked else {
        panic!("not the verb")
    };
    let said = (verb.run)(&matches, &program).unwrap_err();
    assert_eq!(said.sentence(), Some("pong"));
}

#[test]
#[should_panic(expected = "every program has its own verb serve")]
fn serve_is_no_verb_of_the_author() {
    let _ = app().verb("serve", |_: Stock, _| Ok(()));
}

#[test]
fn another_prefix_can_be_chosen() {
    for prefix in ["ACME", "acme", "ACME_"] {
        let app = app().env_prefix(prefix);
        let (shared, _) = read(&app, &[], &[("ACME_PORT", "7")]).unwrap();
        assert_eq!(shared.port, 7);
    }
}

#[test]
#[should_panic(expected = "--prot is not a setting")]
fn an_alias_for_no_setting_is_a_mistake_of_the_author() {
    let _ = app().alias("prot", "HORSE_PROT").program();
}

#[test]
fn clap_is_content_with_the_command_line() {
    let app = app();
    command::command::<Stock>(&app.program(), ABOUT, &[], [], |_| true).debug_assert();
}

#[test]
fn a_default_of_the_author_is_in_force_and_in_the_help() {
    let app = || {
        app()
            .default_value("port", "4242")
            .default_value("transport", "http")
    };
    assert_eq!(read(&app(), &[], &[]).unwrap().0.port, 4242);
    assert_eq!(read(&app(), &["--port", "1"], &[]).unwrap().0.port, 1);
    let said = read(&app(), &["--help"], &[]).unwrap_err();
    let said = said.sentence().unwrap_or_default().to_owned();
    assert!(
        said.contains("[default: 4242]") && said.contains("[default: http]"),
        "{said}"
    );
    let settings = app().program();
    let port = settings.settings().iter().find(|one| one.flag() == "port");
    assert_eq!(port.map(|one| one.default()), Some("4242"));
}

#[test]
#[should_panic = "--prot is not a setting"]
fn a_default_of_no_setting_is_a_mistake() {
    app().default_value("prot", "1").program();
}

#[test]
fn a_path_prefix_is_checked() {
    let (shared, _) = read(&app(), &["--path-prefix", "team-a/"], &[]).unwrap();
    assert_eq!(shared.path_prefix.as_str(), "/team-a");
    let said = refused(&["--path-prefix", "a b"], &[]);
    assert!(
        said.contains("--path-prefix is 'a b', but must be a path such as /team-a"),
        "{said}"
    );
}
