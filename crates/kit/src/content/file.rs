//! Files: resources that are embedded in an answer.

use std::borrow::Cow;

use bytes::Bytes;
use rmcp::model::{Annotations, ContentBlock, EmbeddedResource, ResourceContents};

use crate::media_type;

use super::base64;

/// A file of any kind, with the URI that it goes by (an embedded resource).
///
/// It is sent as text where its MIME type is one of text and its bytes are UTF-8, else as bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    bytes: Bytes,
    uri: String,
    mime_type: Cow<'static, str>,
    annotations: Option<Annotations>,
}

impl File {
    /// A file at `uri` (RFC 3986, with a scheme; it need not be one that can be read). What it is
    /// follows from its first bytes and the extension of the URI; else it is `text/plain` or
    /// `application/octet-stream`.
    pub fn new(uri: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let (uri, bytes) = (uri.into(), bytes.into());
        let path = uri.split(['?', '#']).next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        let mime_type = media_type::guess(name, &bytes)
            .unwrap_or_else(|| media_type::of("", text(&bytes).is_some()));
        Self {
            bytes,
            uri,
            mime_type: mime_type.into(),
            annotations: None,
        }
    }

    /// Sets the MIME type.
    pub fn mime_type(mut self, mime_type: impl Into<Cow<'static, str>>) -> Self {
        self.mime_type = mime_type.into();
        self
    }

    /// Sets the URI that it goes by. As the content of a resource it goes by that of the resource.
    pub fn uri(mut self, uri: impl Into<String>) -> Self {
        self.uri = uri.into();
        self
    }

    /// Whom it is for, how important it is, and when it was last changed.
    pub fn annotations(mut self, annotations: Annotations) -> Self {
        self.annotations = Some(annotations);
        self
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its bytes as text, when they are UTF-8 and hold no NUL.
    pub fn text(&self) -> Option<&str> {
        text(&self.bytes)
    }

    /// As the contents of the resource at `uri`.
    pub(super) fn contents(self, uri: String) -> ResourceContents {
        let contents = match self.text().filter(|_| media_type::is_text(&self.mime_type)) {
            Some(text) => ResourceContents::text(text, uri),
            None => ResourceContents::blob(base64(&self.bytes), uri),
        };
        contents.with_mime_type(self.mime_type)
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

impl From<File> for ContentBlock {
    fn from(mut file: File) -> Self {
        let (uri, annotations) = (std::mem::take(&mut file.uri), file.annotations.take());
        let mut resource = EmbeddedResource::new(file.contents(uri));
        resource.annotations = annotations;
        Self::Resource(resource)
    }
}
