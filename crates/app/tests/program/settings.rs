//! The settings that every program has: what each refuses and takes, from which source, and what is said of it.

mod table;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use serde_json::json;

use self::table::{ACCEPTED, REFUSED};
use super::env_file::assert_refused;
use super::{run, run_in, text, zebra};

/// Settings of the example itself.
const OWN: [&str; 3] = ["ZEBRA_2_STRIPES", "ZEBRA_2_HERD", "ZEBRA_2_HERD_KEY"];

#[track_caller]
fn assert_taken(output: &Output) {
    assert_eq!(
        (output.status.code(), &*text(&output.stdout)),
        (Some(0), ""),
        "{output:?}"
    );
}

#[test]
fn a_bad_value_is_refused_in_a_sentence_that_names_it_and_what_is_allowed() {
    let here = tempfile::tempdir().unwrap();
    for (flag, variable, values, allowed) in REFUSED {
        for value in values {
            refuse(here.path(), flag, variable, value, allowed);
        }
    }
}

/// Every source of a setting refuses this value, and names itself.
fn refuse(here: &Path, flag: &str, variable: &str, value: &str, allowed: &str) {
    let shown = value.replace('\t', "\\t");
    let quoted = format!("'{}", shown.chars().take(200).collect::<String>());
    let words = [variable, flag, &quoted, allowed];
    let argument = format!("{flag}={value}");
    let file = here.join("settings.env");
    fs::write(&file, format!("# Mine\n{variable}='{value}'\n")).unwrap();
    let read = run_in(here, &["--env-file", "settings.env"], &[]);
    let set = run_in(here, &[], &[(variable, value)]);
    if value.is_empty() {
        assert_taken(&read);
        assert_taken(&set);
    } else {
        assert_refused(&read, 2, &words);
        let place = "zebra-2: settings.env, line 2: ";
        assert!(text(&read.stderr).contains(place), "{read:?}");
        assert_refused(&set, 2, &words);
        let named = format!("zebra-2: {variable}");
        assert!(text(&set.stderr).contains(&named), "{set:?}");
    }
    let key = flag.trim_start_matches('-');
    let file = here.join("settings.toml");
    fs::write(&file, format!("# Mine\n{key} = {}\n", json!(value))).unwrap();
    let read = run_in(here, &["--config", "settings.toml"], &[]);
    let place = format!("zebra-2: settings.toml, line 2: {key} ");
    assert!(text(&read.stderr).contains(&place), "{read:?}");
    for refused in [
        run_in(here, &[&argument], &[]),
        run_in(here, &["serve", &argument], &[]),
        read,
    ] {
        assert_refused(&refused, 2, &[key, &quoted, allowed]);
    }
}

#[test]
fn values_at_the_edges_are_taken() {
    let here = tempfile::tempdir().unwrap();
    for (variable, values) in ACCEPTED {
        for value in values {
            assert_taken(&run_in(here.path(), &[], &[(variable, value)]));
        }
    }
}

/// The tables are of use only as long as they name every setting.
#[test]
fn the_help_names_every_setting_and_the_tables_do_too() {
    let help = run(&["--help-all"], &[]);
    assert_eq!((help.status.code(), help.stderr.len()), (Some(0), 0));
    let help = text(&help.stdout);
    let named = help.split("[env: ").skip(1);
    let mut found: Vec<_> = named
        .filter_map(|rest| rest.split([']', ',']).next())
        // A value may stand behind the name.
        .filter_map(|name| name.split('=').next())
        .filter(|name| !OWN.contains(name))
        .collect();
    let mut refused: Vec<_> = REFUSED.iter().map(|row| row.1).collect();
    let mut accepted: Vec<_> = ACCEPTED.iter().map(|row| row.0).collect();
    for names in [&mut found, &mut refused, &mut accepted] {
        names.sort_unstable();
    }
    assert_eq!(refused, accepted);
    assert_eq!(found, refused);
    for (flag, ..) in REFUSED {
        assert!(help.contains(flag), "{flag}");
    }
}

