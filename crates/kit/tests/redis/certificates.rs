//! A `redis-server` that speaks TLS, and the files of who trusts it.

use std::net::TcpListener;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::server::RedisServer;

/// Files in a folder: an authority (`ca.pem`), what it signed for a name (`cert.pem`, `key.pem`), and another authority, who
/// signed nothing (`other.pem`).
pub(crate) struct Certificates(tempfile::TempDir);

impl Certificates {
    /// Those of a store of this name, up to a date.
    pub(crate) fn of(name: &str, until: (i32, u8, u8)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, pem: String| std::fs::write(folder.path().join(name), pem).unwrap();
        let authority = |name: &str| {
            let mut authority = CertificateParams::new(Vec::new()).unwrap();
            authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            authority.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().unwrap();
            let pem = authority.self_signed(&key).unwrap().pem();
            (Issuer::new(authority, key), pem)
        };
        let (issuer, pem) = authority("one");
        write("ca.pem", pem);
        write("other.pem", authority("other").1);
        let key = KeyPair::generate().unwrap();
        let mut certificate = CertificateParams::new([name.to_owned()]).unwrap();
        certificate
            .distinguished_name
            .push(DnType::CommonName, "store");
        let (year, month, day) = until;
        certificate.not_after = rcgen::date_time_ymd(year, month, day);
        let certificate = certificate.signed_by(&key, &issuer).unwrap();
        write("cert.pem", certificate.pem());
        write("key.pem", key.serialize_pem());
        Self(folder)
    }

    /// The path of one of them.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// A store that shows them at a port of its own, and asks its clients for a certificate or not.
    pub(crate) fn store(&self, asks: bool, options: &[&str]) -> Option<(RedisServer, u16)> {
        // Free a moment ago, and nobody else's within the test.
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Some((self.store_at(port, asks, options)?, port))
    }

    /// The same at this port.
    pub(crate) fn store_at(&self, port: u16, asks: bool, options: &[&str]) -> Option<RedisServer> {
        let (cert, key, ca) = (
            self.path("cert.pem"),
            self.path("key.pem"),
            self.path("ca.pem"),
        );
        let (at, asks) = (port.to_string(), if asks { "yes" } else { "no" });
        let tls = [
            "--tls-port",
            &at,
            "--bind",
            "127.0.0.1",
            "--tls-cert-file",
            &cert,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &ca,
            "--tls-auth-clients",
            asks,
        ];
        RedisServer::start(&[&tls[..], options].concat())
    }
}
