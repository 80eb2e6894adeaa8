//! A proxy is used when it was given, for everything, and knows what nobody else does.

use std::net::IpAddr;

use pymcp_egress::{Allow, Builder, Error, Proxy, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{builder, refused, send};
use pymcp_egress::testing::{Loopback, Page, Reply};

/// `user:p@ss` as basic credentials (RFC 7617).
const CREDENTIALS: &str = "Basic dXNlcjpwQHNz";

/// A door to `lan.example.com` by `http:`, through this proxy; its own look-ups know only `proxy.example`.
fn through(proxy: &str) -> Builder {
    builder()
        .hosts(["example.org", "169.254.169.254"])
        .allow(Allow::host("lan.example.com").private())
        .proxy(Some(proxy.parse::<Proxy>().unwrap()))
        .resolver(|name| async move {
            assert_eq!(name, "proxy.example", "the proxy looks up all others");
            Ok(vec![IpAddr::from([127, 0, 0, 1])])
        })
}

#[tokio::test]
async fn http_goes_through_it() {
    let proxy = Loopback::start(|_| Reply::ok("by proxy")).await;
    for host in ["127.0.0.1", "proxy.example"] {
        let builder = through(&format!("http://user:p%40ss@{host}:{}", proxy.port()));
        let response = send(builder, "http://lan.example.com/path?query")
            .await
            .unwrap();
        assert_eq!(response.body, "by proxy");
    }
    for seen in proxy.seen() {
        assert_eq!(seen.target, "http://lan.example.com/path?query");
        assert_eq!(seen.header("host"), Some("lan.example.com"));
        assert_eq!(seen.header("proxy-authorization"), Some(CREDENTIALS));
    }
    assert_eq!(proxy.counts().requests, 2);
}

#[tokio::test]
async fn even_to_loopback_and_to_the_proxy_itself() {
    let origin = Loopback::replying([]).await;
    let proxy = Loopback::start(|_| Reply::ok("by proxy")).await;
    let address = format!("http://proxy.example:{}", proxy.port());
    let direct = through(&address).allow(Allow::host("proxy.example").private());
    assert_eq!(
        send(direct.clone(), &origin.url("/")).await.unwrap().body,
        "by proxy"
    );
    assert_eq!(
        send(direct, "http://proxy.example/").await.unwrap().body,
        "by proxy"
    );
    assert_eq!(origin.counts().opened, 0);
    let targets: Vec<_> = proxy.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(
        targets,
        [origin.url("/"), "http://proxy.example/".to_owned()]
    );
}

#[tokio::test]
async fn https_goes_through_a_tunnel() {
    let proxy = Loopback::start(|_| Page::new("").status(403).whole()).await;
    let builder = through(&format!("http://user:p%40ss@127.0.0.1:{}", proxy.port()));
    let error = send(builder, "https://example.org/secret?query")
        .await
        .unwrap_err();
    assert_eq!(error, refused!(Unreachable, "example.org"));
    let [seen] = proxy.seen().try_into().unwrap();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("CONNECT", "example.org:443")
    );
    assert_eq!(seen.header("proxy-authorization"), Some(CREDENTIALS));
}

#[tokio::test]
async fn hosts_and_addresses_are_judged_before_it() {
    let proxy = Loopback::replying([]).await;
    let builder = through(&format!("http://127.0.0.1:{}", proxy.port()));
    for (url, error) in [
        ("https://example.com/", refused!(NotAllowed, "example.com")),
        ("http://example.org/", refused!(Insecure, "example.org")),
        (
            "https://169.254.169.254/",
            refused!(PrivateAddress, "169.254.169.254"),
        ),
    ] {
        assert_eq!(send(builder.clone(), url).await.unwrap_err(), error);
    }
    assert_eq!(proxy.counts().opened, 0);
}

