use std::fs;
use std::path::PathBuf;
#[cfg(target_os = "linux")]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::*;
use crate::label::Label;
use crate::protocol::{Era, Kind};

struct Stage {
    /// Kept while the test runs.
    _root: tempfile::TempDir,
    /// Beside things that must not be reached.
    outside: PathBuf,
    reads: PathBuf,
    writes: PathBuf,
    files: BlockingFiles,
}

fn effect(of: fn(String) -> Effect, path: &Path) -> Effect {
    of(path.to_str().unwrap().to_owned())
}

fn files(effects: impl IntoIterator<Item = Effect>) -> BlockingFiles {
    let label = Label::new(Kind::Tool, "t");
    label.declare(&effects.into_iter().collect());
    Doors::of(Some(&label)).blocking_files()
}

fn stage() -> Stage {
    let root = tempfile::tempdir().unwrap();
    let outside = root.path().to_owned();
    let (reads, writes) = (outside.join("in"), outside.join("out"));
    fs::create_dir_all(reads.join("sub/deep")).unwrap();
    fs::create_dir(&writes).unwrap();
    fs::write(outside.join("secret.txt"), "s3cret").unwrap();
    fs::write(reads.join("a.txt"), "caf\u{e9}").unwrap();
    fs::write(reads.join("sub/bytes"), [0xff]).unwrap();
    fs::write(reads.join(".hidden"), "s3cret").unwrap();
    let files = files([
        effect(Effect::ReadsFiles, &reads),
        effect(Effect::WritesFiles, &writes),
    ]);
    Stage {
        _root: root,
        outside,
        reads,
        writes,
        files: files.max_bytes(100),
    }
}

/// The sentence for the caller.
fn told<T: std::fmt::Debug>(done: Result<T>) -> String {
    let words = done.unwrap_err().into_user_message(Era::Modern, None);
    words
        .unwrap_or_else(|error| panic!("ours: {error:?}"))
        .into_owned()
}

/// What the log says of an error of ours.
fn ours<T: std::fmt::Debug>(done: Result<T>) -> String {
    match done.unwrap_err().into_user_message(Era::Modern, None) {
        Ok(words) => panic!("for the caller: {words}"),
        Err(error) => error.into_text(),
    }
}

#[test]
fn files_are_read_and_listed_where_that_was_declared() {
    let stage = stage();
    let Stage { files, reads, .. } = &stage;
    assert_eq!(files.read_text(reads.join("a.txt")).unwrap(), "caf\u{e9}");
    assert_eq!(&files.read(reads.join("sub/bytes")).unwrap()[..], [0xff]);
    assert_eq!(files.list(reads).unwrap(), ["a.txt", "sub/"]);
    assert_eq!(files.list(reads.join("sub")).unwrap(), ["bytes", "deep/"]);
    let no_text = told(files.read_text(reads.join("sub/bytes")));
    assert_eq!(no_text, "'sub/bytes' is not UTF-8 text.");
    for (path, why) in [
        ("none", "There is no file 'none'."),
        ("sub", "'sub' is not a file."),
        ("", "'/' is not a file."),
    ] {
        assert_eq!(told(files.read(reads.join(path))), why);
    }
    let no_folder = told(files.list(reads.join("a.txt")));
    assert_eq!(no_folder, "'a.txt' is not a folder.");
}

