//! To come.

use url::Url;

pub(crate) fn tidy(_url: &str) -> Option<Url> {
    unimplemented!()
}

pub(crate) fn key(_url: &Url) -> String {
    unimplemented!()
}
