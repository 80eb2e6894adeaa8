//! Certificate and key: read at the start, and again when the files change.
//!
//! HTTP/2, with the feature `http2`, and HTTP/1.1 are offered (ALPN `h2`, `http/1.1`), over TLS 1.2 and 1.3.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::metrics::{Metrics, readings};
use crate::reason::reason;

use super::certificate::certificate_end;
use super::socket::Socket;

/// Bytes of a file.
const MAX_FILE: u64 = 1 << 20;

/// What ALPN calls HTTP/2 over TLS (RFC 9113 §3.2).
const H2: &[u8] = b"h2";

/// Seconds.
const DAY: u64 = 24 * 60 * 60;

/// How often the files are looked at.
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// A certificate with its key, from two files in PEM. Clones share what they have read.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<Current>,
    /// The digest of what was read last, or why it could not be.
    last: Mutex<Result<[u8; 32], BadTls>>,
    /// Changes of the files that could be used, and that could not.
    reloaded: AtomicU64,
    failed: AtomicU64,
    /// What the log was told last: how many days the certificate has left.
    told: Mutex<Option<i64>>,
}

/// What is in use.
struct Current {
    config: Arc<ServerConfig>,
    /// When the certificate ends, where that can be read.
    end: Option<SystemTime>,
}

/// Why a certificate and a key cannot be used; a sentence without its full stop, without what the
/// files hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTls(String);

impl fmt::Display for BadTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadTls {}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("certificate", &self.0.certificate)
            .field("key", &self.0.key)
            .finish()
    }
}

impl Tls {
    /// How long before the certificate ends the log says so, each day.
    pub const ENDS_SOON: Duration = Duration::from_secs(14 * DAY);

    /// Reads the certificate, followed by those of the authorities between it and the root, and its
    /// private key (PKCS #8, PKCS #1 or SEC 1); each file of at most 1 MiB.
    ///
    /// # Errors
    /// A file cannot be read or used, every user of the system may read the key, or it is that of
    /// another certificate.
    pub fn from_files(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, BadTls> {
        let (certificate, key) = (certificate.into(), key.into());
        let pem = Pem::read(&certificate, &key)?;
        Ok(Self(Arc::new(Inner {
            current: ArcSwap::from_pointee(pem.config(&certificate, &key)?),
            last: Mutex::new(Ok(pem.digest())),
            reloaded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            told: Mutex::default(),
            certificate,
            key,
        })))
    }

    /// Reads the files again, as the server does every ten seconds; connections that begin later use
    /// what they hold now. Where they cannot be used, what was read before stays in use, and the log
    /// says so once. It also says, once a day, that the certificate in use ends soon ([`Tls::ENDS_SOON`])
    /// or has ended.
    ///
    /// Whether something new is in use. It blocks for as long as the files take to read.
    pub fn reload(&self) -> bool {
        let replaced = self.replace();
        self.warn(SystemTime::now());
        replaced
    }

    fn replace(&self) -> bool {
        let Inner {
            certificate, key, ..
        } = &*self.0;
        let read = Pem::read(certificate, key);
        let config = {
            let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
            let found = read.as_ref().map(Pem::digest).map_err(Clone::clone);
            if *last == found {
                return false;
            }
            *last = found;
            read.and_then(|pem| pem.config(certificate, key))
        };
        match config {
            Ok(config) => {
                self.0.current.store(Arc::new(config));
                self.0.reloaded.fetch_add(1, Ordering::Relaxed);
                tracing::info!("the TLS certificate was replaced");
                true
            }
            Err(error) => {
                self.0.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%error, "the new TLS files cannot be used; the ones before stay in use");
                false
            }
        }
    }

    /// When the certificate in use ends, the server's own and not those of authorities; `None` when that cannot be read.
    pub fn end(&self) -> Option<SystemTime> {
        self.0.current.load().end
    }

    fn warn(&self, now: SystemTime) {
        let due = self.end().and_then(|end| {
            let left = days_left(end, now);
            (left < days(Self::ENDS_SOON)).then_some((end, left))
        });
        let left = due.map(|(_, left)| left);
        let before = std::mem::replace(
            &mut *self.0.told.lock().unwrap_or_else(PoisonError::into_inner),
            left,
        );
        let Some((end, left)) = due.filter(|_| before != left) else {
            return;
        };
        let end = DateTime::<Utc>::from(end).format("%Y-%m-%d %H:%M UTC");
        match left {
            ..0 => tracing::error!(
                "the TLS certificate ended on {end}; clients refuse it until its file is replaced"
            ),
            _ => tracing::warn!("the TLS certificate ends on {end}; replace its file before"),
        }
    }