#[test]
fn files_are_written_and_removed_where_that_was_declared() {
    let stage = stage();
    let Stage { files, writes, .. } = &stage;
    let path = writes.join("new/deep/a.txt");
    for text in ["one", "two"] {
        files.write(&path, text).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    // Nothing of the writing is left.
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    files.remove(&path).unwrap();
    assert!(!path.exists());
    assert_eq!(
        told(files.remove(&path)),
        "There is no file 'new/deep/a.txt'."
    );
    for done in [
        files.write(writes.join("new"), "x"),
        files.remove(writes.join("new")),
    ] {
        assert_eq!(told(done), "'new' is not a file.");
    }
}

#[test]
fn reading_is_no_writing_and_nothing_else_is_reached() {
    let stage = stage();
    let Stage {
        files,
        reads,
        writes,
        outside,
        ..
    } = &stage;
    let refused = "the tool 't' uses an effect that it does not declare, ";
    for done in [
        files.read(outside.join("secret.txt")).map(drop),
        files.read("secret.txt").map(drop),
        files.read("/etc/passwd").map(drop),
        files.read(format!("{}x/a.txt", reads.display())).map(drop),
        files.list(writes).map(drop),
        files.write(reads.join("a.txt"), "x"),
        files.remove(reads.join("a.txt")),
        files.write(outside.join("secret.txt"), "x"),
    ] {
        let why = ours(done);
        assert!(why.starts_with(refused), "{why}");
        assert!(!why.contains("secret") && !why.contains("passwd"), "{why}");
    }
    for path in [
        "../secret.txt",
        "sub/../a.txt",
        "sub/../../secret.txt",
        ".hidden",
        "a\\b",
        "C:x",
        "a\0b",
        &"a/".repeat(40),
        &"a".repeat(2000),
    ] {
        for (below, done) in [
            (reads, files.read(reads.join(path)).map(drop)),
            (reads, files.list(reads.join(path)).map(drop)),
            (writes, files.write(writes.join(path), "x")),
            (writes, files.remove(writes.join(path))),
        ] {
            let why = told(done);
            assert!(why.contains("is no path below the folder"), "{why}");
            assert!(!why.contains(below.to_str().unwrap()), "{why}");
        }
    }
    // An absolute path in the place of a name leads where it says.
    let absolute = reads.join(outside.join("secret.txt"));
    assert!(ours(files.read(absolute)).starts_with(refused));
    assert_eq!(fs::read(outside.join("secret.txt")).unwrap(), b"s3cret");
}

#[test]
fn sizes_are_bounded_both_ways() {
    let stage = stage();
    let Stage {
        files,
        reads,
        writes,
        ..
    } = &stage;
    fs::write(reads.join("fits"), [0; 100]).unwrap();
    fs::write(reads.join("large"), [0; 101]).unwrap();
    assert_eq!(files.read(reads.join("fits")).unwrap().len(), 100);
    let too_large = "'large' has more than 100 bytes.";
    assert_eq!(told(files.read(reads.join("large"))), too_large);
    files.write(writes.join("large"), [0; 100]).unwrap();
    assert_eq!(told(files.write(writes.join("large"), [0; 101])), too_large);
    assert_eq!(fs::read(writes.join("large")).unwrap().len(), 100);
    let many = files.clone().max_bytes(101);
    assert_eq!(many.read(reads.join("large")).unwrap().len(), 101);
    fs::create_dir(reads.join("many")).unwrap();
    for number in 0..=beneath::MAX_ENTRIES {
        fs::write(reads.join(format!("many/{number}")), "").unwrap();
    }
    let why = told(files.list(reads.join("many")));
    assert_eq!(why, "'many' has more than 10000 files and folders.");
}

#[test]
fn a_file_can_be_declared_itself_and_the_longest_declared_path_counts() {
    let stage = stage();
    let Stage { reads, writes, .. } = &stage;
    let (one, report) = (reads.join("a.txt"), writes.join("report"));
    let hidden = reads.join(".git/objects");
    fs::create_dir_all(&hidden).unwrap();
    fs::write(hidden.join("x"), "object").unwrap();
    let files = files([
        effect(Effect::ReadsFiles, &one),
        effect(Effect::ReadsFiles, &hidden),
        effect(Effect::WritesFiles, &report),
    ]);
    assert_eq!(files.read_text(&one).unwrap(), "caf\u{e9}");
    files.write(&report, "done").unwrap();
    assert_eq!(fs::read(&report).unwrap(), b"done");
    // What is hidden is found below what was declared with its name.
    assert_eq!(files.read_text(hidden.join("x")).unwrap(), "object");
    assert!(ours(files.read(reads.join("sub/bytes"))).contains("does not declare"));
    let gone = ours(
        self::files([effect(Effect::ReadsFiles, &reads.join("gone"))]).list(reads.join("gone")),
    );
    assert!(gone.contains("gone' cannot be used"), "{gone}");
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_refused() {
    use std::os::unix::fs::symlink;

    let stage = stage();
    let Stage {
        files,
        reads,
        writes,
        outside,
        ..
    } = &stage;
    symlink(outside.join("secret.txt"), reads.join("link")).unwrap();
    symlink(outside, reads.join("folder")).unwrap();
    symlink(outside, writes.join("folder")).unwrap();
    symlink(outside.join("secret.txt"), writes.join("link")).unwrap();
    symlink("nowhere", writes.join("dangling")).unwrap();
    for done in [
        files.read(reads.join("link")).map(drop),
        files.read(reads.join("folder/secret.txt")).map(drop),
        files.list(reads.join("folder")).map(drop),
        files.write(writes.join("link"), "x"),
        files.write(writes.join("dangling"), "x"),
        files.write(writes.join("folder/secret.txt"), "x"),
        files.write(writes.join("folder/new/x"), "x"),
        files.remove(writes.join("link")),
        files.remove(writes.join("folder/secret.txt")),
    ] {
        let why = told(done);
        assert!(why.contains("leads through a symbolic link"), "{why}");
    }
    assert!(!outside.join("new").exists());
    assert_eq!(fs::read(outside.join("secret.txt")).unwrap(), b"s3cret");
    // Nobody waits for the other end.
    let pipe = std::process::Command::new("mkfifo")
        .arg(reads.join("pipe"))
        .status();
    assert!(pipe.unwrap().success());
    assert_eq!(
        told(files.read(reads.join("pipe"))),
        "'pipe' is not a file."
    );
    // What was declared may be a link itself.
    let through = outside.join("through");
    symlink(reads, &through).unwrap();
    let files = self::files([effect(Effect::ReadsFiles, &through)]);
    assert_eq!(files.read_text(through.join("a.txt")).unwrap(), "caf\u{e9}");
}

/// While a folder is exchanged for a link to the outside, again and again, nothing outside is read or written.
#[cfg(target_os = "linux")]
#[test]
fn no_race_leads_outside() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    let stage = stage();
    let Stage {
        writes, outside, ..
    } = &stage;
    let both = files([
        effect(Effect::ReadsFiles, writes),
        effect(Effect::WritesFiles, writes),
    ]);
    let (folder, link) = (writes.join("folder"), writes.join("link"));
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(outside, &link).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let exchanging = std::thread::spawn({
        let (over, folder) = (Arc::clone(&over), folder.clone());
        move || {
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        }
    });
    let path = folder.join("secret.txt");
    let (mut written, mut refused) = (0, 0);
    for _ in 0..2000 {
        match both.write(&path, "inside") {
            Ok(()) => written += 1,
            Err(_) => refused += 1,
        }
        if let Ok(text) = both.read_text(&path) {
            assert_eq!(text, "inside");
        }
        std::thread::yield_now();
    }
    over.store(true, Ordering::Relaxed);
    exchanging.join().unwrap();
    assert!(written > 0, "refused {refused} times");
    assert_eq!(fs::read(outside.join("secret.txt")).unwrap(), b"s3cret");
}
