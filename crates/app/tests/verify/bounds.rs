//! Servers that do what none should.

use super::*;

/// Seconds for each answer where a server says nothing, and where bytes are to be the bound on a busy machine as well.
const BRIEF: u32 = 2;
const LONG: u32 = 60;

/// Verifies a server, with so many seconds for each answer.
fn of(language: Language, mode: &str, seconds: u32) -> Option<Ran> {
    let server = language.server(mode)?;
    let timeout = format!("--timeout={seconds}");
    Some(verify(&[&timeout, "--format=json"], &server))
}

/// That the server cannot be checked, and that both the sentence and the document say why.
#[track_caller]
fn assert_unchecked(language: Language, mode: &str, seconds: u32, why: &str) {
    let Some(ran) = of(language, mode, seconds) else {
        return;
    };
    ran.assert_unchecked(why);
    let report = ran.json();
    assert_eq!(report["outcome"], "unchecked", "{report}");
    assert!(report["error"].as_str().unwrap().contains(why), "{report}");
    assert_eq!(report["shown"], Value::Null, "{report}");
}

#[test]
fn a_part_of_a_list_is_not_taken_for_the_whole() {
    for (mode, why) in [
        (
            "partial",
            "refuses tools/list: 'the second page is broken' (error -32603).",
        ),
        (
            "lost",
            "answers tools/list with something else than the protocol has.",
        ),
        (
            "shape",
            "answers tools/list with something else than the protocol has.",
        ),
        (
            "cursor",
            "answers tools/list with something else than the protocol has.",
        ),
        ("refuses", "refuses tools/list: 'no tools today'"),
        ("stalls", "does not answer tools/list within 2 s."),
        ("twice", "The tool 'greet' is there twice"),
    ] {
        assert_unchecked(
            Python,
            mode,
            if mode == "stalls" { BRIEF } else { LONG },
            why,
        );
    }
    assert_unchecked(
        Node,
        "partial",
        LONG,
        "refuses tools/list: 'the second page is broken'",
    );
}

#[test]
fn a_list_without_an_end_has_one() {
    for (mode, why) in [
        (
            "repeats",
            "shows no end of its list (tools/list): a cursor comes twice.",
        ),
        (
            "endless",
            "shows no end of its list (tools/list): it has more pages than are read.",
        ),
        (
            "crowd",
            "shows no end of its list (tools/list): it has more definitions than are read.",
        ),
        (
            "heavy",
            "shows no end of its list (tools/list): its definitions have more bytes than are read.",
        ),
    ] {
        assert_unchecked(Python, mode, LONG, why);
    }
    assert_unchecked(Node, "endless", LONG, "it has more pages than are read.");
}

#[test]
fn a_server_that_floods_is_left() {
    for mode in ["noise", "notes", "huge", "values"] {
        assert_unchecked(Python, mode, LONG, "sends more than is read");
    }
    assert_unchecked(Node, "noise", LONG, "sends more than is read");
    assert_unchecked(Node, "huge", LONG, "sends more than is read");
}

#[test]
fn a_message_that_clients_can_read_in_two_ways_is_not_checked() {
    let why = "answers tools/list with a message that names a member twice.";
    assert_unchecked(Python, "member-twice", LONG, why);
    assert_unchecked(Node, "member-twice", LONG, why);
}

#[test]
fn a_server_that_says_nothing_is_left_in_time() {
    for language in [Python, Node] {
        let Some(ran) = of(language, "mute", BRIEF) else {
            return;
        };
        ran.assert_unchecked("does not answer initialize within 2 s.");
        // Both eras were asked.
        assert!(ran.took >= Duration::from_secs(4), "{ran:?}");
        assert!(ran.took < Duration::from_secs(40), "{ran:?}");
    }
}

#[test]
fn a_server_that_dies_is_named_with_its_last_words() {
    for language in [Python, Node] {
        let Some(ran) = of(language, "dies", LONG) else {
            return;
        };
        ran.assert_unchecked("ended (exit status: 3) before it answered tools/list.");
        assert!(
            ran.stderr
                .contains("It printed last on stderr: 'It breaks.'"),
            "{ran:?}"
        );
    }
    let server = ["/nonexistent/server".to_owned()];
    verify(&[], &server).assert_unchecked("cannot be started");
}
