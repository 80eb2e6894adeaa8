//! What is said of it, and when a server does not start.

use std::process::Stdio;

use super::*;

/// Runs it to its end; the exit code, and what it says on stderr.
fn run(flags: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = mischief(folder.path(), flags).command();
    let output = command.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), stderr)
}

#[test]
fn require_refuses_to_start_with_a_thread_that_is_not_confined_and_auto_says_it() {
    if !is_confinable() {
        return;
    }
    let flags = ["--early-thread", "--declare=reads-files:/srv"];
    let (code, said) = run(&[&flags[..], &["--confine=require"]].concat());
    assert_eq!(code, Some(1), "{said}");
    let sentence = "mischief: --confine is 'require', but files cannot be held here: the thread 'early' was there before; \
                    mend that, or set --confine to auto.";
    assert!(said.lines().any(|line| line == sentence), "{said}");
    let (code, said) = run(&flags);
    assert_eq!(code, Some(0), "{said}");
    let told = "confined: network, programs, signals, privileges (seccomp); not held: files (the thread 'early' was there \
                before)";
    assert!(said.contains(told), "{said}");
}

#[test]
fn stdio_says_nothing_when_all_is_held_and_doctor_says_what_is_available() {
    if !is_confinable() {
        return;
    }
    for mode in ["--confine=auto", "--confine=require", "--confine=off"] {
        assert_eq!(run(&[mode]), (Some(0), "mischief: prepared\n".to_owned()));
    }
    let folder = tempfile::tempdir().unwrap();
    let doctor = |variable: &str| {
        let program = mischief(folder.path(), &["doctor"]);
        let output = program.env("MISCHIEF_CONFINE", variable).command().output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let said = doctor("auto");
    let available = "available: files, network, programs, signals, privileges (Landlock ";
    assert!(said.contains(available), "{said}");
    assert!(doctor("off").contains("off (--confine)"));
}
