//! What becomes of calls when lines cannot be written.

use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// What a disk does with each group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Works,
    Fails,
    Panics,
    /// Takes the group when it is told to.
    Hangs,
}

struct Disk {
    does: Mutex<Does>,
    written: Mutex<Vec<u8>>,
    go_on: Mutex<Receiver<()>>,
    /// The name of the thread that wrote last.
    by: Mutex<Option<String>>,
}

struct Faulty(Arc<Disk>);

impl Sink for Faulty {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let does = *self.0.does.lock().unwrap();
        match does {
            Does::Works => {}
            Does::Fails => return Err(io::ErrorKind::StorageFull.into()),
            Does::Panics => panic!("a fault that is meant"),
            Does::Hangs => self.0.go_on.lock().unwrap().recv().unwrap(),
        }
        self.0.written.lock().unwrap().extend_from_slice(bytes);
        *self.0.by.lock().unwrap() = thread::current().name().map(ToOwned::to_owned);
        Ok(())
    }

    fn is_full(&self, _: usize) -> bool {
        false
    }

    fn rotate(&mut self, _: u64, _: &mut dyn FnMut(&Path) -> Vec<u8>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn reopen(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}

impl Disk {
    fn does(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    /// All that is written when the log is closed.
    fn lines_after(&self, audit: &Audit) -> Vec<Value> {
        while !audit.0.queue.lock().ended {
            audit.close();
        }
        self.lines(audit.head())
    }

    /// What was written, which is whole.
    fn lines(&self, head: Head) -> Vec<Value> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, &*self.written.lock().unwrap()).unwrap();
        assert_whole(std::slice::from_ref(&path), head);
        lines(&path)
    }
}

fn audit(on_failure: OnFailure, patience: Duration) -> (Audit, Arc<Disk>, Sender<()>) {
    let (go, go_on) = channel();
    let disk = Arc::new(Disk {
        does: Mutex::new(Does::Works),
        written: Mutex::default(),
        go_on: Mutex::new(go_on),
        by: Mutex::default(),
    });
    let config = AuditConfig {
        on_failure,
        patience,
        ..AuditConfig::new("unused", key())
    };
    let sink = Faulty(Arc::clone(&disk));
    let audit = Audit::start(&config, sink, Head::NONE, Because::New, 0).unwrap();
    (audit, disk, go)
}

const LONG: Duration = Duration::from_secs(30);

/// Name, mark of an answer that was withheld, lines lost before.
fn said(lines: &[Value]) -> Vec<(&str, bool, u64)> {
    let said = lines
        .iter()
        .filter(|line| line["kind"] == "call")
        .map(|line| {
            let lost = line["lost"].as_u64().unwrap_or_default();
            (
                line["name"].as_str().unwrap(),
                line["withheld"] == true,
                lost,
            )
        });
    said.collect()
}

