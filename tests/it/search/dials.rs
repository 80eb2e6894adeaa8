//! What the process dials, seen from below it: by a library that stands before the C library (`dials.c`).

use std::path::Path;
use std::process::Command;

use pymcp_egress::testing::{Page, Reply};
use pymcp_search::testing as site;
use serde_json::{Value, json};

use super::{borrowed, settings};
use crate::support::over_stdio;

/// Compiles the library; a C compiler is what building the project needs as well.
fn library(folder: &Path) -> String {
    let library = folder.join("dials.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/search/dials.c");
    let compiled = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(compiled.success());
    library.to_str().unwrap().to_owned()
}

/// Everything that a server with these settings dials and looks up while it serves `queries`.
fn dialled(settings: &[(&'static str, String)], queries: &[Value]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let library = library(folder.path());
    let list = folder.path().join("dials");
    let mut settings = borrowed(settings);
    settings.push(("LD_PRELOAD", &library));
    settings.push(("DIALS", list.to_str().unwrap()));
    // The library writes its list. What the search dials must be right without the kernel's help as well.
    settings.push(("PYMCP_CONFINE", "off"));
    let mut server = over_stdio(&[], &settings);
    server.initialize("2025-11-25", &json!({})).unwrap();
    for (id, arguments) in (10..).zip(queries) {
        let params = json!({ "name": "text_web_search", "arguments": arguments });
        server
            .send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }));
        while server.recv().value["id"] != id {}
    }
    drop(server);
    let list = std::fs::read_to_string(list).unwrap_or_default();
    list.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_loopback_is_dialled() {
    let good = site::start(|_| None).await;
    let locations = [
        "http://169.254.169.254/latest/meta-data/",
        "https://evil.example.com/",
        "http://10.0.0.1/",
        "https://search.brave.com/search",
        "//192.0.2.1/",
    ];
    let queries = [
        json!({ "query": "rust programming", "max_results": 100, "pages": 3 }),
        json!({ "query": "https://evil.example.com/ site:169.254.169.254", "region": "no-no" }),
    ];
    let mut dials = dialled(&settings(&good), &queries);
    for location in locations {
        let bad = site::start(move |_| Some(Reply::redirect(302, location))).await;
        dials.extend(dialled(&settings(&bad), &queries));
    }
    let hostile = site::start(|_| Some(Page::new("<meta http-equiv=refresh content='0;url=https://evil.example.com/'><img src=https://evil.example.com/x.png>").whole())).await;
    dials.extend(dialled(&settings(&hostile), &queries));

    // That it sees anything at all.
    assert!(dials.len() >= 7 * 5, "{dials:?}");
    for dial in &dials {
        assert_eq!(dial, "connect 127.0.0.1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_looked_up_is_seen() {
    let server = site::start(|_| None).await;
    let mut settings = settings(&server);
    for (_, value) in &mut settings {
        *value = value.replace("127.0.0.1", "localhost");
    }
    let dials = dialled(&settings, &[json!({ "query": "rust" })]);
    assert!(
        dials.iter().any(|dial| dial == "lookup localhost"),
        "{dials:?}"
    );
    assert!(
        dials.iter().any(|dial| dial == "connect 127.0.0.1"),
        "{dials:?}"
    );
}
