//! Images and audio.

use std::borrow::Cow;

use bytes::Bytes;
use rmcp::model::{Annotations, AudioContent, ContentBlock, ImageContent, ResourceContents};

use crate::media_type;

use super::base64;

macro_rules! media {
    ($(#[$doc:meta])* $kind:ident, $top:literal, $noun:literal, $block:ident, $content:ident,
     $($(#[$short_doc:meta])* $short:ident $mime:literal),+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $kind {
            bytes: Bytes,
            mime_type: Cow<'static, str>,
            annotations: Option<Annotations>,
        }

        impl $kind {
            #[doc = concat!("Of these bytes; `mime_type` is one of `", $top, "*`.")]
            pub fn from_bytes(
                bytes: impl Into<Bytes>,
                mime_type: impl Into<Cow<'static, str>>,
            ) -> Self {
                Self {
                    bytes: bytes.into(),
                    mime_type: mime_type.into(),
                    annotations: None,
                }
            }

            #[doc = concat!("Of these bytes when they begin as ", $noun, " of a known kind does.")]
            pub fn detect(bytes: impl Into<Bytes>) -> Option<Self> {
                let bytes = bytes.into();
                let mime_type = media_type::by_magic(&bytes)?;
                mime_type
                    .starts_with($top)
                    .then(|| Self::from_bytes(bytes, mime_type))
            }

            $(
                $(#[$short_doc])*
                #[doc = concat!("Of type `", $mime, "`.")]
                pub fn $short(bytes: impl Into<Bytes>) -> Self {
                    Self::from_bytes(bytes, $mime)
                }
            )+

            /// Whom it is for, how important it is, and when it was last changed.
            pub fn annotations(mut self, annotations: Annotations) -> Self {
                self.annotations = Some(annotations);
                self
            }

            /// Its bytes, not encoded.
            pub fn bytes(&self) -> &[u8] {
                &self.bytes
            }

            /// Its MIME type.
            pub fn mime_type(&self) -> &str {
                &self.mime_type
            }

            /// As the contents of the resource at `uri`.
            pub(super) fn contents(self, uri: String) -> ResourceContents {
                ResourceContents::blob(base64(&self.bytes), uri).with_mime_type(self.mime_type)
            }
        }

        impl From<$kind> for ContentBlock {
            fn from(media: $kind) -> Self {
                let mut content = $content::new(base64(&media.bytes), media.mime_type);
                content.annotations = media.annotations;
                Self::$block(content)
            }
        }
    };
}

media!(
    /// A picture: `image/png`, `image/jpeg`, `image/gif` and `image/webp` are what models take.
    Image, "image/", "an image", Image, ImageContent,
    png "image/png", jpeg "image/jpeg", gif "image/gif", webp "image/webp", svg "image/svg+xml"
);

media!(
    /// A sound: `audio/wav` and `audio/mpeg` are what models take.
    Audio, "audio/", "audio", Audio, AudioContent,
    wav "audio/wav", mp3 "audio/mpeg", ogg "audio/ogg", flac "audio/flac"
);