#[tokio::test]
async fn with_deny_nothing_is_served_until_lines_are_written_again_and_no_line_is_lost() {
    deny().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_callers_write_with_deny_nothing_is_served_until_lines_are_written_again_and_no_line_is_lost()
 {
    deny().await;
}

async fn deny() {
    for fault in [Does::Fails, Does::Panics] {
        let (audit, disk, _) = audit(OnFailure::Deny, LONG);
        assert_eq!((audit.admit(), record(&audit, "a").await), (Ok(()), Ok(())));
        disk.does(fault);
        assert_eq!(record(&audit, "b").await, Err(Refused));
        assert_eq!(audit.admit(), Err(Refused));
        // One that had begun before.
        assert_eq!(record(&audit, "c").await, Err(Refused));
        // One that was denied has no answer that could be withheld.
        let denied = audit.record(&Entry {
            decision: Decision::Denied { reason: "no" },
            ..call("denied")
        });
        drop(denied);
        assert_eq!(record(&audit, "c2").await, Err(Refused));
        disk.does(Does::Works);
        assert_eq!(record(&audit, "d").await, Ok(()));
        assert_eq!((audit.admit(), record(&audit, "e").await), (Ok(()), Ok(())));
        let lines = disk.lines(audit.close());
        assert_eq!(
            said(&lines),
            [
                ("a", false, 0),
                ("b", true, 0),
                ("c", true, 0),
                ("denied", false, 0),
                ("c2", true, 0),
                ("d", false, 0),
                ("e", false, 0)
            ]
        );
        assert_eq!(audit.lost(), 0);
    }
}

#[tokio::test]
async fn with_continue_calls_are_served_and_the_next_line_says_how_many_are_missing() {
    carry_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_callers_write_with_continue_calls_are_served_and_the_next_line_says_how_many_are_missing()
 {
    carry_on().await;
}

async fn carry_on() {
    for fault in [Does::Fails, Does::Panics] {
        let (audit, disk, _) = audit(OnFailure::Continue, LONG);
        record(&audit, "a").await.unwrap();
        disk.does(fault);
        for name in ["b", "c", "d"] {
            assert_eq!(
                (audit.admit(), record(&audit, name).await),
                (Ok(()), Ok(()))
            );
        }
        assert!(audit.is_failing() && audit.lost() == 3);
        disk.does(Does::Works);
        for name in ["e", "f"] {
            record(&audit, name).await.unwrap();
        }
        assert!(!audit.is_failing());
        let lines = disk.lines(audit.close());
        assert_eq!(
            said(&lines),
            [("a", false, 0), ("e", false, 3), ("f", false, 0)]
        );
        assert_eq!(audit.lost(), 3);
    }
}

/// Otherwise nothing would ever say what is missing.
#[tokio::test]
async fn a_file_that_is_opened_again_does_not_forget_what_was_lost() {
    let (audit, disk, _) = audit(OnFailure::Continue, LONG);
    disk.does(Does::Fails);
    record(&audit, "a").await.unwrap();
    audit.reopen();
    while audit.0.queue.lock().reopen || audit.0.queue.lock().writing.is_some() {
        tokio::task::yield_now().await;
    }
    assert!(audit.is_failing());
    disk.does(Does::Works);
    record(&audit, "b").await.unwrap();
    assert!(!audit.is_failing());
    assert_eq!(said(&disk.lines(audit.close())), [("b", false, 1)]);
}

#[tokio::test]
async fn answers_that_were_withheld_while_a_disk_hung_say_so_where_they_had_to_wait() {
    let (audit, disk, go) = audit(OnFailure::Deny, Duration::from_millis(20));
    disk.does(Does::Hangs);
    // The disk has this one, and it is too late to say anything in it.
    let first = audit.record(&call("a"));
    while audit.0.queue.lock().writing.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(first.written().await, Err(Refused));
    assert_eq!(record(&audit, "b").await, Err(Refused));
    disk.does(Does::Works);
    drop(audit.record(&call("c")));
    go.send(()).unwrap();
    assert_eq!(
        said(&disk.lines_after(&audit)),
        [("a", false, 0), ("b", true, 0), ("c", false, 0)]
    );
}

#[tokio::test]
async fn a_disk_that_hangs_is_one_that_fails() {
    let patience = Duration::from_millis(20);
    let (audit, disk, go) = audit(OnFailure::Deny, patience);
    disk.does(Does::Hangs);
    assert_eq!(record(&audit, "a").await, Err(Refused));
    // Its time counts from when the disk was given the line.
    let refused = async {
        while audit.admit().is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, refused).await.unwrap();
    // What is too much for the queue is counted.
    let long = "x".repeat(2000);
    let mut lost = 0;
    while lost == 0 {
        let receipt = audit.record(&call(&long));
        lost = audit.lost();
        drop(receipt);
    }
    assert_eq!(audit.close(), audit.head());
    disk.does(Does::Works);
    go.send(()).unwrap();
    let lines = disk.lines_after(&audit);
    let lines = said(&lines);
    assert_eq!((lines[0], lines[1].2), (("a", false, 0), lost));
    assert!(lines.len() > 1000, "{}", lines.len());
}

#[tokio::test]
async fn all_that_wait_for_a_group_hear_that_it_is_late_whoever_looked_at_the_clock() {
    let patience = Duration::from_millis(50);
    let (audit, disk, go) = audit(OnFailure::Deny, patience);
    disk.does(Does::Hangs);
    let wait = || tokio::spawn(audit.record(&call("a")).written());
    // The first one waits for a group of its own; of the others the first goes away.
    let alone = wait();
    while audit.0.queue.lock().writing.is_none() {
        tokio::task::yield_now().await;
    }
    let first = wait();
    tokio::task::yield_now().await;
    let others = [wait(), wait(), wait()];
    tokio::task::yield_now().await;
    first.abort();
    assert_eq!(alone.await.unwrap(), Err(Refused));
    for other in others {
        assert_eq!(other.await.unwrap(), Err(Refused));
    }
    disk.does(Does::Works);
    go.send(()).unwrap();
    assert_eq!(disk.lines_after(&audit).len(), 7);
}

#[tokio::test]
async fn a_log_that_cannot_begin_is_refused() {
    let (_, go_on) = channel();
    let disk = Disk {
        does: Mutex::new(Does::Fails),
        written: Mutex::default(),
        go_on: Mutex::new(go_on),
        by: Mutex::default(),
    };
    let sink = Faulty(Arc::new(disk));
    let config = AuditConfig::new("unused", key());
    assert!(Audit::start(&config, sink, Head::NONE, Because::New, 0).is_err());
}

#[tokio::test]
async fn where_no_new_file_can_be_made_the_old_one_goes_on() {
    let log = Log::new();
    let audit = Audit::open(AuditConfig {
        max_bytes: Some(1),
        ..log.config()
    })
    .unwrap();
    // In the way of the new name.
    let aside = file::with(&log.path(), &format!("{:012}", 1));
    std::fs::write(&aside, "mine").unwrap();
    record(&audit, "a").await.unwrap();
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), "mine");
    record(&audit, "b").await.unwrap();
    let head = audit.close();
    std::fs::remove_file(&aside).unwrap();
    // `opened` and `a` are together, `b` and `closed` have a file each.
    let files = log.files();
    assert_eq!(files.len(), 3, "{files:?}");
    assert_whole(&files, head);
}

