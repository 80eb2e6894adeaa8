use std::collections::BTreeMap;

use super::*;
use crate::App;

/// A program with settings that have aliases: of its own, and with a prefix that others use too.
fn program() -> Program {
    #[derive(clap::Args)]
    struct Settings {
        /// Where the stock is.
        #[arg(long, env = "STOCKROOM_URL")]
        _stock_url: Option<String>,
    }
    App::new("zebra-2", "1.0.0")
        .settings::<Settings>()
        .alias("port", "HORSE_PORT")
        .alias("transport", "HORSE_TRANSPORT")
        .warn_prefix("HORSE_")
        .program()
}

fn named(names: &[&str]) -> Vec<String> {
    let names = names.iter().map(|name| ((*name).to_owned(), None));
    unknown::warnings(&program(), names)
}

#[test]
fn every_setting_has_a_variable_that_begins_like_the_program() {
    let program = program();
    for setting in program.settings() {
        let flag = setting.flag().to_ascii_uppercase().replace('-', "_");
        assert_eq!(setting.variable(), format!("ZEBRA_2_{flag}"));
    }
    let port = program.setting("port").unwrap();
    let variables: Vec<_> = port.variables().collect();
    assert_eq!(variables, ["ZEBRA_2_PORT", "HORSE_PORT"]);
    let url = program.setting("stock-url").unwrap();
    let variables: Vec<_> = url.variables().collect();
    assert_eq!(variables, ["ZEBRA_2_STOCK_URL", "STOCKROOM_URL"]);
    // A file can be named by a flag alone.
    assert!(program.setting("env-file").is_none() && program.setting("config").is_none());
}

#[test]
fn a_name_of_ours_that_is_unknown_is_told_with_what_may_have_been_meant() {
    for (name, meant) in [
        ("HORSE_PROT", Some("HORSE_PORT")),
        ("horse_port", Some("HORSE_PORT")),
        ("HORSE_LOG_LEVELS", None),
        ("ZEBRA_2_LOGLEVEL", Some("ZEBRA_2_LOG_LEVEL")),
        ("zebra_2_log_level", Some("ZEBRA_2_LOG_LEVEL")),
        ("ZEBRA_2_WHATEVER_IT_IS_CALLED", None),
        ("STOCKROOM_ULR", Some("STOCKROOM_URL")),
    ] {
        let hint = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        assert_eq!(named(&[name]), [format!("{name} is not a setting{hint}")]);
    }
    for known_or_strange in [
        "HORSE_PORT",
        "ZEBRA_2_PORT",
        "ZEBRA_3_PORT",
        "ZEBRA_PORT",
        "PORT",
        "PATH",
        // A prefix that others use too: only slips are told.
        "STOCKROOM_SECRET",
        "",
    ] {
        assert_eq!(named(&[known_or_strange]), [""; 0], "{known_or_strange}");
    }
}

