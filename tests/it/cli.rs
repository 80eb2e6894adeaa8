//! The command line of `pymcp`: its own settings and their names, those of the original, and its own commands. What every
//! program does with settings is tested in `crates/app`.

mod settings;

use std::fs;
use std::path::Path;

use pymcp_kit::testing::raw::Finished;
use serde_json::json;

use self::settings::{ACCEPTED, ALIASES, REFUSED, SECRET, TOGETHER};
use crate::support::{pymcp, run};

fn run_in(directory: &Path, env: &[(&str, &str)]) -> Finished {
    run(directory, &[], env)
}

/// Refused before anything was served: a single sentence with all of `words`, and below it what to do, if there is that.
#[track_caller]
fn assert_refused(run: &Finished, code: i32, words: &[&str]) {
    assert_eq!((run.code, &*run.stdout), (Some(code), ""), "{run:?}");
    let (sentence, hints) = run.stderr.split_once('\n').unwrap_or_default();
    let sentence = sentence
        .strip_prefix("pymcp: ")
        .and_then(|rest| rest.strip_suffix('.'));
    let sentence = sentence.unwrap_or_else(|| panic!("no sentence: {run:?}"));
    let mut hints = hints.lines();
    assert!(
        hints.all(|hint| hint.starts_with("  ")),
        "more than a line: {run:?}"
    );
    for word in words {
        assert!(sentence.contains(word), "{word:?} is not in: {sentence}");
    }
}

#[track_caller]
fn assert_accepted(run: &Finished) {
    assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{run:?}");
}

#[test]
fn a_bad_value_is_refused_in_a_sentence_that_names_it_and_what_is_allowed() {
    let here = tempfile::tempdir().unwrap();
    for (flag, variable, values, allowed) in REFUSED {
        for value in values {
            let secret = SECRET.contains(&variable);
            let shown = value.replace('\t', "\\t");
            let quoted = format!("'{}", shown.chars().take(200).collect::<String>());
            let quoted = if secret { "must" } else { &quoted };
            let words = [variable, flag, quoted, allowed];
            let argument = format!("{flag}={value}");
            let file = here.path().join("settings.env");
            fs::write(&file, format!("# Mine\n{variable}='{value}'\n")).unwrap();
            let read = run(here.path(), &["--env-file", "settings.env"], &[]);
            let set = run_in(here.path(), &[(variable, value)]);
            if value.is_empty() {
                assert_accepted(&read);
                assert_accepted(&set);
            } else {
                assert_refused(&read, 2, &words);
                let place = "pymcp: settings.env, line 2: ";
                assert!(read.stderr.starts_with(place), "{read:?}");
                assert_refused(&set, 2, &words);
                assert!(set.stderr.starts_with(&format!("pymcp: {variable}")));
                let shown = [&read, &set].map(|run| run.stderr.contains(value));
                assert!(!secret || shown == [false; 2], "{read:?} {set:?}");
            }
            let key = flag.trim_start_matches('-');
            let file = here.path().join("settings.toml");
            fs::write(&file, format!("# Mine\n{key} = {}\n", json!(value))).unwrap();
            let read = run(here.path(), &["--config", "settings.toml"], &[]);
            assert_refused(&read, 2, &[key, quoted, allowed]);
            let place = format!("pymcp: settings.toml, line 2: {key} ");
            assert!(read.stderr.starts_with(&place), "{read:?}");
            for refused in [
                run(here.path(), &[&argument], &[]),
                run(here.path(), &["serve", &argument], &[]),
                read,
            ] {
                assert_refused(&refused, 2, &[key, quoted, allowed]);
                assert!(!secret || !refused.stderr.contains(value), "{refused:?}");
            }
        }
    }
}

#[test]
fn values_at_the_edges_are_taken() {
    let here = tempfile::tempdir().unwrap();
    for (variable, values) in ACCEPTED {
        for value in values {
            assert_accepted(&run_in(here.path(), &[(variable, value)]));
        }
    }
}

#[test]
fn settings_that_do_not_fit_together_are_refused_before_anybody_is_served() {
    let here = tempfile::tempdir().unwrap();
    for (env, words) in TOGETHER {
        let refused = run_in(here.path(), env);
        assert_refused(&refused, 2, words);
        assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
    }
}

