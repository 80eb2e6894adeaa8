//! What outlives a process: one that is killed, and one whose disk is full.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use super::*;

/// The folder of the log, for the process that writes it.
const FOLDER: &str = "AUDIT_TEST_FOLDER";

/// What the tests below start: it says the name of each call on stdout whose line is written, until one is refused.
#[test]
#[ignore = "another test starts it in a process of its own"]
fn writing_process() {
    let folder = std::env::var_os(FOLDER).unwrap();
    let path = Path::new(&folder).join("audit.jsonl");
    let audit = Audit::open(AuditConfig::new(path, key())).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let calls = (0..8).map(|task| {
        let audit = audit.clone();
        runtime.spawn(async move {
            let mut stdout = std::io::stdout();
            for n in 0_u64.. {
                let name = format!("{task}-{n}");
                if audit.admit().is_err() || record(&audit, &name).await.is_err() {
                    break;
                }
                writeln!(stdout, "written {name}").unwrap();
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        runtime.block_on(call).unwrap();
    }
    assert_eq!(audit.admit(), Err(Refused));
    writeln!(std::io::stdout(), "refused").unwrap();
}

struct Writing(Child);

impl Drop for Writing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it with what a shell does before.
fn start(log: &Log, before: &str) -> Writing {
    let mut command = Command::new("sh");
    let run = format!(
        "{before} exec \"$0\" --exact audit::tests::processes::writing_process --ignored --nocapture"
    );
    command
        .args(["-c", &run])
        .arg(std::env::current_exe().unwrap());
    command
        .env(FOLDER, log.folder.path())
        .stdout(Stdio::piped());
    Writing(command.spawn().unwrap())
}

/// The names that it says, and whether it says at last that one was refused; `each` is called for each line.
fn said(writing: &mut Writing, mut each: impl FnMut(&mut Child, usize)) -> (Vec<String>, bool) {
    let stdout = BufReader::new(writing.0.stdout.take().unwrap());
    let (mut names, mut refused) = (Vec::new(), false);
    for line in stdout.split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        refused |= line == "refused";
        names.extend(line.strip_prefix("written ").map(str::to_owned));
        each(&mut writing.0, names.len());
    }
    (names, refused)
}

fn assert_has(log: &Log, names: &[String]) {
    let lines = lines(&log.path());
    let there: std::collections::BTreeSet<_> = lines
        .iter()
        .filter_map(|line| line["name"].as_str())
        .collect();
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !there.contains(&***name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_process_that_is_killed_has_every_line_that_it_waited_for() {
    let log = Log::new();
    let mut writing = start(&log, "");
    let (mut names, _) = said(&mut writing, |child, names| {
        if names >= 500 {
            let _ = child.kill();
        }
    });
    assert!(names.len() >= 500);
    // The last one may not have been said whole.
    names.pop();
    drop(writing);
    assert_whole(&[log.path()], log.open().close());
    assert_has(&log, &names);
}

#[test]
fn a_full_disk_refuses_and_loses_nothing_that_was_written() {
    let log = Log::new();
    let mut writing = start(&log, "trap '' XFSZ; ulimit -f 64;");
    let (names, refused) = said(&mut writing, |_, _| {});
    assert!(refused && names.len() > 20, "{names:?}");
    drop(writing);
    let verified = verify([log.path()], None).unwrap();
    assert_eq!(verified.findings, []);
    assert_has(&log, &names);
    // With room again it goes on.
    assert_whole(&[log.path()], log.open().close());
}
