//! Names are resolved here, and their addresses judged. What is dialled after that is in `src/resolver.rs`: a public
//! address can't be dialled in a test.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pymcp_egress::{Allow, Egress, Error, Request};

use super::{limits, refused};
use pymcp_egress::testing::{Loopback, Reply};

/// Asks for `https://example.org`, which resolves to these.
async fn at(addresses: &[&str], port: u16) -> Error {
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    let egress = Egress::builder()
        .hosts(["example.org"])
        .limits(limits())
        .resolver(move |name| {
            assert_eq!(name, "example.org");
            let addresses = addresses.clone();
            async { Ok(addresses) }
        })
        .build();
    let url = format!("https://example.org:{port}/");
    egress
        .send(Request::get(url.parse().unwrap()))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn names_of_private_addresses_are_refused() {
    let server = Loopback::replying([]).await;
    for addresses in [
        &["127.0.0.1"][..],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["64:ff9b:1::7f00:1"],
        &["2002:7f00:1::"],
        &[
            "0.0.0.0",
            "::",
            "10.0.0.1",
            "169.254.169.254",
            "fd00::1",
            "fe80::1",
            "127.0.0.1",
        ],
    ] {
        let error = at(addresses, server.port()).await;
        assert_eq!(
            error,
            refused!(PrivateAddress, "example.org"),
            "{addresses:?}"
        );
    }
    assert_eq!(server.counts().opened, 0);
}

#[tokio::test]
async fn names_without_an_address_are_told_apart() {
    assert_eq!(at(&[], 443).await, refused!(Unresolvable, "example.org"));
    let failing = Egress::builder()
        .hosts(["example.org"])
        .resolver(|_| async { Err(io::ErrorKind::HostUnreachable.into()) })
        .build();
    let error = failing
        .send(Request::get("https://example.org/".parse().unwrap()))
        .await;
    assert_eq!(error.unwrap_err(), refused!(Unresolvable, "example.org"));
}

#[tokio::test]
async fn the_systems_names_of_loopback_are_refused() {
    let server = Loopback::replying([]).await;
    let egress = Egress::builder()
        .hosts(["localhost"])
        .limits(limits())
        .build();
    let url = format!("https://LOCALHOST:{}/", server.port());
    let error = egress
        .send(Request::get(url.parse().unwrap()))
        .await
        .unwrap_err();
    assert_eq!(error, refused!(PrivateAddress, "localhost"));
    assert_eq!(server.counts().opened, 0);
}

/// A door whose look-ups answer 127.0.0.1 at first and then something else, and how often it was asked.
fn rebinding(later: IpAddr, private: &[&str]) -> (Egress, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let asking = asked.clone();
    let egress = Egress::builder()
        .hosts(["a.example.org", "b.example.org"])
        .hosts(private.iter().map(|host| Allow::host(*host).private()))
        .limits(limits())
        .resolver(move |_| {
            let first = asking.fetch_add(1, Ordering::SeqCst) == 0;
            async move { Ok(vec![if first { [127, 0, 0, 1].into() } else { later }]) }
        })
        .build();
    (egress, asked)
}

#[tokio::test]
async fn what_was_judged_is_what_is_dialled() {
    let server = Loopback::start(|_| Reply::ok("here")).await;
    let url = format!("http://a.example.org:{}/", server.port());
    // Whoever looks up twice, to judge and to dial, dials the second, where nothing answers.
    let (egress, asked) = rebinding([127, 0, 0, 99].into(), &["a.example.org"]);
    assert_eq!(
        egress
            .send(Request::get(url.parse().unwrap()))
            .await
            .unwrap()
            .body,
        "here"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(
        server.seen()[0].header("host"),
        Some(format!("a.example.org:{}", server.port()).as_str())
    );
}

#[tokio::test]
async fn a_name_is_judged_by_itself() {
    let server = Loopback::start(|_| Reply::ok("here")).await;
    let port = server.port();
    // One name of a server is private, the other is not; a connection to the first doesn't serve the second.
    let (egress, asked) = rebinding([127, 0, 0, 1].into(), &["a.example.org"]);
    let one = egress
        .send(Request::get(
            format!("http://a.example.org:{port}/").parse().unwrap(),
        ))
        .await;
    assert_eq!(one.unwrap().body, "here");
    let other = egress
        .send(Request::get(
            format!("https://b.example.org:{port}/").parse().unwrap(),
        ))
        .await;
    assert_eq!(
        other.unwrap_err(),
        refused!(PrivateAddress, "b.example.org")
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(server.counts().opened, 1);
}