#[test]
fn the_original_s_names_are_taken_beside_ours_which_win() {
    let here = tempfile::tempdir().unwrap();
    for (flag, alias) in ALIASES {
        let own = format!("PYMCP_{}", flag.to_uppercase().replace('-', "_"));
        let own = own.as_str();
        let refused = run_in(here.path(), &[(alias, "? ?")]);
        assert_refused(&refused, 2, &[&format!("{alias} (--{flag})")]);
        for env in [&[(own, "? ?")][..], &[(own, "? ?"), (alias, "! !")]] {
            let refused = run_in(here.path(), env);
            assert_refused(&refused, 2, &[&format!("{own} (--{flag})")]);
            let named = refused.stderr.starts_with(&format!("pymcp: {own} "));
            assert!(named, "{refused:?}");
        }
    }
    let old = run(here.path(), &["--ddgs-proxy=socks4://a"], &[]);
    assert_refused(&old, 2, &["--search-proxy"]);
}

#[test]
fn the_help_fits_a_screen_and_shows_no_secret() {
    let here = tempfile::tempdir().unwrap();
    let env: Vec<_> = SECRET.iter().map(|name| (*name, "hunter2")).collect();
    let help = run(here.path(), &["--help"], &env).stdout;
    let all = run(here.path(), &["--help-all"], &env).stdout;
    assert!(help.lines().count() <= 30, "{help}");
    assert!(!help.contains("docs"), "{help}");
    for name in SECRET {
        assert!(all.contains(name), "{name}: {all}");
    }
    assert!(
        !help.contains("hunter2") && !all.contains("hunter2"),
        "{all}"
    );
}

/// The tables are of use only as long as they name every setting of its own, which are the last of the help.
#[test]
fn the_help_names_every_setting_and_the_tables_do_too() {
    let here = tempfile::tempdir().unwrap();
    let help = run(here.path(), &["--help-all"], &[]);
    assert_eq!((help.code, &*help.stderr), (Some(0), ""));
    let (_, own) = help.stdout.split_once("\nPython:\n").unwrap();
    let found: Vec<Vec<_>> = own
        .split("[env: ")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(']')?.0.split(", ").collect()))
        .collect();
    let mut refused: Vec<_> = REFUSED.iter().map(|row| row.1).collect();
    let mut accepted: Vec<_> = ACCEPTED.iter().map(|row| row.0).collect();
    for names in [&mut refused, &mut accepted] {
        names.sort_unstable();
    }
    assert_eq!(refused, accepted);
    assert_eq!(found.len(), refused.len(), "{own}");
    for variables in found {
        let ours = refused.iter().filter(|name| variables.contains(name));
        assert_eq!(ours.count(), 1, "{variables:?}");
        assert!(variables[0].starts_with("PYMCP_"), "{variables:?}");
    }
    for (flag, ..) in REFUSED {
        assert!(help.stdout.contains(flag), "{flag}");
    }
}

