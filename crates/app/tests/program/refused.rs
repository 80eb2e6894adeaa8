//! What a person meets at the start: names that do not exist, ports and sockets that are taken.

use std::net::TcpListener;

use super::*;

#[test]
fn an_unknown_name_is_told_with_the_one_that_was_meant() {
    for (arguments, said) in [
        (
            &["tokens"][..],
            "zebra-2: tokens is not a command of zebra-2; did you mean token?\n  zebra-2 --help-all lists the commands.\n",
        ),
        // A hidden command is meant by nobody.
        (
            &["graz"],
            "zebra-2: graz is not a command of zebra-2.\n  zebra-2 --help-all lists the commands.\n",
        ),
        (
            &["--prot=1"],
            "zebra-2: --prot is not a flag of zebra-2; did you mean --port?\n  zebra-2 --help-all lists the flags.\n",
        ),
        (
            &["serve", "--\u{1b}[2J"],
            "zebra-2: --\\u{1b}[2J is not a flag of zebra-2 serve.\n  zebra-2 serve --help-all lists the flags.\n",
        ),
        (
            &["token", "list", "--fil", "x"],
            "zebra-2: --fil is not a flag of zebra-2 token list; did you mean --file?\n  zebra-2 token list --help lists the flags.\n",
        ),
        (
            &["health", "a", "b"],
            "zebra-2: zebra-2 health takes no argument 'b'.\n  Usage: zebra-2 health [OPTIONS] [URL]\n",
        ),
        (
            &["completions"],
            "zebra-2: zebra-2 completions needs <SHELL>.\n  Usage: zebra-2 completions <SHELL>\n",
        ),
    ] {
        assert_ends(&run(arguments, &[]), 2, said);
    }
}

#[test]
fn a_port_in_use_names_its_holder_and_another() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port();
    let serve = ["--transport=http", "--host=127.0.0.1", "--log-level=error"];
    let refused = run(&[&serve[..], &[&format!("--port={port}")]].concat(), &[]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    let told = format!("zebra-2: Cannot listen on {address}: port {port} is in use");
    assert!(said.contains(&told), "{said}");
    assert!(
        said.contains("\n  ZEBRA_2_PORT (--port) 0 takes a free port")
            || said.contains("\n  --port 0 takes a free port"),
        "{said}"
    );
    #[cfg(target_os = "linux")]
    assert!(
        said.contains(&format!("(process {}).", std::process::id())),
        "{said}"
    );
    let metrics = run(&[&format!("--metrics-address={address}")], &[]);
    let said = text(&metrics.stderr);
    assert_eq!(metrics.status.code(), Some(1), "{said}");
    assert!(
        said.contains("in use") && said.contains("0 takes a free port"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn a_socket_in_use_or_without_a_folder_says_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let _taken = std::os::unix::net::UnixListener::bind(folder.path().join("x.sock")).unwrap();
    for (path, words) in [
        (
            "x.sock",
            &[
                "another process listens on this socket",
                "takes another path",
            ][..],
        ),
        ("no/x.sock", &["there is no folder no.", "mkdir -p no"]),
    ] {
        let arguments = ["--transport=http", "--unix-socket", path];
        let refused = run_in(folder.path(), &arguments, &[]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
}

#[test]
fn a_host_that_is_no_host_of_this_machine_says_which_are() {
    for (host, code) in [("192.0.2.1", 1), ("256.1.1.1", 2)] {
        let host = format!("--host={host}");
        let arguments = ["--transport=http", "--allow-unauthenticated", &host];
        let refused = run(&arguments, &[]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(code), "{said}");
        assert!(
            said.contains("localhost serves this machine alone"),
            "{said}"
        );
    }
}

#[cfg(unix)]
#[test]
fn health_says_what_it_asked_as_json_too() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/healthz", server.local_addr().unwrap());
    let answers = thread::spawn(move || {
        for status in ["200 OK", "503 Service Unavailable"] {
            let (mut client, _) = server.accept().unwrap();
            let mut head = [0; 512];
            let _ = client.read(&mut head).unwrap();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            client.write_all(answer.as_bytes()).unwrap();
        }
    });
    for (code, status) in [(0, 200), (1, 503)] {
        let output = run(&["health", &url, "--json"], &[]);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(
            answer,
            serde_json::json!({ "url": url, "ok": code == 0, "status": status })
        );
    }
    answers.join().unwrap();
}
