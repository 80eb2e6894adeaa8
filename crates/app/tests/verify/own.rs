//! The program's own server, in process and as others see it.

use std::io::{BufRead as _, BufReader};

use super::*;

#[test]
fn the_digest_is_the_same_in_process_on_stdio_and_over_http() {
    let binary = binary();
    let binary = binary.to_str().unwrap().to_owned();
    let mut listening = Command::new(&binary)
        .args(["--transport=http", "--port=0"])
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(listening.stderr.take().unwrap()).lines();
    let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, url) = line.split_once("listening on ")?;
        url.split([' ', ',']).next().map(str::to_owned)
    });
    thread::spawn(move || lines.for_each(drop));
    let url = url.unwrap();
    for era in ["--era=modern", "--era=legacy"] {
        let own = run(&["verify", "--strict", "--format=json", era]);
        assert_eq!(own.code, Some(0), "{own:?}");
        assert_eq!(own.json()["findings"], serde_json::json!([]), "{own:?}");
        let on_stdio = verify(&["--format=json", era], std::slice::from_ref(&binary));
        let over_http = run(&["verify", "--format=json", era, "--url", &url]);
        assert_eq!(on_stdio.digest(), own.digest(), "{era}");
        assert_eq!(over_http.digest(), own.digest(), "{era}");
    }
    listening.kill().unwrap();
    listening.wait().unwrap();
}

#[test]
fn settings_that_cannot_be_used_are_no_drift() {
    let ran = run(&["verify", "--config", "/nonexistent/market.toml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
}
