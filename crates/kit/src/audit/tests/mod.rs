//! The log as a whole. `chain`: what verification finds; `failures`: what becomes of calls when lines cannot be written;
//! `processes`: what outlives a process.

mod chain;
mod failures;
#[cfg(unix)]
mod processes;
mod schema;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

fn key() -> AuditKey {
    AuditKey::new(&[7; 32]).unwrap()
}

/// A log in a folder of its own.
struct Log {
    folder: TempDir,
}

impl Log {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    fn config(&self) -> AuditConfig {
        AuditConfig::new(self.path(), key())
    }

    fn open(&self) -> Audit {
        Audit::open(self.config()).unwrap()
    }

    fn refusal(&self) -> String {
        let refused = Audit::open(self.config()).unwrap_err().to_string();
        let name = self.path().display().to_string();
        let said = refused.strip_prefix("The audit log ").unwrap();
        said.strip_prefix(&name).unwrap().trim_start().to_owned()
    }

    /// All its files, the oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| !file.to_string_lossy().contains(".torn-"));
        // The one that is written to has the shortest name.
        files.sort();
        files.rotate_left(1);
        files
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn call(name: &str) -> Entry<'_> {
    let mut entry = Entry::new(SystemTime::now(), "memory", "tools/call");
    entry.name = Some(name);
    entry
}

async fn record(audit: &Audit, name: &str) -> Result<(), Refused> {
    audit.record(&call(name)).written().await
}

