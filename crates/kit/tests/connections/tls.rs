//! Connections that are encrypted.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use pymcp_kit::metrics::Metrics;
use pymcp_kit::transport::http::{HttpConfig, Tls};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use crate::http2::client::Peer;
use crate::http2::frames::PREFACE;
use crate::stage::{Client, LARGE, Stage, call, list, soon};

/// A folder with a certificate and its key.
pub(crate) struct Files {
    folder: TempDir,
    /// All certificates that were written.
    trusted: RootCertStore,
}

impl Files {
    pub(crate) fn new() -> Self {
        let mut files = Self {
            folder: tempfile::tempdir().unwrap(),
            trusted: RootCertStore::empty(),
        };
        files.renew();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path(name), text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    /// Another certificate and key.
    fn renew(&mut self) -> CertificateDer<'static> {
        self.renew_until(2100)
    }

    /// The same with a certificate that ends when this year begins.
    fn renew_until(&mut self, year: i32) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        self.trusted.add(certificate.der().clone()).unwrap();
        self.write("cert.pem", &certificate.pem(), 0o644);
        self.write("key.pem", &key.serialize_pem(), 0o640);
        certificate.der().clone()
    }

    pub(crate) fn tls(&self) -> Result<Tls, String> {
        let tls = Tls::from_files(self.path("cert.pem"), self.path("key.pem"));
        tls.map_err(|bad| bad.to_string())
    }

    pub(crate) fn connector(
        &self,
        version: &'static SupportedProtocolVersion,
        alpn: &[&str],
    ) -> TlsConnector {
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(self.trusted.clone())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }

    async fn connect(&self, stage: &Stage) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(stage.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = self.connector(&TLS13, &["http/1.1"]);
        soon(connector.connect(name, stream)).await.unwrap()
    }
}

async fn stage(files: &Files) -> (Stage, Tls) {
    let tls = files.tls().unwrap();
    let config = HttpConfig {
        tls: Some(tls.clone()),
        connections: 4,
        ..HttpConfig::default()
    };
    (Stage::new(config).await, tls)
}

fn certificate(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    chain[0].clone().into_owned()
}