#[tokio::test]
async fn where_no_new_file_can_be_begun_the_old_one_goes_on() {
    let log = Log::new();
    let config = AuditConfig {
        max_bytes: Some(1),
        ..log.config()
    };
    let audit = Audit::open(config).unwrap();
    let next = file::with(&log.path(), "next");
    std::fs::create_dir(&next).unwrap();
    record(&audit, "a").await.unwrap();
    record(&audit, "b").await.unwrap();
    std::fs::remove_dir(&next).unwrap();
    let head = audit.close();
    let files = log.files();
    assert_eq!(files.len(), 2, "{files:?}");
    assert_whole(&files, head);
}

/// Whether the last group was written by a thread of the runtime.
fn by_a_caller(disk: &Disk) -> bool {
    disk.by.lock().unwrap().as_deref() != Some("audit")
}

#[tokio::test]
async fn where_there_is_one_thread_the_log_has_its_own() {
    let (audit, disk, _) = audit(OnFailure::Deny, LONG);
    assert_eq!(record(&audit, "a").await, Ok(()));
    assert!(!by_a_caller(&disk));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_hangs_holds_one_caller_and_after_that_none() {
    let (audit, disk, go) = audit(OnFailure::Deny, Duration::from_millis(50));
    assert_eq!(record(&audit, "a").await, Ok(()));
    assert!(by_a_caller(&disk));
    disk.does(Does::Hangs);
    let spawn = |name: &'static str| {
        let audit = audit.clone();
        tokio::spawn(async move { record(&audit, name).await })
    };
    let stuck = spawn("b");
    while audit.0.queue.lock().writing.is_none() {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = (0..20).map(|_| spawn("c")).collect();
    for other in others {
        assert_eq!(other.await.unwrap(), Err(Refused));
    }
    assert_eq!(audit.admit(), Err(Refused));
    disk.does(Does::Works);
    go.send(()).unwrap();
    // It was written in the end, by whom it held.
    stuck.await.unwrap().unwrap();
    assert_eq!(record(&audit, "d").await, Ok(()));
    assert!(!by_a_caller(&disk));
    assert_eq!(said(&disk.lines_after(&audit)).len(), 23);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_writes_its_line_before_anybody_waits_for_it() {
    let (audit, disk, _) = audit(OnFailure::Deny, LONG);
    let receipt = audit.record(&call("a"));
    assert!(by_a_caller(&disk));
    assert_eq!(audit.head().sequence, 2);
    drop(receipt);
    // No answer waits for these: they are the thread's.
    drop(audit.record(&Entry {
        outcome: Some(Outcome::Cancelled),
        ..call("b")
    }));
    assert_eq!(record(&audit, "c").await, Ok(()));
    assert_eq!(said(&disk.lines_after(&audit)).len(), 3);
}

/// Those who come while one writes are written by it as well, one group after the other, and each hears of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_comes_while_a_caller_writes_is_written_by_it() {
    let (audit, disk, go) = audit(OnFailure::Deny, LONG);
    disk.does(Does::Hangs);
    let spawn = |name: &'static str| {
        let audit = audit.clone();
        tokio::spawn(async move { record(&audit, name).await })
    };
    let first = spawn("a");
    while audit.0.queue.lock().writing.is_none() {
        tokio::task::yield_now().await;
    }
    let others = [spawn("b"), spawn("b"), spawn("b")];
    while audit.0.queue.lock().waiting.len() < 3 {
        tokio::task::yield_now().await;
    }
    disk.does(Does::Works);
    go.send(()).unwrap();
    assert_eq!(first.await.unwrap(), Ok(()));
    for other in others {
        assert_eq!(other.await.unwrap(), Ok(()));
    }
    assert!(by_a_caller(&disk));
    assert_eq!(said(&disk.lines_after(&audit)).len(), 4);
}