#[track_caller]
fn assert_whole(files: &[PathBuf], head: Head) {
    let verified = verify(files, Some(head.hash)).unwrap();
    assert_eq!(verified.findings, []);
    assert_eq!((verified.head, verified.after_expected), (head, Some(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_calls_at_once_are_each_there_once_in_one_chain() {
    let log = Log::new();
    let audit = Audit::open(AuditConfig {
        max_bytes: Some(256 << 10),
        ..log.config()
    })
    .unwrap();
    let calls = (0..100).map(|task| {
        let audit = audit.clone();
        tokio::spawn(async move {
            for n in 0..100 {
                record(&audit, &format!("{task}-{n}")).await.unwrap();
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    let head = audit.close();
    let files = log.files();
    assert!(files.len() > 4, "{files:?}");
    assert_whole(&files, head);
    assert!(verify(&files, None).unwrap().closed);
    let mut seen = BTreeMap::new();
    for line in files.iter().flat_map(|file| lines(file)) {
        if line["kind"] == "call" {
            *seen.entry(line["name"].to_string()).or_insert(0) += 1;
        }
    }
    assert!(seen.len() == 10_000 && seen.values().all(|times| *times == 1));
    assert_eq!(audit.lost(), 0);
    // Nothing is written after the end.
    assert_eq!(record(&audit, "late").await, Err(Refused));
    assert!(audit.admit().is_err() && audit.lost() == 1);
}

#[tokio::test]
async fn a_crash_between_an_old_file_and_a_new_one_leaves_one_chain() {
    let log = Log::new();
    let config = || AuditConfig {
        max_bytes: Some(1),
        ..log.config()
    };
    let audit = Audit::open(config()).unwrap();
    record(&audit, "a").await.unwrap();
    audit.close();
    // As it is when the old one has been renamed, and the new one has not.
    let files = log.files();
    let next = file::with(&log.path(), "next");
    let text = std::fs::read_to_string(log.path()).unwrap();
    let first = text.split_inclusive('\n').next().unwrap();
    std::fs::rename(log.path(), &next).unwrap();
    std::fs::write(&next, first).unwrap();
    let audit = Audit::open(log.config()).unwrap();
    assert!(!next.exists());
    record(&audit, "b").await.unwrap();
    assert_whole(&files, audit.close());
    // One that a crash left before that is nobody's log: not then, and not when the log is moved away.
    std::fs::write(&next, first).unwrap();
    let _ = Audit::open(config()).unwrap().close();
    assert!(!next.exists());
}

#[tokio::test]
async fn a_chain_goes_on_over_restarts_and_renamed_files() {
    let log = Log::new();
    let audit = log.open();
    record(&audit, "a").await.unwrap();
    audit.close();
    let audit = log.open();
    record(&audit, "b").await.unwrap();
    // Nothing was renamed.
    audit.reopen();
    record(&audit, "c").await.unwrap();
    let old = log.folder.path().join("audit.jsonl.1");
    std::fs::rename(log.path(), &old).unwrap();
    record(&audit, "d").await.unwrap();
    audit.reopen();
    record(&audit, "e").await.unwrap();
    let head = audit.close();
    assert_whole(&[old.clone(), log.path()], head);
    let said = |path: &Path| {
        let said = |line: &Value| {
            let member = ["name", "because", "kind"];
            let mut said = member.iter().filter_map(|name| line[name].as_str());
            said.next().unwrap().to_owned()
        };
        lines(path).iter().map(said).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(said(&old), "new a closed restarted b c d");
    assert_eq!(said(&log.path()), "reopened e closed");
    assert_eq!(super::head(log.path()).unwrap(), head);
    assert!(super::head(log.folder.path().join("none")).is_err());
}

#[tokio::test]
async fn the_thread_of_the_writer_is_visited_and_goes_on() {
    let log = Log::new();
    let audit = log.open();
    let (tell, told) = std::sync::mpsc::channel();
    audit.visit_writer(move || {
        let _ = tell.send(std::thread::current().name().map(str::to_owned));
    });
    let on = told.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(on.as_deref(), Some("audit"));
    record(&audit, "after").await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_renamed_and_replaced_by_another_is_gone_on_with() {
    let log = Log::new();
    let audit = log.open();
    let old = log.folder.path().join("audit.jsonl.1");
    std::fs::rename(log.path(), &old).unwrap();
    std::fs::write(log.path(), "something else\n").unwrap();
    audit.reopen();
    record(&audit, "a").await.unwrap();
    let head = audit.close();
    assert_whole(&[old], head);
    assert_eq!(
        std::fs::read_to_string(log.path()).unwrap(),
        "something else\n"
    );
}

#[tokio::test]
async fn a_line_without_an_end_is_moved_away_and_said() {
    let log = Log::new();
    let audit = log.open();
    record(&audit, "a").await.unwrap();
    let _ = audit.close();
    let whole = std::fs::read(log.path()).unwrap();
    for (torn, aside) in [(&b"{\"sequence\":4,\"prev"[..], 4), (&[0; 40_000], 6)] {
        let mut bytes = std::fs::read(log.path()).unwrap();
        bytes.extend_from_slice(torn);
        std::fs::write(log.path(), bytes).unwrap();
        let head = log.open().close();
        assert_whole(&[log.path()], head);
        let opened = &lines(&log.path())[aside - 1];
        assert_eq!(opened["sequence"], json!(aside));
        assert_eq!(opened["torn_bytes"], json!(torn.len()));
        let aside = log.folder.path().join(format!("audit.jsonl.torn-{aside}"));
        assert_eq!(std::fs::read(aside).unwrap(), torn);
    }
    // Where there was no line yet.
    let log = Log::new();
    std::fs::write(log.path(), &whole[..20]).unwrap();
    assert_whole(&[log.path()], log.open().close());
}

#[tokio::test]
async fn a_file_that_is_not_safe_to_go_on_with_is_refused() {
    let log = Log::new();
    let audit = log.open();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(log.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            log.refusal(),
            "cannot be opened: another process writes to it."
        );
        let _ = audit.close();
        for mode in [0o620, 0o602] {
            std::fs::set_permissions(log.path(), PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(
                log.refusal(),
                "cannot be opened: others can write to it; `chmod go-w` takes that from them."
            );
        }
        std::fs::set_permissions(log.path(), PermissionsExt::from_mode(0o640)).unwrap();
    }
    let _ = audit.close();
    let text = std::fs::read_to_string(log.path()).unwrap();
    let follows = "has a last line that does not follow the line before it; verify the file, and move it away.";
    let no_log = "is no audit log; name another file, or move it away.";
    let spoiled = "has a last line that is none of an audit log; `audit verify` says what is wrong with the file, then move it away.";
    let (first, last) = text.split_once('\n').unwrap();
    for (text, said) in [
        ("hello\n".to_owned(), no_log),
        ("hello".to_owned(), no_log),
        (format!("{text}hello\n"), spoiled),
        (format!("{text}{{\"sequence\":7,\n"), spoiled),
        (text.replacen("opened", "opfned", 1), follows),
        (last.to_owned(), follows),
        (format!("{first}\n{first}\n"), follows),
    ] {
        std::fs::write(log.path(), &text).unwrap();
        assert_eq!(log.refusal(), said, "{text}");
        assert_eq!(std::fs::read_to_string(log.path()).unwrap(), text);
    }
    std::fs::remove_file(log.path()).unwrap();
    std::fs::create_dir(log.path()).unwrap();
    assert_eq!(log.refusal(), "cannot be opened: it is no regular file.");
    let nowhere = log.path().join("nowhere/audit.jsonl");
    let refused = Audit::open(AuditConfig::new(nowhere, key()))
        .unwrap_err()
        .to_string();
    let why = "cannot be opened: there is no such file or folder.";
    assert!(refused.ends_with(why), "{refused}");
}
