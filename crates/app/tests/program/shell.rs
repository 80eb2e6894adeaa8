//! `shell`: a script on stdin, and a person at a terminal.

use super::*;

/// Runs a script in the shell of the barn: exit code, stdout and stderr.
fn script(lines: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(binary().with_file_name("barn"));
    command
        .arg("shell")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn a_script_runs_to_its_end_or_to_the_first_line_that_fails() {
    let (code, printed, said) = script("# Is it there?\n\nping --json\nping --json\n");
    assert_eq!((code, &*said), (Some(0), ""));
    assert_eq!(printed, "{\"protocolVersion\":\"2026-07-28\"}\n".repeat(2));
    let (code, printed, said) = script("ping --json\nquit\npong\n");
    assert_eq!((code, printed.lines().count(), &*said), (Some(0), 1, ""));
    for (line, code, told) in [
        (
            "pingg",
            2,
            "line 2: pingg is not a command of the shell; did you mean ping?\n  help lists the commands.\n",
        ),
        ("ping 'x", 2, "line 2: A quote is not closed.\n"),
        (
            "ping --jsn",
            2,
            "line 2: --jsn is not a flag of ping; did you mean --json?\n  ping --help lists the flags.\n",
        ),
        (
            "ping --url http://localhost/mcp",
            2,
            "line 2: --url is said of the whole connection; give it to shell.\n",
        ),
        (
            "ping -",
            2,
            "line 2: - reads stdin, from which the shell reads its commands; use @FILE.\n",
        ),
    ] {
        let ended = script(&format!("ping --json\n{line}\nping\n"));
        assert_eq!(
            (ended.0, &*ended.2),
            (Some(code), &*format!("barn: {told}"))
        );
        assert_eq!(ended.1.lines().count(), 1, "{line}");
    }
    let (code, printed, said) = script(
        "call feed animal=Bo food=oats times=2\ncall store\nread barn://bales\ncall feed animal=Bo food=nails\nping\n",
    );
    assert_eq!(printed, "Bo ate Oats 2 times.\n1\n1", "{said}");
    assert!(
        code == Some(2) && said.starts_with("barn: line 4: food "),
        "{said}"
    );
    let (code, printed, _) = script("help\nhelp ping\n");
    assert_eq!(code, Some(0));
    assert!(
        printed.contains("ping       Connect to a server"),
        "{printed}"
    );
    assert!(
        printed.contains("--json") && !printed.contains("--url"),
        "{printed}"
    );
}

/// `script` of util-linux is a terminal.
#[cfg(target_os = "linux")]
mod terminal {
    use std::process::{ChildStdin, ChildStdout};

    use super::*;

    struct Terminal {
        running: Running,
        stdin: ChildStdin,
        stdout: ChildStdout,
        seen: String,
    }

    impl Terminal {
        fn start(state: &Path) -> Self {
            let line = format!("exec '{}' shell", binary().with_file_name("barn").display());
            // What is waited for and never shown ends the test, and does not hang it.
            let mut command = Command::new("timeout");
            command
                .args(["60", "script", "-qefc", &line, "/dev/null"])
                .env_clear()
                .env("TERM", "xterm")
                .env("XDG_STATE_HOME", state)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
            let mut running = Running(
                command
                    .spawn()
                    .expect("timeout and script, of coreutils and util-linux"),
            );
            let (stdin, stdout) = (running.0.stdin.take(), running.0.stdout.take());
            let mut terminal = Self {
                running,
                stdin: stdin.unwrap(),
                stdout: stdout.unwrap(),
                seen: String::new(),
            };
            terminal.shows("barn> ");
            terminal
        }

        fn types(&mut self, keys: &str) {
            self.stdin.write_all(keys.as_bytes()).unwrap();
            self.stdin.flush().unwrap();
        }

        /// Waits until this is shown, and forgets what came before.
        #[track_caller]
        fn shows(&mut self, part: &str) {
            let mut bytes = [0; 4096];
            loop {
                if let Some(at) = self.seen.find(part) {
                    self.seen.drain(..at + part.len());
                    return;
                }
                let read = self.stdout.read(&mut bytes).unwrap_or(0);
                assert!(read > 0, "{part:?} is not in {:?}", self.seen);
                self.seen += &text(&bytes[..read]);
            }
        }

        fn ends(mut self) -> Option<i32> {
            let mut rest = Vec::new();
            let _ = self.stdout.read_to_end(&mut rest);
            self.running.0.wait().unwrap().code()
        }
    }

    #[test]
    fn lines_are_completed_kept_and_edited() {
        let state = tempfile::tempdir().unwrap();
        let mut shell = Terminal::start(state.path());
        shell.types("pin\t\r");
        shell.shows("this server answers");
        shell.shows("barn> ");
        shell.types("call fe\tanimal=Bo food=o\t\r");
        shell.shows("Bo ate Oats 0 times.");
        shell.shows("barn> ");
        // Ends the call, and not the shell.
        shell.types("call wait\r");
        shell.shows("The corn is growing.");
        shell.types("\u{3}");
        shell.shows("Cancelled.");
        shell.shows("barn> ");
        shell.types("ping --bearer hunter2\r");
        shell.shows("--bearer is said of the whole connection; give it to shell.");
        shell.shows("barn> ");
        // A line that was begun and given up.
        shell.types("pong\u{3}");
        shell.shows("pong");
        shell.shows("barn> ");
        shell.types("\u{4}");
        assert_eq!(shell.ends(), Some(0));
        let file = state.path().join("barn/history");
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            "ping\ncall feed animal=Bo food=oats\ncall wait\n"
        );
        let mut shell = Terminal::start(state.path());
        // Up, three times: the first line of before.
        shell.types("\u{1b}[A\u{1b}[A\u{1b}[A --json\r");
        shell.shows("protocolVersion");
        shell.shows("barn> ");
        shell.types("quit\r");
        assert_eq!(shell.ends(), Some(0));
    }
}
