//! What tools, prompts and resources give: text as it is, everything else in a file or in a few words.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{ContentBlock, ResourceContents};

use serde_json::Value;

use super::{DIM, Output, visible};
use crate::{Error, Result};

/// Characters of the name of a file.
const MAX_NAME: usize = 60;

/// Files of one name beside each other.
const MAX_FILES: usize = 10_000;

/// Kinds of files, for the ends of their names.
const ENDS: [(&str, &str); 24] = [
    ("image/png", "png"),
    ("image/jpeg", "jpg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
    ("image/svg+xml", "svg"),
    ("image/avif", "avif"),
    ("image/bmp", "bmp"),
    ("image/tiff", "tiff"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/mpeg", "mp3"),
    ("audio/mp3", "mp3"),
    ("audio/ogg", "ogg"),
    ("audio/flac", "flac"),
    ("audio/mp4", "m4a"),
    ("video/mp4", "mp4"),
    ("application/pdf", "pdf"),
    ("application/zip", "zip"),
    ("application/gzip", "gz"),
    ("application/json", "json"),
    ("text/plain", "txt"),
    ("text/html", "html"),
    ("text/markdown", "md"),
    ("text/csv", "csv"),
];

/// Prints content, and keeps what is no text in files if that is wanted.
pub(crate) struct Shown<'a> {
    output: Output,
    save: Option<&'a Path>,
    /// What files are called, without their end.
    name: &'a str,
}

impl<'a> Shown<'a> {
    pub(crate) fn new(output: Output, save: Option<&'a Path>, name: &'a str) -> Self {
        Self { output, save, name }
    }

    /// Prints blocks one after the other.
    ///
    /// # Errors
    /// That something cannot be printed or saved.
    pub(crate) fn blocks<'b>(
        &self,
        blocks: impl IntoIterator<Item = &'b ContentBlock>,
    ) -> Result<()> {
        for block in blocks {
            match self.text(block)? {
                (text, true) => self.output.text(&text)?,
                (text, false) => self.output.line(format_args!("{DIM}{text}{DIM:#}"))?,
            }
        }
        Ok(())
    }

    /// Prints structured content.
    ///
    /// # Errors
    /// As of [`Output::line`].
    pub(crate) fn value(&self, value: &Value) -> Result<()> {
        self.output.value(value)
    }

    /// What is printed for a block, and whether it is the block's own text. What is to be kept is.
    ///
    /// # Errors
    /// That something cannot be saved.
    pub(crate) fn text<'b>(&self, block: &'b ContentBlock) -> Result<(Cow<'b, str>, bool)> {
        let said = |text: String| (Cow::Owned(text), false);
        Ok(match block {
            ContentBlock::Text(text) => (Cow::Borrowed(&*text.text), true),
            ContentBlock::Image(image) => said(self.file(&image.data, &image.mime_type)?),
            ContentBlock::Audio(audio) => said(self.file(&audio.data, &audio.mime_type)?),
            ContentBlock::Resource(embedded) => match &embedded.resource {
                ResourceContents::TextResourceContents { text, .. } => {
                    (Cow::Borrowed(&**text), true)
                }
                ResourceContents::BlobResourceContents {
                    blob, mime_type, ..
                } => said(self.file(blob, mime_type.as_deref().unwrap_or_default())?),
                _ => said("[a kind of resource that is not known]".to_owned()),
            },
            ContentBlock::ResourceLink(link) => {
                said(visible(&format!("[resource {}: {}]", link.name, link.uri)).into_owned())
            }
            _ => said("[a kind of content that is not known]".to_owned()),
        })
    }

    /// What is said of bytes that are no text.
    fn file(&self, data: &str, kind: &str) -> Result<String> {
        let Ok(bytes) = STANDARD.decode(data.trim_end()) else {
            return Ok(format!("[{}, which is not valid base64]", visible(kind)));
        };
        let what = describe(kind, bytes.len());
        Ok(match self.save {
            Some(directory) => {
                let path = save(directory, self.name, kind, &bytes)?;
                format!("[{what}: {}]", path.display())
            }
            None => format!("[{what}; --save DIR keeps it]"),
        })
    }
}

impl Output {
    /// Prints a stranger's text: as it is, but on a terminal with what hides made visible.
    ///
    /// # Errors
    /// As of [`Output::line`].
    pub(crate) fn text(self, text: &str) -> Result<()> {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        match Self::is_terminal() {
            true => self.bytes(format!("{}{end}", visible(text)).as_bytes()),
            false => self.bytes(format!("{text}{end}").as_bytes()),
        }
    }
}

/// `image/png, 1.2 kB`
pub(crate) fn describe(kind: &str, bytes: usize) -> String {
    let kind = if kind.is_empty() { "bytes" } else { kind };
    format!("{}, {}", visible(kind), size(bytes))
}

/// A number of bytes in few digits.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => format!("{bytes} bytes"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// Writes a new file, whose name is made of `name` and its kind, and never over another.
///
/// # Errors
/// That it cannot be written.
pub(crate) fn save(directory: &Path, name: &str, kind: &str, bytes: &[u8]) -> Result<PathBuf> {
    let cannot = |error| {
        Error::other(format!(
            "{} cannot be written: {error}.",
            directory.display()
        ))
    };
    std::fs::create_dir_all(directory).map_err(cannot)?;
    let (name, end) = (safe(name), end(kind));
    for number in 1..=MAX_FILES {
        let name = match number {
            1 => format!("{name}.{end}"),
            more => format!("{name}-{more}.{end}"),
        };
        let path = directory.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(bytes).map_err(cannot)?;
                return Ok(path);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot(error)),
        }
    }
    Err(Error::other(format!(
        "{} has too many files of that name.",
        directory.display()
    )))
}

/// A stranger's name as that of a file: the last part of a URI, without what may lead elsewhere.
fn safe(name: &str) -> String {
    let name = name.split(['?', '#']).next().unwrap_or_default();
    let name = name
        .trim_end_matches('/')
        .rsplit(['/', ':', '\\'])
        .next()
        .unwrap_or_default();
    let name = match name.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() && ENDS.iter().any(|(_, it)| *it == end) => stem,
        _ => name,
    };
    let name: String = name
        .chars()
        .take(MAX_NAME)
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    match name.trim_start_matches(['.', '-']) {
        "" => "content".to_owned(),
        name => name.to_owned(),
    }
}

fn end(kind: &str) -> &'static str {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let found = ENDS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(kind));
    found.map_or("bin", |(_, end)| end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_lead_nowhere() {
        for (name, file) in [
            ("greet", "greet"),
            ("../../etc/passwd", "passwd"),
            ("data://logo", "logo"),
            ("file:///a/b.png?x=1", "b"),
            ("..", "content"),
            (".bashrc", "bashrc"),
            ("-rf", "rf"),
            ("C:\\Windows\\x", "x"),
            ("a b\u{202e}c", "a_b_c"),
            ("", "content"),
        ] {
            assert_eq!(safe(name), file, "{name}");
        }
    }

    #[test]
    fn no_file_is_written_over() {
        let here = tempfile::tempdir().unwrap();
        let directory = here.path().join("new");
        let write = |bytes: &[u8]| save(&directory, "logo", "image/PNG; x=y", bytes).unwrap();
        assert_eq!(write(b"a"), directory.join("logo.png"));
        assert_eq!(write(b"b"), directory.join("logo-2.png"));
        assert_eq!(std::fs::read(directory.join("logo.png")).unwrap(), b"a");
    }

    #[test]
    fn sizes_have_few_digits() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1234, "1.2 kB"),
            (2_500_000, "2.5 MB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