#[tokio::test]
async fn without_one_its_host_is_like_any_other() {
    let without = through("http://proxy.example")
        .proxy(None)
        .hosts(["proxy.example"]);
    let error = send(without, "https://proxy.example/").await.unwrap_err();
    assert_eq!(error, refused!(PrivateAddress, "proxy.example"));
}

#[tokio::test]
async fn a_dead_one_makes_all_unreachable() {
    let dead = Loopback::replying([]).await;
    let port = dead.port();
    drop(dead);
    tokio::task::yield_now().await;
    for scheme in ["http", "https", "socks5h"] {
        let builder = through(&format!("{scheme}://127.0.0.1:{port}"));
        for url in ["http://lan.example.com/", "https://example.org/"] {
            let error = send(builder.clone(), url).await.unwrap_err();
            assert!(
                matches!(error, Error::Unreachable { .. }),
                "{scheme}, {url}: {error:?}"
            );
        }
    }
    // Its name is nobody's business.
    let unknown = through("http://proxy.example").resolver(|_| async { Ok(Vec::new()) });
    let error = send(unknown, "https://example.org/").await.unwrap_err();
    assert_eq!(error, refused!(Unreachable, "example.org"));
}

#[tokio::test]
async fn its_credentials_do_not_get_to_an_origin() {
    // The proxy passes on what it gets, so what the second request holds is what an origin could see.
    let proxy = Loopback::replying([Reply::redirect(302, "/other"), Reply::ok("")]).await;
    let builder = through(&format!("http://user:p%40ss@127.0.0.1:{}", proxy.port()));
    send(builder, "http://lan.example.com/").await.unwrap();
    for seen in proxy.seen() {
        assert_eq!(seen.header("proxy-authorization"), Some(CREDENTIALS));
        assert_eq!(seen.header("authorization"), None);
    }
}

/// A SOCKS5 server (RFC 1928, RFC 1929) for one connection, which connects to `port` whatever it is asked for. Gives
/// the credentials it was sent, and the kind and the text of the address.
async fn socks(listener: TcpListener, port: u16) -> (String, u8, String) {
    let (mut client, _) = listener.accept().await.unwrap();
    let mut methods = [0; 3];
    client.read_exact(&mut methods).await.unwrap();
    assert_eq!(methods, [5, 1, 2], "one method, by user and password");
    client.write_all(&[5, 2]).await.unwrap();

    assert_eq!(client.read_u8().await.unwrap(), 1);
    let mut credentials = Vec::new();
    for _ in 0..2 {
        credentials.push(text(&mut client).await);
    }
    client.write_all(&[1, 0]).await.unwrap();

    let mut request = [0; 4];
    client.read_exact(&mut request).await.unwrap();
    assert_eq!(request[..3], [5, 1, 0], "it asks for a connection");
    let host = text(&mut client).await;
    client.read_u16().await.unwrap();
    client
        .write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0])
        .await
        .unwrap();

    let mut origin = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut origin).await });
    (credentials.join(":"), request[3], host)
}

/// A text after a byte with its length.
async fn text(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut text = vec![0; usize::from(stream.read_u8().await.unwrap())];
    stream.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn socks_gets_the_name_and_not_an_address() {
    let origin = Loopback::start(|_| Reply::ok("by socks")).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let proxy = format!(
        "socks5h://user:p%40ss@127.0.0.1:{}",
        listener.local_addr().unwrap().port()
    );
    let proxying = tokio::spawn(socks(listener, origin.port()));
    let egress = through(&proxy).build();
    let response = egress
        .send(Request::get("http://lan.example.com/path".parse().unwrap()))
        .await
        .unwrap();
    assert_eq!(response.body, "by socks");

    const NAME: u8 = 3;
    let expected = ("user:p@ss".to_owned(), NAME, "lan.example.com".to_owned());
    assert_eq!(proxying.await.unwrap(), expected);
    let [seen] = origin.seen().try_into().unwrap();
    assert_eq!(seen.target, "/path");
    assert_eq!(seen.header("proxy-authorization"), None);
}