#[test]
fn what_kubernetes_says_of_services_is_no_setting() {
    for (name, value) in [
        ("ZEBRA_2_SERVICE_HOST", "10.0.0.1"),
        ("ZEBRA_2_SERVICE_PORT", "8000"),
        ("ZEBRA_2_SERVICE_PORT_HTTP", "8000"),
        ("ZEBRA_2_PORT", "tcp://10.0.0.1:8000"),
        ("ZEBRA_2_A_PORT", "udp://10.0.0.1:8000"),
        ("ZEBRA_2_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("ZEBRA_2_PORT_8000_TCP_PROTO", "tcp"),
        ("ZEBRA_2_PORT_8000_UDP_PORT", "8000"),
        ("ZEBRA_2_PORT_8000_TCP_ADDR", "10.0.0.1"),
    ] {
        assert!(is_service_link(name, value), "{name}");
        let environment = Environment::from_iter([(name, value)]);
        assert_eq!(environment.get(name), None, "{name}");
    }
    for (name, value) in [
        ("ZEBRA_2_PORT", "8000"),
        ("ZEBRA_2_PORT", "http://x"),
        ("ZEBRA_2_PORT_X_TCP", "tcp://10.0.0.1:8000"),
        ("ZEBRA_2_PORT_8000", "1"),
        ("ZEBRA_2_SERVICE", "x"),
    ] {
        assert!(!is_service_link(name, value), "{name}={value}");
    }
}

#[test]
fn only_some_names_are_compared_and_all_are_counted() {
    let program = program();
    let names =
        |prefix: &'static str| (0..1_000).map(move |number| (format!("{prefix}{number}"), None));
    let warnings = unknown::warnings(&program, names("ZEBRA_2_LOG_LEVEL"));
    let meant = warnings.iter().filter(|warning| warning.contains("mean"));
    assert_eq!((warnings.len(), meant.count()), (1_000, 100));
    let slip = ("STOCKROOM_URLL".to_owned(), None);
    let shared = names("STOCKROOM_OTHER_").chain([slip]);
    assert_eq!(unknown::warnings(&program, shared), [""; 0]);
}

#[test]
fn a_warning_has_no_control_characters_and_comes_once() {
    assert_eq!(
        named(&[
            "ZEBRA_2_\u{1b}[2JWHATEVER",
            "ZEBRA_2_WHATEVER_IT_IS_CALLED",
            "ZEBRA_2_WHATEVER_IT_IS_CALLED"
        ]),
        [
            "ZEBRA_2_\\u{1b}[2JWHATEVER is not a setting",
            "ZEBRA_2_WHATEVER_IT_IS_CALLED is not a setting"
        ]
    );
}

// ------------------------------------------------------------------------------------ the file of --config

fn parsed(text: &str) -> Result<BTreeMap<String, config::Value>, (usize, String)> {
    config::parse(text, &program()).map(|config| config.values)
}

#[track_caller]
fn assert_config(text: &str, flag: &str, line: usize, texts: &[&str]) {
    let values = parsed(text).unwrap();
    let value = &values[flag];
    assert_eq!(value.line, line, "{text}");
    assert_eq!(value.texts, texts, "{text}");
}

#[test]
fn a_key_is_a_flag_in_kebab_or_snake_case() {
    assert_config("port = 8000", "port", 1, &["8000"]);
    assert_config(
        "\u{feff}# Mine\r\n\r\nport = 8000\r\n",
        "port",
        3,
        &["8000"],
    );
    assert_config("log-level = \"debug\"\n", "log-level", 1, &["debug"]);
    assert_config("\nlog_level = 'debug'\n", "log-level", 2, &["debug"]);
    assert_config("\"log-level\" = 'debug'\n", "log-level", 1, &["debug"]);
    assert_config("port = 0x1F_40", "port", 1, &["8000"]);
    assert_config("port = 8_000", "port", 1, &["8000"]);
    assert_config("port = 1.5", "port", 1, &["1.5"]);
    assert_config(
        "allow-unauthenticated = true",
        "allow-unauthenticated",
        1,
        &["true"],
    );
    let list = "allowed-hosts = [\n  'a.example', # one\n  'b.example',\n]\nport = 1\n";
    assert_config(list, "allowed-hosts", 1, &["a.example", "b.example"]);
    assert_config(list, "port", 5, &["1"]);
    assert_config("stock-url = 1979-05-27", "stock-url", 1, &["1979-05-27"]);
    assert!(parsed("").unwrap().is_empty());
    assert!(parsed("# nothing\n").unwrap().is_empty());
}

#[test]
fn what_is_no_setting_is_refused_with_its_line_and_without_its_value() {
    for (text, line, words) in [
        (
            "prot = 'hunter2'",
            1,
            "prot is not a setting; did you mean port?",
        ),
        (
            "port = 1\n\nLogLevel = 'hunter2'",
            3,
            "LogLevel is not a setting; did you mean log-level?",
        ),
        (
            "zzz = 1\naaa = 1",
            1,
            "zzz is not a setting; --help-all lists them.",
        ),
        ("port = 1\nport = 'hunter2'", 2, "This is not valid TOML: "),
        ("port = 1\nhost = hunter2", 2, "This is not valid TOML: "),
        (
            "log_level = 1\nlog-level = 'hunter2'",
            2,
            "log-level is given twice.",
        ),
        ("\n[limits]\nport = 1", 2, "[limits] is not a table"),
        (
            "[port]\nx = 1",
            1,
            "port must be a text, a number, true, false or a list of these.",
        ),
        ("port = [[1]]", 1, "port must be a text"),
        ("host = \"hunter2\\u0000\"", 1, "host must have no NUL"),
        ("env-file = 'hunter2'", 1, "env-file is not a setting"),
        ("\"\\u001b[2J\" = 1", 1, "\\u{1b}[2J is not a setting"),
    ] {
        let (found, sentence) = parsed(text).unwrap_err();
        assert_eq!(found, line, "{text}: {sentence}");
        assert!(sentence.contains(words), "{text}: {sentence}");
        assert!(!sentence.contains("hunter2"), "{sentence}");
        assert!(
            sentence.ends_with(['.', '?']) && !sentence.contains('\n'),
            "{sentence:?}"
        );
    }
}

#[test]
fn deep_and_long_files_are_refused_or_read_soon() {
    let deep = format!("port = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(parsed(&deep).is_err());
    let many: String = (0..20_000).map(|n| format!("a{n} = 1\n")).collect();
    assert_eq!(parsed(&many).unwrap_err().0, 1);
    let list = format!("allowed-hosts = [{}]", "'a',".repeat(100_000));
    assert_eq!(parsed(&list).unwrap()["allowed-hosts"].texts.len(), 100_000);
}

// ------------------------------------------------------------------------------------------ how they are named

#[test]
fn a_sentence_names_settings_as_their_sources_do() {
    let program = program();
    let mut origins = Origins::default();
    let path = PathBuf::from("zebra.toml");
    let key = "log_level".to_owned();
    origins.set("log-level", origin::Origin::Config { path, line: 3, key });
    origins.set("host", origin::Origin::Flag);
    let name = "HORSE_PORT".to_owned();
    origins.set("port", origin::Origin::Variable { name });
    for (sentence, named) in [
        ("--port must be even.", "HORSE_PORT (--port) must be even."),
        ("--host and (--port).", "--host and (HORSE_PORT (--port))."),
        (
            "--log-level is loud, --stock-url too.",
            "zebra.toml, line 3: log_level is loud, ZEBRA_2_STOCK_URL (--stock-url) too.",
        ),
        // Values, and what is no setting, stay as they are.
        ("--host is '--port'.", "--host is '--port'."),
        ("--help and a--port -- --.", "--help and a--port -- --."),
        ("é --port é", "é HORSE_PORT (--port) é"),
    ] {
        assert_eq!(origins.located(&program, sentence), named);
    }
    assert_eq!(origins.get("host"), Some(&origin::Origin::Flag));
}

// -------------------------------------------------------------------------------------------- the command line

#[test]
fn files_can_be_named_before_the_verb() {
    let command = || Command::new("zebra-2").subcommand(Command::new("serve"));
    let first = |arguments: &[&str]| {
        let arguments = ["zebra-2"].iter().chain(arguments).map(OsString::from);
        let first = verb_first(arguments.collect(), &command());
        let first: Vec<_> = first
            .iter()
            .map(|argument| argument.to_string_lossy())
            .collect();
        first[1..].join(" ")
    };
    for (given, told) in [
        (&["serve", "--port=1"][..], "serve --port=1"),
        (
            &["--env-file", "a", "serve", "--port=1"],
            "serve --env-file a --port=1",
        ),
        (
            &["--config=a", "--env-file=b", "serve"],
            "serve --config=a --env-file=b",
        ),
        (&["--env-file", "serve"], "--env-file serve"),
        (&["--port=1", "serve"], "--port=1 serve"),
        (&["--env-file"], "--env-file"),
        (&[], ""),
    ] {
        assert_eq!(first(given), told);
    }
}