    /// Has metrics say how often it was read again, and when the certificate ends.
    pub(super) fn measure(&self, metrics: &[Metrics]) {
        for metrics in metrics {
            let tls = self.clone();
            metrics.read(&readings::TLS_EXPIRY, "", move || {
                let since = tls
                    .end()
                    .and_then(|end| end.duration_since(UNIX_EPOCH).ok());
                since.map_or(0, |since| since.as_secs())
            });
            let tls = Arc::clone(&self.0);
            metrics.read(&readings::TLS_RELOADS, "ok", move || {
                tls.reloaded.load(Ordering::Relaxed)
            });
            let tls = Arc::clone(&self.0);
            metrics.read(&readings::TLS_RELOADS, "failed", move || {
                tls.failed.load(Ordering::Relaxed)
            });
        }
    }

    /// Agrees on keys with who has connected.
    pub(super) async fn accept(&self, socket: Socket) -> io::Result<Encrypted> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.0.current.load().config));
        acceptor.accept(socket).await
    }
}

/// A connection with TLS.
pub(super) type Encrypted = TlsStream<Socket>;

/// Whether its client has chosen HTTP/2 with ALPN.
pub(super) fn is_http2(encrypted: &Encrypted) -> bool {
    encrypted.get_ref().1.alpn_protocol() == Some(H2)
}

/// What is below it.
pub(super) fn socket(encrypted: &Encrypted) -> &Socket {
    encrypted.get_ref().0
}

/// What the files hold.
struct Pem {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Pem {
    fn read(certificate: &Path, key: &Path) -> Result<Self, BadTls> {
        Ok(Self {
            certificate: read(certificate, false)?,
            key: read(key, true)?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let both = [&self.certificate, &self.key].map(Sha256::digest);
        Sha256::digest(both.concat()).into()
    }

    fn config(&self, certificate: &Path, key: &Path) -> Result<Current, BadTls> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .ok()
            .filter(|chain| !chain.is_empty())
            .ok_or_else(|| bad(certificate, "holds no certificate in PEM"))?;
        let end = chain.first().and_then(|own| certificate_end(own));
        let secret = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| bad(key, "holds no private key in PEM"))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| BadTls(error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(|error| {
                let both = format!("{} and {}", certificate.display(), key.display());
                BadTls(match error {
                    rustls::Error::InconsistentKeys(_) => {
                        format!(
                            "{both} do not belong together: the key is not that of the certificate"
                        )
                    }
                    _ => format!("{both} cannot be used together: {error}"),
                })
            })?;
        let offered = [H2, b"http/1.1"];
        let offered = &offered[usize::from(!cfg!(feature = "http2"))..];
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        let config = Arc::new(config);
        Ok(Current { config, end })
    }
}

/// Whole days until this moment; negative once it is over.
fn days_left(end: SystemTime, now: SystemTime) -> i64 {
    match end.duration_since(now) {
        Ok(left) => days(left),
        Err(over) => -1 - days(over.duration()),
    }
}

fn days(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs() / DAY).unwrap_or(i64::MAX)
}

fn bad(path: &Path, why: impl fmt::Display) -> BadTls {
    BadTls(format!("{} {why}", path.display()))
}

fn read(path: &Path, secret: bool) -> Result<Vec<u8>, BadTls> {
    let unreadable =
        |error: io::Error| bad(path, format_args!("cannot be read: {}", reason(&error)));
    let mut file = File::open(path).map_err(unreadable)?;
    if secret && is_public(&file).map_err(unreadable)? {
        let why = "can be read by every user of this system; take that from it (chmod o= FILE)";
        return Err(bad(path, why));
    }
    let mut bytes = Vec::new();
    let read = file.by_ref().take(MAX_FILE + 1).read_to_end(&mut bytes);
    match read.map_err(unreadable)? {
        length if length as u64 > MAX_FILE => Err(bad(path, "is larger than 1 MiB")),
        _ => Ok(bytes),
    }
}

#[cfg(unix)]
fn is_public(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(file.metadata()?.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn is_public(_: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn the_log_is_told_once_a_day_that_the_end_is_near() {
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        let secret = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let signed = params.self_signed(&secret).unwrap();
        std::fs::write(&certificate, signed.pem()).unwrap();
        std::fs::write(&key, secret.serialize_pem()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let tls = Tls::from_files(certificate, key).unwrap();
        let end = tls.end().unwrap();
        let told = || *tls.0.told.lock().unwrap();
        let hour = Duration::from_secs(3600);
        for (now, left) in [
            (end - Tls::ENDS_SOON - hour, None),
            (end - Tls::ENDS_SOON + hour, Some(13)),
            (end - hour, Some(0)),
            (end + hour, Some(-1)),
            (end + hour * 25, Some(-2)),
        ] {
            tls.warn(now);
            assert_eq!(told(), left);
        }
        // A new one has its time before it.
        tls.warn(SystemTime::now());
        assert_eq!(told(), None);
    }
}
