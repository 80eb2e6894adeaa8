use std::fs;

use proptest::prelude::*;

use super::*;
use crate::beneath::{MAX_DEPTH, MAX_PATH, names};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

struct Stage {
    /// Kept while the test runs.
    root: tempfile::TempDir,
    folder: Folder,
}

/// A folder `in` beside things that must not be read.
fn stage() -> Stage {
    let root = tempfile::tempdir().unwrap();
    let inside = root.path().join("in");
    fs::create_dir_all(inside.join("sub/deep")).unwrap();
    fs::write(root.path().join("secret.txt"), "s3cret").unwrap();
    fs::write(inside.join("a.png"), PNG).unwrap();
    fs::write(inside.join("sub/deep/note a.txt"), "caf\u{e9}").unwrap();
    fs::write(inside.join("sub/beep.wav"), b"RIFF\0\0\0\0WAVEfmt ").unwrap();
    fs::write(inside.join(".hidden"), "s3cret").unwrap();
    fs::write(inside.join("large"), [0; 101]).unwrap();
    fs::write(inside.join("fits"), [0; 100]).unwrap();
    let folder = Folder::new(inside).unwrap().max_bytes(100);
    Stage { root, folder }
}

async fn why(folder: &Folder, path: &str) -> String {
    let error = folder.bytes(path).await.unwrap_err();
    let words = error.into_user_message(crate::core::Era::Modern, None);
    words
        .unwrap_or_else(|error| panic!("ours: {error:?}"))
        .into_owned()
}

#[tokio::test]
async fn files_below_it_are_what_they_are() {
    let Stage {
        folder,
        root: _root,
    } = stage();
    let image = folder.image("a.png").await.unwrap();
    assert_eq!((image.mime_type(), image.bytes()), ("image/png", PNG));
    let sound = folder.audio("sub/beep.wav").await.unwrap();
    assert_eq!(sound.mime_type(), "audio/wav");
    let file = folder.file("sub/deep/note a.txt").await.unwrap();
    assert_eq!(file.text(), Some("caf\u{e9}"));
    let contents = serde_json::to_value(rmcp::model::ContentBlock::from(file)).unwrap();
    assert_eq!(
        contents["resource"],
        serde_json::json!({ "uri": "file:///sub/deep/note%20a.txt", "mimeType": "text/plain", "text": "caf\u{e9}" })
    );
    let elsewhere = folder.clone().uri("data://reports");
    let file = elsewhere.file("a.png").await.unwrap();
    let contents = serde_json::to_value(rmcp::model::ContentBlock::from(file)).unwrap();
    assert_eq!(contents["resource"]["uri"], "data://reports/a.png");
    assert_eq!(contents["resource"]["mimeType"], "image/png");
    let error = folder.image("sub/deep/note a.txt").await.unwrap_err();
    let words = error.into_user_message(crate::core::Era::Modern, None).ok();
    assert_eq!(
        words.as_deref(),
        Some("'sub/deep/note a.txt' is not an image.")
    );
}

#[tokio::test]
async fn nothing_outside_it_is_read() {
    let Stage { folder, root } = stage();
    let absolute = root.path().join("secret.txt");
    for path in [
        "",
        "/",
        "..",
        "../secret.txt",
        "sub/../a.png",
        "sub/../../secret.txt",
        "./a.png",
        "sub//beep.wav",
        "a.png/",
        ".hidden",
        "..\\secret.txt",
        "sub\\beep.wav",
        "C:a.png",
        "a.png\0.txt",
        "a\n.png",
        absolute.to_str().unwrap(),
        "/etc/passwd",
        &"a/".repeat(MAX_DEPTH + 1),
        &"a".repeat(MAX_PATH + 1),
    ] {
        let why = why(&folder, path).await;
        assert!(
            why.contains("is no path below the folder"),
            "{path:?}: {why}"
        );
        assert!(!why.chars().any(char::is_control) && why.len() < 1500);
    }
    for path in ["b.png", "sub/none/a.png", "a.png/b", &"a".repeat(300)] {
        let why = why(&folder, path).await;
        assert!(why.starts_with("There is no file '"), "{path:?}: {why}");
    }
    assert_eq!(why(&folder, "sub").await, "'sub' is not a file.");
    assert_eq!(
        why(&folder, "large").await,
        "'large' has more than 100 bytes."
    );
    assert_eq!(folder.bytes("fits").await.unwrap().len(), 100);
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_not_followed_and_what_is_no_file_is_not_opened() {
    use std::os::unix::fs::symlink;
    let Stage { folder, root } = stage();
    let inside = root.path().join("in");
    symlink("../secret.txt", inside.join("out.txt")).unwrap();
    symlink("..", inside.join("up")).unwrap();
    symlink("a.png", inside.join("same.png")).unwrap();
    symlink("/proc/self/root", inside.join("proc")).unwrap();
    symlink("loop", inside.join("loop")).unwrap();
    for path in [
        "out.txt",
        "up/secret.txt",
        "same.png",
        "proc/etc/passwd",
        "loop",
    ] {
        let why = why(&folder, path).await;
        assert!(why.contains("symbolic link"), "{path}: {why}");
    }
    // Opening it would wait for somebody who writes to it.
    let pipe = inside.join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert_eq!(why(&folder, "pipe").await, "'pipe' is not a file.");
    let _socket = std::os::unix::net::UnixListener::bind(inside.join("socket")).unwrap();
    assert_eq!(why(&folder, "socket").await, "'socket' is not a file.");
    // What is put in its place is not seen.
    fs::rename(&inside, root.path().join("moved")).unwrap();
    symlink("/etc", &inside).unwrap();
    assert!(folder.bytes("a.png").await.is_ok());
    assert!(folder.bytes("passwd").await.is_err());
}

#[test]
fn a_folder_that_is_none_is_named() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [root.path().join("none"), file] {
        let why = Folder::new(&path).unwrap_err().to_string();
        assert!(why.contains(path.to_str().unwrap()), "{why}");
    }
}

proptest! {
    #[test]
    fn every_path_that_is_taken_stays_below(path in "([a./\\\\:\0]|\\.\\.|/|sub|in){0,12}") {
        if let Ok(names) = names(&path) {
            let joined: std::path::PathBuf = names.iter().collect();
            prop_assert!(joined.components().all(|one| matches!(one, std::path::Component::Normal(_))));
            prop_assert_eq!(joined.components().count(), names.len());
        }
    }
}
