//! Stands for `tls.rs` in a program without the feature `tls`: there are no such settings.

use std::path::PathBuf;

use clap::Args;
use pymcp_kit::transport::http::Tls;

use crate::Result;

/// No settings.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct TlsSettings {}

impl TlsSettings {
    pub(crate) fn is_given(&self) -> bool {
        false
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::empty()
    }

    pub(crate) fn read(&self) -> Result<Option<Tls>> {
        Ok(None)
    }
}
