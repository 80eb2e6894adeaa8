//! What a file is: by its first bytes where those are telling, and else by its extension. A table of
//! all that exists would be larger than most servers' files.

/// The media type of a file called `name`; `text` when it is served as text.
pub(crate) fn of(name: &str, text: bool) -> &'static str {
    by_extension(name).unwrap_or(match text {
        true => "text/plain",
        false => "application/octet-stream",
    })
}

/// The media type that the extension of a file's name stands for.
pub(crate) fn by_extension(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "md" | "markdown" => "text/markdown",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "csv" => "text/csv",
        "js" | "mjs" | "cjs" => "text/javascript",
        "py" => "text/x-python",
        "rs" => "text/x-rust",
        "sh" | "bash" => "application/x-sh",
        "json" => "application/json",
        "yaml" | "yml" => "application/yaml",
        "toml" => "application/toml",
        "xml" => "application/xml",
        "sql" => "application/sql",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "wasm" => "application/wasm",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "tif" | "tiff" => "image/tiff",
        "svg" => "image/svg+xml",
        "ico" => "image/vnd.microsoft.icon",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "m4a" => "audio/mp4",
        "aac" => "audio/aac",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "ttf" => "font/ttf",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

/// The media type that the first bytes of a file stand for (WHATWG MIME Sniffing §6).
pub(crate) fn by_magic(bytes: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| {
        bytes
            .get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    let known: [(&[u8], &str); 12] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
        (b"ID3", "audio/mpeg"),
        (b"\xff\xfb", "audio/mpeg"),
        (b"\xff\xf3", "audio/mpeg"),
        (b"fLaC", "audio/flac"),
        (b"OggS\0", "audio/ogg"),
        (b"%PDF-", "application/pdf"),
    ];
    if let Some((_, media_type)) = known.iter().find(|(magic, _)| at(0, magic)) {
        return Some(media_type);
    }
    match () {
        () if at(0, b"RIFF") && at(8, b"WEBPVP") => Some("image/webp"),
        () if at(0, b"RIFF") && at(8, b"WAVE") => Some("audio/wav"),
        () if at(4, b"ftypavif") || at(4, b"ftypavis") => Some("image/avif"),
        () if at(4, b"ftypM4A ") => Some("audio/mp4"),
        () => None,
    }
}

/// What a file is, by its bytes and its name. What it holds counts more than what it is called.
pub(crate) fn guess(name: &str, bytes: &[u8]) -> Option<&'static str> {
    by_magic(bytes).or_else(|| by_extension(name))
}

/// Whether files of this type are text.
pub(crate) fn is_text(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || matches!(
            essence,
            "application/json"
                | "application/yaml"
                | "application/toml"
                | "application/xml"
                | "application/sql"
                | "application/x-sh"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_more_than_names() {
        for (name, bytes, expected) in [
            ("a.png", &b"\x89PNG\r\n\x1a\n..."[..], Some("image/png")),
            ("a.png", b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            ("a", b"RIFF\0\0\0\0WEBPVP8 ", Some("image/webp")),
            ("a", b"RIFF\0\0\0\0WAVEfmt ", Some("audio/wav")),
            ("a", b"\0\0\0\x1cftypavif", Some("image/avif")),
            ("a.SVG", b"<svg/>", Some("image/svg+xml")),
            ("a.b.json", b"{}", Some("application/json")),
            ("a", b"", None),
            ("a.", b"RIFF", None),
        ] {
            assert_eq!(guess(name, bytes), expected, "{name} {bytes:?}");
        }
    }

    #[test]
    fn text_is_told_from_bytes() {
        for text in [
            "text/plain",
            "text/html; charset=utf-8",
            "application/json",
            "image/svg+xml",
        ] {
            assert!(is_text(text), "{text}");
        }
        for bytes in [
            "image/png",
            "application/pdf",
            "application/octet-stream",
            "",
        ] {
            assert!(!is_text(bytes), "{bytes}");
        }
    }
}
