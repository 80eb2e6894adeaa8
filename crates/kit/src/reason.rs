//! Why the system refused something, in words that say what is the matter instead of its number: for every error that a
//! person reads. Another kind of refusal is a line in [`reason`].

use std::io::{self, ErrorKind};

/// What follows a colon in a sentence, without its full stop: `permission is denied`. What a library says of its own accord
/// stays as it is; of what is not known here, the system's words without their number.
pub fn reason(error: &io::Error) -> String {
    // What a library says of its own accord is more than the kind of it.
    if error.raw_os_error().is_none() && error.get_ref().is_some() {
        return error.to_string();
    }
    let known = match error.kind() {
        ErrorKind::NotFound => "there is no such file or folder",
        ErrorKind::PermissionDenied => "permission is denied",
        ErrorKind::AlreadyExists => "it exists already",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::NotADirectory => "a part of its path is no folder",
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        ErrorKind::StorageFull => "the disk is full",
        ErrorKind::QuotaExceeded => "the disk quota of this user is used up",
        ErrorKind::FileTooLarge => "it may not grow any more",
        ErrorKind::AddrInUse => "it is in use",
        ErrorKind::AddrNotAvailable => "this machine does not have the address",
        ErrorKind::ConnectionRefused => "nobody listens there",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
            "the other side closed the connection"
        }
        ErrorKind::HostUnreachable => "the host cannot be reached",
        ErrorKind::NetworkUnreachable => "the network cannot be reached",
        // A read with a timeout ends as the one on Windows, as the other elsewhere.
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "it took too long",
        ErrorKind::UnexpectedEof => "it ends too early",
        _ => return without_number(&error.to_string()),
    };
    known.to_owned()
}

/// The system's own words, such as `Too many open files (os error 24)`, without the number.
fn without_number(text: &str) -> String {
    let words = text
        .rsplit_once(" (os error ")
        .map_or(text, |(words, _)| words);
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_no_number() {
        let missing = std::fs::File::open("/nowhere/at/all").unwrap_err();
        assert_eq!(reason(&missing), "there is no such file or folder");
        let folder = std::fs::read(std::env::temp_dir()).unwrap_err();
        assert!(!reason(&folder).contains("os error"), "{folder}");
        for (error, said) in [
            (ErrorKind::PermissionDenied.into(), "permission is denied"),
            (
                io::Error::new(ErrorKind::AddrInUse, "another process listens"),
                "another process listens",
            ),
            (io::Error::from(ErrorKind::StorageFull), "the disk is full"),
        ] {
            assert_eq!(reason(&error), said);
        }
        assert_eq!(
            without_number("Too many open files (os error 24)"),
            "Too many open files"
        );
    }
}
