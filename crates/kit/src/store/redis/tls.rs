//! TLS to the store: whom it trusts, and what is said when it cannot.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::redis::RedisError;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, RootCertStore, SignatureScheme};

use crate::reason::reason;

/// Bytes of a file of certificates, or of a key.
const MAX_FILE: u64 = 1 << 20;

/// Whom to trust, as an address says it.
#[derive(Debug, Clone, Default)]
pub(super) struct Trust {
    /// Certificates of those who may have signed that of the store; otherwise what the machine trusts.
    pub(super) ca: Option<PathBuf>,
    /// The certificate that the store is shown, and its key.
    pub(super) own: Option<(PathBuf, PathBuf)>,
}

/// TLS to one store.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    /// Whether it has asked for a certificate, and there is none to be shown.
    asks: Arc<AtomicBool>,
}

/// Shows no certificate, and takes note of who asks for one: some only close the connection then.
#[derive(Debug)]
struct Nothing(Arc<AtomicBool>);

impl ResolvesClientCert for Nothing {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

impl Tls {
    /// Reads the files, and what the machine trusts.
    ///
    /// # Errors
    /// What is wrong with them: the end of a sentence.
    pub(super) fn new(trust: &Trust, host: &str) -> Result<Self, RedisError> {
        let name = name(host)?;
        let mut roots = RootCertStore::empty();
        match &trust.ca {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots
                        .add(certificate)
                        .map_err(|_| bad(path, "has a certificate that cannot be used"))?;
                }
            }
            None => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    return Err(io::Error::other(
                        "this machine trusts nobody who could have signed its certificate; name the file of its CA with ?ca=PATH",
                    )
                    .into());
                }
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots);
        let asks = Arc::new(AtomicBool::new(false));
        let config = match &trust.own {
            None => config.with_client_cert_resolver(Arc::new(Nothing(Arc::clone(&asks)))),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let own = PrivateKeyDer::from_pem_slice(&read(key)?)
                    .map_err(|_| bad(key, "has no private key in PEM"))?;
                config
                    .with_client_auth_cert(chain, own)
                    .map_err(|_| bad(key, "has another key than that of the certificate"))?
            }
        };
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name,
            asks,
        })
    }

    /// The same to another host.
    ///
    /// # Errors
    /// It is no name that a certificate can have.
    pub(super) fn at(&self, host: &str) -> Result<Self, RedisError> {
        Ok(Self {
            connector: self.connector.clone(),
            name: name(host)?,
            asks: Arc::clone(&self.asks),
        })
    }

    /// Speaks TLS over a connection.
    ///
    /// # Errors
    /// The end of a sentence.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, RedisError> {
        let connecting = self.connector.connect(self.name.clone(), stream);
        connecting.await.map_err(|error| match said(error) {
            Said::OfCertificate(error) => error.into(),
            Said::OfAnythingElse(error) => self.asked(error.into()),
        })
    }

    /// Whether it has asked for a certificate that there is none of.
    pub(super) fn asks(&self) -> bool {
        self.asks.load(Ordering::Relaxed)
    }

    /// What is said of an error on a connection that has just been made.
    pub(super) fn asked(&self, error: RedisError) -> RedisError {
        match error.is_io_error() && self.asks.swap(false, Ordering::Relaxed) {
            true => {
                io::Error::other("it asks for a certificate; name one with ?cert=PATH&key=PATH")
                    .into()
            }
            false => error,
        }
    }
}

fn name(host: &str) -> Result<ServerName<'static>, RedisError> {
    let name = ServerName::try_from(host.to_owned());
    name.map_err(|_| io::Error::other("its host is no name that a certificate can have").into())
}

/// What is said of an error of the handshake.
enum Said {
    OfCertificate(io::Error),
    OfAnythingElse(io::Error),
}

fn said(error: io::Error) -> Said {
    let tls = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<Error>());
    let certificate = match tls {
        None => return Said::OfAnythingElse(error),
        Some(Error::InvalidCertificate(certificate)) => certificate,
        Some(Error::InvalidMessage(_)) => {
            return Said::OfAnythingElse(io::Error::other("it does not speak TLS at this port"));
        }
        Some(other) => {
            return Said::OfAnythingElse(io::Error::other(format!("TLS failed: {other}")));
        }
    };
    let why = match certificate {
        CertificateError::UnknownIssuer => {
            "is signed by nobody who is trusted here; name the file of its CA with ?ca=PATH"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another name than that of the URL"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet"
        }
        other => {
            return Said::OfCertificate(io::Error::other(format!(
                "its certificate is refused: {other}"
            )));
        }
    };
    Said::OfCertificate(io::Error::other(format!("its certificate {why}")))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, RedisError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(bad(path, "has no certificates in PEM")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RedisError> {
    let unread = |error: &io::Error| bad(path, &format!("cannot be read: {}", reason(error)));
    // Before it is opened: a pipe that nobody writes to would be waited for.
    let found = std::fs::metadata(path).map_err(|error| unread(&error))?;
    if !found.is_file() || found.len() > MAX_FILE {
        return Err(bad(path, "is no file of certificates or of a key"));
    }
    std::fs::read(path).map_err(|error| unread(&error))
}

fn bad(path: &Path, what: &str) -> RedisError {
    io::Error::other(format!("{} {what}", path.display())).into()
}