/// The answer to a request that is the last of its connection.
async fn ask(stream: &mut TlsStream<TcpStream>, request: &str) -> String {
    let request = request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    soon(stream.write_all(request.as_bytes())).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn both_versions_of_tls_are_served_and_both_of_http() {
    let files = Files::new();
    let (stage, _) = stage(&files).await;
    for (version, alpn, agreed) in [
        (&TLS12, &["spdy/3", "http/1.1"][..], Some(&b"http/1.1"[..])),
        (&TLS13, &["http/1.1"], Some(b"http/1.1")),
        (&TLS13, &[], None),
        (&TLS12, &["http/1.1", "h2"], Some(b"h2")),
        (&TLS13, &["h2"], Some(b"h2")),
    ] {
        let stream = TcpStream::connect(stage.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = files.connector(version, alpn).connect(name, stream);
        let mut stream = soon(connecting).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed);
        if agreed == Some(b"h2") {
            let answer = Peer::over(stream).await.ask(&list()).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            continue;
        }
        let answer = ask(&mut stream, &list()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let stream = TcpStream::connect(stage.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = files.connector(&TLS13, &["h3"]).connect(name, stream);
    assert!(soon(connecting).await.is_err());
    // Over TLS it is agreed on, never known before (RFC 9113 §3.3).
    let stream = TcpStream::connect(stage.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = files.connector(&TLS13, &[]).connect(name, stream);
    let mut stream = soon(connecting).await.unwrap();
    soon(stream.write_all(PREFACE)).await.unwrap();
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    assert!(answer.is_empty(), "{answer:?}");
    // Who does not speak TLS is told nothing.
    let mut plain = stage.connect().await;
    assert_eq!(plain.ask(&list()).await, None);
}

#[tokio::test]
async fn the_end_of_the_certificate_in_use_is_measured() {
    let mut files = Files::new();
    let tls = files.tls().unwrap();
    let metrics = Metrics::new();
    let config = HttpConfig {
        tls: Some(tls.clone()),
        ..HttpConfig::default()
    };
    let stage = Stage::measured(config, &metrics).await;
    // Who is served finds a server that is measured.
    files.connect(&stage).await;
    let measured = |seconds: u64| {
        let line = format!("\nmcp_server_tls_certificate_expiry_timestamp_seconds {seconds}\n");
        let text = metrics.text();
        assert!(text.contains(&line), "{line}: {text}");
        let end = tls.end().unwrap().duration_since(UNIX_EPOCH).unwrap();
        assert_eq!(end.as_secs(), seconds);
    };
    measured(4_102_444_800);
    files.renew_until(2049);
    measured(4_102_444_800);
    tls.reload();
    measured(2_493_072_000);
    // What cannot be used is not in use.
    files.renew_until(2060);
    files.write("key.pem", "", 0o640);
    tls.reload();
    measured(2_493_072_000);
}

#[tokio::test]
async fn a_large_answer_comes_whole() {
    let files = Files::new();
    let (stage, _) = stage(&files).await;
    let mut stream = files.connect(&stage).await;
    let answer = ask(&mut stream, &call("large")).await;
    assert!(answer.len() > LARGE, "{}", answer.len());
}

#[tokio::test]
async fn new_files_are_used_for_new_connections_and_broken_ones_are_not() {
    let mut files = Files::new();
    let tls = files.tls().unwrap();
    let metrics = Metrics::new();
    let config = HttpConfig {
        tls: Some(tls.clone()),
        ..HttpConfig::default()
    };
    let stage = Stage::measured(config, &metrics).await;
    let mut before = files.connect(&stage).await;
    assert!(!tls.reload());
    let renewed = files.renew();
    assert!(tls.reload());
    assert_eq!(certificate(&files.connect(&stage).await), renewed);
    assert_ne!(certificate(&before), renewed);
    let answer = ask(&mut before, &list()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let key = fs::read_to_string(files.path("key.pem")).unwrap();
    let other = KeyPair::generate().unwrap().serialize_pem();
    for broken in ["", "-----BEGIN PRIVATE KEY-----\n", &other] {
        files.write("key.pem", broken, 0o640);
        assert!(!tls.reload() && !tls.reload());
    }
    fs::remove_file(files.path("cert.pem")).unwrap();
    assert!(!tls.reload());
    assert_eq!(certificate(&files.connect(&stage).await), renewed);
    let renewed = files.renew();
    assert_ne!(fs::read_to_string(files.path("key.pem")).unwrap(), key);
    assert!(tls.reload());
    assert_eq!(certificate(&files.connect(&stage).await), renewed);
    let text = metrics.text();
    for (result, count) in [("ok", 2), ("failed", 4)] {
        let line = format!("mcp_server_tls_reloads_total{{result=\"{result}\"}} {count}\n");
        assert!(text.contains(&line), "{line}: {text}");
    }
}

#[test]
fn files_that_cannot_be_used_are_refused_with_a_sentence() {
    let files = Files::new();
    let refused = || files.tls().unwrap_err();
    let key = fs::read_to_string(files.path("key.pem")).unwrap();
    #[cfg(unix)]
    {
        files.write("key.pem", &key, 0o644);
        let said = refused();
        assert!(said.contains("key.pem can be read by every user"), "{said}");
    }
    let other = KeyPair::generate().unwrap().serialize_pem();
    for (name, text, why) in [
        ("key.pem", "", "key.pem holds no private key"),
        ("key.pem", &*other, "do not belong together"),
        ("cert.pem", &key, "cert.pem holds no certificate"),
        ("cert.pem", &" ".repeat((1 << 20) + 1), "larger than 1 MiB"),
    ] {
        files.write(name, text, 0o600);
        let said = refused();
        assert!(said.contains(why), "{said}");
        assert!(!said.contains("PRIVATE"), "{said}");
    }
    fs::remove_file(files.path("cert.pem")).unwrap();
    let said = refused();
    let why = "cert.pem cannot be read: there is no such file or folder";
    assert!(said.contains(why), "{said}");
}

#[tokio::test]
async fn handshakes_that_are_not_complete_make_room() {
    let files = Files::new();
    let (stage, _) = stage(&files).await;
    let mut open = Vec::new();
    for sent in ["", "\x16\x03\x01\x01\x00\x01", "", "\x16\x03\x01"] {
        open.push(stage.sent(sent).await);
    }
    let mut stream = files.connect(&stage).await;
    let answer = ask(&mut stream, &list()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    soon(async {
        while !open.iter().any(Client::is_closed) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_handshake_has_the_time_of_a_head() {
    let files = Files::new();
    let config = HttpConfig {
        tls: Some(files.tls().unwrap()),
        header_timeout: Duration::from_millis(50),
        ..HttpConfig::default()
    };
    let stage = Stage::new(config).await;
    stage.sent("\x16\x03\x01").await.closed().await;
}

#[tokio::test]
async fn who_reads_nothing_of_an_answer_is_not_waited_for() {
    let files = Files::new();
    let config = HttpConfig {
        tls: Some(files.tls().unwrap()),
        write_timeout: Duration::from_millis(100),
        ..HttpConfig::default()
    };
    let mut stage = Stage::new(config).await;
    let mut stream = files.connect(&stage).await;
    soon(stream.write_all(call("large").as_bytes()))
        .await
        .unwrap();
    // The end of the server waits for the call, and no longer.
    stage.stop();
    stage.ended().await;
    let mut answer = Vec::new();
    let read = soon(stream.read_to_end(&mut answer)).await;
    assert!(read.is_err() || answer.len() < LARGE);
}

#[tokio::test]
async fn what_is_in_flight_at_shutdown_is_answered() {
    let files = Files::new();
    let (mut stage, _) = stage(&files).await;
    let mut idle = files.connect(&stage).await;
    let mut stream = files.connect(&stage).await;
    soon(stream.write_all(call("wait").as_bytes()))
        .await
        .unwrap();
    soon(stage.begun.acquire()).await.unwrap().forget();
    stage.stop();
    let mut rest = Vec::new();
    let _ = soon(idle.read_to_end(&mut rest)).await;
    stage.gate.add_permits(1);
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(
        answer.contains("through") && answer.contains("connection: close"),
        "{answer}"
    );
    stage.ended().await;
}
