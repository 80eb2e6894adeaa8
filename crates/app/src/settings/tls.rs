//! Settings of TLS: the feature `tls`.

use std::path::PathBuf;

use clap::Args;
use pymcp_kit::transport::http::Tls;

use crate::{Error, Result};

use super::HTTP;

/// Certificate and key.
#[derive(Debug, Clone, Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct TlsSettings {
    /// Certificate in PEM, followed by those of the authorities between it and the root; then clients speak TLS. Read
    /// again when it changes, and on SIGHUP.
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = HTTP)]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate in PEM; one that every user of the system can read is refused.
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = HTTP)]
    tls_key: Option<PathBuf>,
}

impl TlsSettings {
    /// Whether clients speak TLS.
    pub(crate) fn is_given(&self) -> bool {
        self.tls_cert.is_some()
    }

    /// The files of certificate and key.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.tls_cert, &self.tls_key].into_iter().flatten()
    }

    /// Reads certificate and key, if there are any.
    pub(crate) fn read(&self) -> Result<Option<Tls>> {
        match (&self.tls_cert, &self.tls_key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                Tls::from_files(certificate, key).map(Some).map_err(|bad| {
                    Error::setting(format!("--tls-cert and --tls-key cannot be used: {bad}."))
                })
            }
            (Some(_), None) => Err(Error::setting(
                "--tls-cert is set without the key of the certificate; name that with --tls-key.",
            )),
            (None, Some(_)) => Err(Error::setting(
                "--tls-key is set without its certificate; name that with --tls-cert.",
            )),
        }
    }
}