#[test]
fn the_version_is_the_package_s() {
    let here = tempfile::tempdir().unwrap();
    let version = run(here.path(), &["--version"], &[]);
    assert_eq!(
        version.stdout,
        format!("pymcp {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(version.code, Some(0));
}

#[test]
fn a_name_of_ours_that_is_no_setting_is_warned_about() {
    let here = tempfile::tempdir().unwrap();
    let unknown = [
        ("FASTMCP_PROT", "hunter2"),
        ("FASTMCP_LOG_LEVEL", "hunter2"),
        ("PYMCP_WHATEVER_IT_IS", "hunter2"),
        ("MCP_TIMEOUT", "hunter2"),
        ("SEARXNG_SECRET", "hunter2"),
    ];
    let warned = run_in(here.path(), &unknown);
    assert_eq!((warned.code, &*warned.stdout), (Some(0), ""), "{warned:?}");
    let lines: Vec<_> = warned.stderr.lines().collect();
    for sentence in [
        "FASTMCP_PROT is not a setting; did you mean FASTMCP_PORT?",
        "FASTMCP_LOG_LEVEL is not a setting; did you mean PYMCP_LOG_LEVEL?",
        "PYMCP_WHATEVER_IT_IS is not a setting",
    ] {
        let about = |line: &&&str| line.contains("WARN") && line.ends_with(sentence);
        assert_eq!(lines.iter().filter(about).count(), 1, "{warned:?}");
    }
    assert_eq!(lines.len(), 3, "{warned:?}");
    let many: Vec<_> = (0..30).map(|n| format!("PYMCP_UNKNOWN_{n}")).collect();
    let many: Vec<_> = many.iter().map(|name| (&**name, "1")).collect();
    let warned = run_in(here.path(), &many);
    assert_eq!(warned.stderr.lines().count(), 21, "{warned:?}");
    assert!(warned.stderr.contains("10 more"), "{warned:?}");
}

#[cfg(unix)]
#[test]
fn the_original_s_name_of_the_transport_is_taken() {
    use pymcp_kit::testing::raw::signal;

    let mut server = pymcp(&[], &[]).raw_http("streamable-http");
    signal(server.pid(), "INT");
    assert_eq!(server.wait().code(), Some(0), "{}", server.stderr());
}

// ----------------------------------------------------------------------------------------------- pymcp docs

#[test]
fn stale_docs_are_noticed_and_written_anew() {
    let here = tempfile::tempdir().unwrap();
    let readme = here.path().join("README.md");
    let docs = |arguments: &[&str]| run(here.path(), &[&["docs"], arguments].concat(), &[]);
    assert_refused(&docs(&["--check"]), 1, &["README.md", "cannot be read"]);

    fs::write(
        &readme,
        "# Mine\n<!-- components -->\n<!-- /components -->\n",
    )
    .unwrap();
    assert_refused(&docs(&[]), 1, &["README.md", "<!-- settings -->"]);

    let stale = "# Mine\n<!-- components -->\nold\n<!-- /components -->\nkept\n<!-- settings -->\n<!-- /settings -->\n<!-- clients -->\n<!-- /clients -->\nend";
    fs::write(&readme, stale).unwrap();
    assert_refused(
        &docs(&["--check"]),
        1,
        &["README.md", "out of date", "`pymcp docs`"],
    );
    assert_eq!(
        fs::read_to_string(&readme).unwrap(),
        stale,
        "--check writes nothing"
    );
    assert_accepted(&docs(&[]));
    assert_accepted(&docs(&["--check"]));
    let written = fs::read_to_string(&readme).unwrap();
    for part in [
        "# Mine\n",
        "| tool | `greet` |",
        "\nkept\n",
        "`FASTMCP_PORT`",
        "\nend",
    ] {
        assert!(written.contains(part), "{part}: {written}");
    }
    assert!(!written.contains("\nold\n"));

    let other = here.path().join("other/README.md");
    fs::create_dir_all(here.path().join("other/docs")).unwrap();
    fs::write(&other, stale).unwrap();
    assert_accepted(&docs(&["--root", "other"]));
    assert_eq!(fs::read_to_string(&other).unwrap(), written);
    let python = cfg!(feature = "python").then_some(("python-sandbox.md", "PYTHON_TIMEOUT"));
    let search = cfg!(feature = "search").then_some(("web-search.md", "SEARCH_TIMEOUT"));
    for (page, variable) in python.into_iter().chain(search) {
        let page = here.path().join("other/docs").join(page);
        let markers =
            "<!-- settings -->\n<!-- /settings -->\n<!-- engines -->\n<!-- /engines -->\n";
        fs::write(&page, markers).unwrap();
        assert_refused(&docs(&["--root", "other", "--check"]), 1, &["out of date"]);
        assert_accepted(&docs(&["--root", "other"]));
        let written = fs::read_to_string(&page).unwrap();
        assert!(written.contains(variable), "{written}");
    }
}

// ---------------------------------------------------------------------------------------- the README

#[test]
fn the_transcripts_of_the_readme_are_true() {
    let readme = include_str!("../../README.md");
    let blocks = readme.split("```console\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    let here = tempfile::tempdir().unwrap();
    let mut told = 0;
    for step in blocks.flat_map(|block| block.split("$ pymcp ").skip(1)) {
        let (line, output) = step.split_once('\n').unwrap();
        let arguments: Vec<_> = line.split_whitespace().collect();
        let run = run(here.path(), &arguments, &[]);
        assert_eq!((run.code, &*run.stdout), (Some(0), output), "{line}");
        told += 1;
    }
    assert!(told > 0);
}
