//! The program's own server, in process and as others see it.

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use super::*;

/// The program, listening, until it is dropped.
struct Listening {
    child: Child,
    url: String,
}

impl Listening {
    fn start(transport: &str) -> Self {
        let mut child = Command::new(binary())
            .args([&format!("--transport={transport}"), "--port=0"])
            .env_clear()
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, url) = line.split_once("listening on ")?;
            url.split([' ', ',']).next().map(str::to_owned)
        });
        thread::spawn(move || lines.for_each(drop));
        let url = url.unwrap();
        Self { child, url }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_digest_is_the_same_in_process_on_stdio_and_over_http() {
    let binary = binary().to_str().unwrap().to_owned();
    let (http, sse) = (Listening::start("http"), Listening::start("sse"));
    for (era, urls) in [
        ("--era=modern", &[&http.url][..]),
        ("--era=legacy", &[&http.url, &sse.url]),
    ] {
        let own = run(&["verify", "--strict", "--format=json", era]);
        assert_eq!(own.code, Some(0), "{own:?}");
        assert_eq!(own.json()["findings"], serde_json::json!([]), "{own:?}");
        let on_stdio = verify(&["--format=json", era], std::slice::from_ref(&binary));
        assert_eq!(on_stdio.digest(), own.digest(), "{era}");
        for url in urls {
            let listening = run(&["verify", "--format=json", era, "--url", url]);
            assert_eq!(listening.digest(), own.digest(), "{era} {url}");
        }
    }
}

#[test]
fn settings_that_cannot_be_used_are_no_drift() {
    let ran = run(&["verify", "--config", "/nonexistent/market.toml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
}
