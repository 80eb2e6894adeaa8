//! With an effect that one thing is possible, and nothing beside it.

use std::net::TcpListener;

use super::*;

#[tokio::test]
async fn a_file_that_is_read_is_read_and_not_written_and_no_other_is() {
    if !is_confinable() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(path("open")).unwrap();
    for name in ["open/one", "shut"] {
        std::fs::write(path(name), name).unwrap();
    }
    let declared = format!("--declare=reads-files:{}", path("open"));
    let program = mischief(folder.path(), &["--confine=require", &declared]);
    let mut served = Served::http(&program).await;
    for on in ["worker", "pool", "thread", "blocking"] {
        let read = served.act("read", &path("open/one"), on).await;
        assert_eq!(read.as_deref(), Ok("open/one"), "{on}");
        for (what, target) in [
            ("read", path("shut")),
            ("read", "/etc/passwd".to_owned()),
            ("write", path("open/one")),
            ("write", path("open/two")),
            ("remove", path("open/one")),
            ("chmod", path("open/one")),
            ("memory", std::process::id().to_string()),
            ("spawn", "/bin/true".to_owned()),
            ("bind", String::new()),
        ] {
            let done = served.act(what, &target, on).await;
            assert!(is_refused(&done), "{what} {target} on {on}: {done:?}");
        }
    }
}

#[tokio::test]
async fn a_folder_that_is_written_is_written_and_no_other_is() {
    if !is_confinable() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(path("out")).unwrap();
    std::fs::write(path("shut"), "").unwrap();
    let declared = format!("--declare=writes-files:{}", path("out"));
    let program = mischief(folder.path(), &["--confine=require", &declared]);
    let mut served = Served::stdio(&program);
    let done = served.act("write", &path("out/new"), "worker").await;
    assert!(done.is_ok(), "{done:?}");
    for (what, name) in [("read", "out/new"), ("write", "shut"), ("write", "beside")] {
        let done = served.act(what, &path(name), "pool").await;
        assert!(is_refused(&done), "{what} {name}: {done:?}");
    }
    let done = served.act("remove", &path("out/new"), "thread").await;
    assert!(done.is_ok(), "{done:?}");
}

#[tokio::test]
async fn a_port_that_is_reached_is_reached_and_no_other_is() {
    if !is_confinable() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [open, shut] = listeners.each_ref().map(|one| one.local_addr().unwrap());
    let reach = format!("--reach={}", open.port());
    let flags = ["--confine=require", "--declare=network:127.0.0.1", &reach];
    let mut served = Served::http(&mischief(folder.path(), &flags)).await;
    for on in ["worker", "pool", "thread", "blocking"] {
        let done = served.act("tcp", &open.to_string(), on).await;
        assert!(done.is_ok(), "{on}: {done:?}");
        for (what, target) in [
            ("tcp", shut.to_string()),
            ("bind", String::new()),
            ("read", "/etc/passwd".to_owned()),
            ("write", folder.path().join("new").display().to_string()),
            ("spawn", "/bin/true".to_owned()),
        ] {
            let done = served.act(what, &target, on).await;
            assert!(is_refused(&done), "{what} {target} on {on}: {done:?}");
        }
    }
    // A port is nothing without a host.
    let alone = mischief(folder.path(), &["--confine=require", &reach]);
    let done = Served::stdio(&alone)
        .act("tcp", &open.to_string(), "worker")
        .await;
    assert!(is_refused(&done), "{done:?}");
}

#[tokio::test]
async fn names_are_looked_up_and_certificates_read() {
    if !is_confinable() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = folder.path().join("certificates.pem");
    std::fs::write(&certificates, "of an authority").unwrap();
    let flags = ["--confine=require", "--declare=network:example.org"];
    let program = mischief(folder.path(), &flags).env("SSL_CERT_FILE", &certificates);
    let mut served = Served::http(&program).await;
    for on in ["worker", "pool", "thread", "blocking"] {
        for (what, target) in [
            ("resolve", "localhost"),
            ("read", "/etc/hosts"),
            ("read", certificates.to_str().unwrap()),
        ] {
            let done = served.act(what, target, on).await;
            assert!(done.is_ok(), "{what} {target} on {on}: {done:?}");
        }
        let done = served.act("read", "/etc/passwd", on).await;
        assert!(is_refused(&done), "{on}: {done:?}");
    }
}

#[tokio::test]
async fn a_program_that_is_run_is_run_with_the_servers_rights_and_no_other_is() {
    if !is_confinable() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "a secret").unwrap();
    let flags = ["--confine=require", "--declare=spawns:sh"];
    let mut served = Served::http(&mischief(folder.path(), &flags)).await;
    let mut shell = async |script: &str, on: &str| {
        let arguments = ["-c", script];
        served
            .told(json!({ "what": "spawn", "target": "/bin/sh", "arguments": arguments, "on": on }))
            .await
    };
    for on in ["worker", "pool", "thread", "blocking"] {
        assert_eq!(
            shell("echo done", on).await.as_deref(),
            Ok("done\n"),
            "{on}"
        );
    }
    // It ends what it has started.
    let done = shell("kill -9 $$", "worker").await;
    assert!(done.unwrap_err().contains("signal: 9"));
    for script in [
        format!("read x < {} && echo $x", secret.display()),
        format!("echo x > {}", secret.display()),
        format!("kill -WINCH {}", std::process::id()),
        "/usr/bin/env".to_owned(),
    ] {
        let done = shell(&script, "worker").await;
        assert!(done.is_err(), "{script}: {done:?}");
    }
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "a secret");
    let done = served.act("spawn", "/usr/bin/env", "worker").await;
    assert!(is_refused(&done), "{done:?}");
    let done = served.act("tcp", "127.0.0.1:9", "worker").await;
    assert!(is_refused(&done), "{done:?}");
}

/// The domains of two threads are not the same.
#[tokio::test]
async fn what_one_worker_has_started_another_ends() {
    if !is_confinable() {
        return;
    }
    if std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() < 2) {
        eprintln!("skipped: this machine has one CPU, and a server one worker");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--confine=require", "--declare=spawns:sleep"];
    let mut served = Served::stdio(&mischief(folder.path(), &flags));
    for _ in 0..5 {
        let told = json!({ "what": "kill", "target": "sleep", "arguments": ["60"] });
        let done = served.told(told).await;
        assert!(
            done.as_ref().is_ok_and(|it| it.contains("signal: 9")),
            "{done:?}"
        );
    }
}

#[tokio::test]
async fn untrusted_code_lets_the_program_run_itself_and_nothing_else() {
    if !is_confinable() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--confine=require", "--declare=runs-untrusted-code"];
    let mut served = Served::http(&mischief(folder.path(), &flags)).await;
    for target in ["/proc/self/exe", binary().to_str().unwrap()] {
        let done = served
            .told(json!({ "what": "spawn", "target": target, "arguments": ["--version"] }))
            .await;
        assert!(
            done.as_ref().is_ok_and(|it| it.contains("mischief")),
            "{done:?}"
        );
    }
    for (what, target) in [
        ("spawn", "/bin/true".to_owned()),
        ("read", "/etc/passwd".to_owned()),
        ("memory", std::process::id().to_string()),
        ("signal", std::process::id().to_string()),
        ("tcp", "127.0.0.1:9".to_owned()),
    ] {
        let done = served.act(what, &target, "worker").await;
        assert!(is_refused(&done), "{what} {target}: {done:?}");
    }
}
