//! What the environment says. It can't be changed from within a program that has threads, so these tests start this
//! program once more, for one test of it.

use std::process::Stdio;

use tokio::process::Command;

use super::{get, tls};
use pymcp_egress::testing::{Loopback, Reply};

/// Where the other program finds the address it is to get.
const URL: &str = "PYMCP_EGRESS_TEST_URL";

/// Where it finds the text it is to get there; none for an error.
const EXPECTED: &str = "PYMCP_EGRESS_TEST_EXPECTED";

#[tokio::test]
#[ignore = "the other half of the tests below, which start it"]
async fn other() {
    let url = std::env::var(URL).unwrap();
    let got = get(&url).await;
    let body = got.map(|response| String::from_utf8(response.body.to_vec()).unwrap());
    assert_eq!(body.ok(), std::env::var(EXPECTED).ok());
}

/// Starts it, with these variables and nothing else of the environment.
async fn other_gets(url: &str, expected: Option<&str>, variables: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "environment::other", "--ignored", "--nocapture"]);
    command
        .env_clear()
        .env(URL, url)
        .envs(variables.iter().copied());
    if let Some(expected) = expected {
        command.env(EXPECTED, expected);
    }
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn its_proxies_are_not_used() {
    let trap = Loopback::start(|_| Reply::ok("trapped")).await;
    let server = Loopback::start(|_| Reply::ok("direct")).await;
    let address = trap.url("");
    let names = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    let variables = names.map(|name| (name, address.as_str()));
    other_gets(&server.url("/"), Some("direct"), &variables).await;
    assert_eq!((server.counts().requests, trap.counts().opened), (1, 0));

    // And `https:`, by a host that only a proxy could make an answer of.
    let nobody = Loopback::start(|_| Reply::status(500)).await;
    let url = nobody.url("/").replace("http:", "https:");
    drop(nobody);
    other_gets(&url, None, &variables).await;
    assert_eq!(trap.counts().opened, 0);
}

/// The authorities of the system can be named by a variable on systems that have them in files.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn its_authorities_are_trusted_and_names_are_compared() {
    let known = tls::server("127.0.0.1").await;
    let other_name = tls::server("other.example").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        [known.authority.as_str(), &other_name.authority].concat(),
    )
    .unwrap();
    let variables = [("SSL_CERT_FILE", file.path().to_str().unwrap())];
    let url = |port| format!("https://127.0.0.1:{port}/");
    other_gets(&url(known.port), Some("trusted"), &variables).await;
    other_gets(&url(other_name.port), None, &variables).await;
}
