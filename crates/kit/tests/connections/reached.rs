//! How a server is reached: by probes, through proxies, and over a Unix socket.

use std::time::Duration;

use pymcp_kit::transport::http::{
    Bytes, Check, ConnectionInfo, HttpConfig, Method, Request, Response, TrustedProxies,
};
use serde_json::{Value, json};

use crate::stage::{PATIENCE, Stage, list};

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

/// The status and the body of an answer.
fn read(answer: Option<String>) -> (u16, Value) {
    let answer = answer.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn probes_are_answered_whatever_the_host_is_on_a_connection_that_goes_on() {
    let config = HttpConfig {
        path_prefix: "/team-a".parse().unwrap(),
        ..HttpConfig::default()
    };
    let stage = Stage::new(config.readiness_check("keys", Check::ready)).await;
    let mut client = stage.connect().await;
    for host in [
        "Host: 10.1.2.3:8000\r\nOrigin: https://evil.example",
        "Host: a\r\nHost: b",
        "X: y",
    ] {
        for (path, said) in [
            ("/healthz", json!({ "status": "ok" })),
            (
                "/team-a/readyz",
                json!({ "status": "ready", "checks": { "keys": { "ready": true } } }),
            ),
        ] {
            let request = format!("GET {path} HTTP/1.1\r\n{host}\r\n\r\n");
            let (status, mut body) = read(client.ask(&request).await);
            if let Some(Value::Object(checks)) = body.get_mut("checks") {
                assert!(checks.remove("manifest").is_some(), "{host}");
            }
            assert_eq!((status, body), (200, said), "{host}");
        }
        let request = format!("GET /elsewhere HTTP/1.1\r\n{host}\r\n\r\n");
        let (status, _) = read(client.ask(&request).await);
        assert!(matches!(status, 400 | 403), "{host}: {status}");
    }
}

#[tokio::test]
async fn a_server_that_drains_says_so_before_it_closes_and_serves_meanwhile() {
    let config = HttpConfig {
        drain_delay: 10 * PATIENCE,
        ..HttpConfig::default()
    };
    let mut stage = Stage::new(config).await;
    let mut client = stage.idle().await;
    let probe = get("/readyz", "");
    assert_eq!(read(client.ask(&probe).await).0, 200);
    stage.stop();
    while read(client.ask(&probe).await).0 == 200 {}
    let (status, body) = read(client.ask(&probe).await);
    assert_eq!((status, &body["status"]), (503, &json!("draining")));
    // New connections are served as well, and the process is alive.
    assert!(stage.serves().await);
    assert_eq!(read(client.ask(&get("/healthz", "")).await).0, 200);
    assert_eq!(read(client.ask(&list()).await).0, 200);
}

#[tokio::test]
async fn after_the_delay_it_ends_as_it_does_without_one() {
    let config = HttpConfig {
        drain_delay: Duration::from_millis(20),
        ..HttpConfig::default()
    };
    let mut stage = Stage::new(config).await;
    let mut client = stage.idle().await;
    stage.stop();
    client.closed().await;
    stage.ended().await;
}

async fn told(request: Request<Bytes>) -> Response<String> {
    let info = request.extensions().get::<ConnectionInfo>().unwrap();
    let host = info.forwarded_host.as_deref().unwrap_or("none");
    let told = json!([info.address.to_string(), info.https, host]);
    Response::new(told.to_string())
}

async fn behind(proxies: &str) -> Stage {
    let config = HttpConfig {
        trusted_proxies: TrustedProxies::parse(proxies).unwrap(),
        ..HttpConfig::default()
    };
    Stage::new(config.route(Method::GET, "/told", told).unwrap()).await
}

#[tokio::test]
async fn what_a_proxy_says_counts_for_each_request_of_its_connection() {
    let stage = behind("loopback").await;
    let mut proxy = stage.connect().await;
    for (headers, said) in [
        ("", json!(["127.0.0.1", false, "none"])),
        (
            "X-Forwarded-For: 1.2.3.4, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n",
            json!(["192.0.2.7", true, "none"]),
        ),
        (
            "Forwarded: for=192.0.2.8;proto=https;host=localhost\r\n",
            json!(["192.0.2.8", true, "localhost"]),
        ),
        ("", json!(["127.0.0.1", false, "none"])),
    ] {
        let answer = proxy.ask(&get("/told", headers)).await;
        assert_eq!(read(answer), (200, said), "{headers}");
    }
    for (headers, refused) in [
        ("X-Forwarded-Host: evil.example\r\n", 403),
        ("X-Forwarded-Host: a b\r\n", 400),
        ("Forwarded: for=\"x\r\n", 400),
        (
            "Forwarded: for=192.0.2.8\r\nX-Forwarded-For: 192.0.2.9\r\n",
            400,
        ),
    ] {
        let answer = proxy.ask(&get("/told", headers)).await;
        assert_eq!(read(answer).0, refused, "{headers}");
    }
    // A rebound page can name a host that is served, and has its own name in `Host` all the same.
    let rebound = "GET /told HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\n\r\n";
    assert_eq!(read(proxy.ask(rebound).await).0, 403);
}

#[tokio::test]
async fn nobody_is_believed_unless_it_is_named() {
    for proxies in ["", "192.0.2.1, 10.0.0.0/8"] {
        let stage = behind(proxies).await;
        let mut client = stage.connect().await;
        let headers = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: evil.example\r\n\
                       X-Forwarded-Proto: https\r\nForwarded: for=\"x\r\n";
        let said = json!(["127.0.0.1", false, "none"]);
        assert_eq!(read(client.ask(&get("/told", headers)).await), (200, said));
    }
}

/// The caller of a call, as limits see it.
#[tokio::test]
async fn calls_count_for_the_client_and_not_for_its_proxy() {
    let stage = behind("loopback").await;
    let (mut one, mut other) = (stage.connect().await, stage.connect().await);
    let caller = async |client: &mut crate::stage::Client, address: &str| {
        let request = crate::stage::call("caller");
        let request = request.replacen(
            "Host: localhost\r\n",
            &format!("Host: localhost\r\nX-Forwarded-For: {address}\r\n"),
            1,
        );
        let (status, body) = read(client.ask(&request).await);
        assert_eq!(status, 200, "{body}");
        body["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = caller(&mut one, "192.0.2.7").await;
    assert_ne!(caller(&mut one, "192.0.2.8").await, first);
    assert_eq!(caller(&mut other, "192.0.2.7").await, first);
    // On the proxy's own machine all clients have one address: they are told apart as without it.
    let local = caller(&mut one, "127.0.0.1").await;
    assert_eq!(caller(&mut one, "127.0.0.2").await, local);
    assert_ne!(caller(&mut other, "127.0.0.1").await, local);
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_served_as_an_address_is_and_leaves_no_file() {
    use pymcp_kit::Server;
    use pymcp_kit::transport::http::{bind_unix, serve};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;

    use crate::stage::soon;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let socket = bind_unix(&path).unwrap();
    let server = Server::builder("test", "1").build().unwrap();
    let config = HttpConfig {
        // Who connects has no address of its own, and no share of one.
        connections_per_address: 1,
        ..HttpConfig::default()
    };
    let config = config.route(Method::GET, "/told", told).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(serve(socket, server, config, stopped));
    let ask = async |request: String| {
        let mut client = UnixStream::connect(&path).await.unwrap();
        let request = request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon(client.read_to_string(&mut answer)).await.unwrap();
        read(Some(answer))
    };
    let idle = UnixStream::connect(&path).await.unwrap();
    let said = json!(["127.0.0.1", false, "none"]);
    assert_eq!(ask(get("/told", "")).await, (200, said));
    let foreign = get("/told", "").replace("localhost", "evil.example");
    assert_eq!(ask(foreign).await.0, 403);
    stop.send(()).unwrap();
    soon(served).await.unwrap();
    assert!(!path.exists());
    drop(idle);
}
