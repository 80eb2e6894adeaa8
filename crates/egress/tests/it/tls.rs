//! Only connections that can be trusted.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::{get, refused};

/// A server that speaks TLS and answers each request with `trusted`.
pub(crate) struct Server {
    pub(crate) port: u16,
    /// The authority behind its certificate, as PEM.
    pub(crate) authority: String,
}

/// Starts one on 127.0.0.1, with a certificate for `name`.
pub(crate) async fn server(name: &str) -> Server {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();

    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust it goes away.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                let answer =
                    b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\ntrusted";
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        }
    });
    Server {
        port,
        authority: pem,
    }
}

#[tokio::test]
async fn a_certificate_of_nobody_known_is_refused() {
    // To be named as private is no excuse. `environment` has the same server with its authority known.
    let server = server("127.0.0.1").await;
    let error = get(&format!("https://127.0.0.1:{}/", server.port))
        .await
        .unwrap_err();
    assert_eq!(error, refused!(Tls, "127.0.0.1"));
}

#[tokio::test]
async fn what_is_no_tls_is_refused() {
    // The first bytes of TLS have no end of a line in them, so a server of HTTP waits; this one does not.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        stream.read_to_end(&mut Vec::new()).await
    });
    let error = get(&format!("https://127.0.0.1:{port}/"))
        .await
        .unwrap_err();
    assert_eq!(error, refused!(Tls, "127.0.0.1"));
}