#[test]
fn a_variable_that_is_empty_is_not_set() {
    let empty: Vec<_> = REFUSED.iter().map(|row| (row.1, "")).collect();
    let run_with = |arguments: &[&str]| run(arguments, &empty);
    assert_taken(&run_with(&[]));
    assert_taken(&run_with(&["serve"]));
    assert_refused(&run_with(&["--port", "x"]), 2, &["--port"]);
    let help = run(&["--help-all"], &[]);
    assert_eq!(run_with(&["--help-all"]).stdout, help.stdout);
}

#[test]
fn what_is_no_setting_is_refused() {
    for (arguments, named) in [
        (&["--no-such-flag"][..], "--no-such-flag"),
        (&["no-such-command"], "no-such-command"),
        (&["--port=1", "--port=2"], "--port"),
    ] {
        let run = run(arguments, &[]);
        assert_eq!((run.status.code(), run.stdout.len()), (Some(2), 0));
        assert!(text(&run.stderr).contains(named), "{run:?}");
    }
    assert_refused(&run(&["--port"], &[]), 2, &["--port needs a value"]);
}

#[test]
fn hosts_beyond_this_machine_need_to_be_asked_for() {
    let serve = ["serve", "--transport", "http", "--port", "0"];
    for host in ["0.0.0.0", "::", "192.0.2.1"] {
        let words = [
            "ZEBRA_2_HOST",
            "--host",
            &format!("'{host}'"),
            "--allow-unauthenticated",
        ];
        assert_refused(&run(&serve, &[("ZEBRA_2_HOST", host)]), 2, &words);
    }
    // An address of nobody (RFC 5737): the flag lets it through to where it cannot be bound.
    let asked_for = [
        &serve[..],
        &["--host", "192.0.2.1", "--allow-unauthenticated"],
    ]
    .concat();
    assert_refused(&run(&asked_for, &[]), 1, &["Cannot listen on 192.0.2.1"]);
    let words = ["ZEBRA_2_HOST", "'256.1.1.1'"];
    assert_refused(&run(&serve, &[("ZEBRA_2_HOST", "256.1.1.1")]), 2, &words);
}

#[test]
fn a_port_in_use_is_said_so() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port().to_string();
    for transport in ["http", "sse"] {
        let arguments = ["serve", "--transport", transport, "--host", "127.0.0.1"];
        let environment = [("ZEBRA_2_PORT", &*port), ("ZEBRA_2_LOG_LEVEL", "ERROR")];
        let run = run(&arguments, &environment);
        let words = [&format!("Cannot listen on {address}"), "in use"];
        assert_refused(&run, 1, &words);
    }
}

#[test]
fn what_is_risky_or_on_its_way_out_is_warned_about() {
    const EVERY_PAGE: &str = "ZEBRA_2_CORS_ORIGINS (--cors-origins) has '*'";
    const DEPRECATED: &str = "The transport sse is deprecated";
    let plain = zebra(&[], &[]).raw_http("http").stderr();
    assert!(!plain.contains("WARN"), "{plain}");
    let origins = [("ZEBRA_2_CORS_ORIGINS", "https://a.example,*")];
    let open = zebra(&[], &origins).raw_http("http").stderr();
    assert!(open.contains("WARN") && open.contains(EVERY_PAGE), "{open}");
    let old = zebra(&[], &[]).raw_http("sse").stderr();
    assert!(old.contains("WARN") && old.contains(DEPRECATED), "{old}");
    // People and programs look for the address, whatever is logged.
    let critical = [("ZEBRA_2_LOG_LEVEL", "CRITICAL")];
    let silent = zebra(&["--cors-origins", "*"], &critical).raw_http("http");
    let (line, address) = (silent.stderr(), silent.address());
    let first = format!("zebra-2: listening on http://{address}/mcp");
    let both = format!("{first} and http://[::1]:{}/mcp", address.port());
    let last = line.lines().last().unwrap_or_default();
    let told = last.split_once(" (").map(|(told, _)| told);
    assert!(told == Some(&first) || told == Some(&both), "{line}");
}
