//! Why nothing can be listened on, and the flags that help.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::Error;
use pymcp_kit::reason::reason;

#[cfg(target_os = "linux")]
use super::holder;
#[cfg(target_os = "linux")]
use crate::confine;

/// Below these the system asks for a privilege, unless it was told otherwise.
const UNPRIVILEGED: u16 = 1024;

/// An address that cannot be listened on: one of `all` that `host` stands for.
pub(super) fn address(host: &str, at: SocketAddr, all: &[IpAddr], error: &io::Error) -> Error {
    let (why, hint) = of_port(at, error, "--port");
    let part = match all.len() {
        1 => String::new(),
        _ => {
            let all: Vec<_> = all.iter().map(ToString::to_string).collect();
            let all = all.join(" and ");
            format!(
                "; '{host}' is {all}: choose another --port, or one of these addresses as --host"
            )
        }
    };
    let error = Error::other(format!("Cannot listen on {at}: {why}{part}."));
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The address of the metrics, which cannot be listened on.
pub(crate) fn metrics(at: SocketAddr, error: &io::Error) -> Error {
    let (why, hint) = of_port(at, error, "--metrics-address HOST:PORT with port");
    let error = Error::other(format!("Cannot listen on {at} (--metrics-address): {why}."));
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// What is the matter with an address and its port, and a way out of it: `flag` is what a port is given with.
fn of_port(at: SocketAddr, error: &io::Error, flag: &str) -> (String, Option<String>) {
    let port = at.port();
    match error.kind() {
        ErrorKind::AddrInUse => {
            let why = match holder_of(at) {
                Some(holder) => format!("port {port} is in use by {holder}"),
                None => format!("port {port} is in use"),
            };
            let next = match port.checked_add(1) {
                Some(next) if next > UNPRIVILEGED => format!(", {flag} {next} the next one"),
                _ => String::new(),
            };
            (why, Some(format!("{flag} 0 takes a free port{next}.")))
        }
        ErrorKind::PermissionDenied if port < UNPRIVILEGED => (
            format!("this user may not listen on a port below {UNPRIVILEGED}"),
            Some(format!(
                "{flag} 8000 needs no privilege; a proxy, or the system's service manager, can bring port {port} to it."
            )),
        ),
        ErrorKind::AddrNotAvailable => (
            reason(error),
            Some(
                "--host localhost serves this machine alone, --host 0.0.0.0 listens on all addresses that it has."
                    .to_owned(),
            ),
        ),
        _ => (reason(error), None),
    }
}

/// A Unix socket that cannot be listened on.
#[cfg_attr(not(unix), allow(dead_code))]
pub(super) fn unix(path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    let mut why = reason(error);
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let hint = match error.kind() {
        ErrorKind::AddrInUse => {
            if let Some(holder) = holder_of_socket(path) {
                why = format!("{why}: {holder}");
            }
            Some("--unix-socket takes another path, or stop what is there.".to_owned())
        }
        ErrorKind::NotFound => folder.map(|folder| {
            why = format!("there is no folder {}", folder.display());
            format!("mkdir -p {} makes it.", folder.display())
        }),
        ErrorKind::PermissionDenied => Some(
            "The folder of a socket has to be one that this user may write to, such as one in /run that a service manager \
             makes."
                .to_owned(),
        ),
        _ => None,
    };
    let error = Error::other(format!("Cannot listen on {shown} (--unix-socket): {why}."));
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(target_os = "linux")]
fn holder_of(at: SocketAddr) -> Option<String> {
    confine::look(move || holder::of_address(at))
}

#[cfg(target_os = "linux")]
fn holder_of_socket(path: &Path) -> Option<String> {
    let path = path.to_owned();
    confine::look(move || holder::of_path(&path))
}

#[cfg(not(target_os = "linux"))]
fn holder_of(_: SocketAddr) -> Option<String> {
    None
}

#[cfg(not(target_os = "linux"))]
fn holder_of_socket(_: &Path) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(at: &str, error: ErrorKind) -> String {
        let at: SocketAddr = at.parse().unwrap();
        address("x", at, &[at.ip()], &error.into()).text().unwrap()
    }

    #[test]
    fn a_port_that_is_taken_or_privileged_and_an_address_of_another_machine_have_a_way_out() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        let in_use = said(&at.to_string(), ErrorKind::AddrInUse);
        let start = format!("Cannot listen on {at}: port {} is in use", at.port());
        assert!(in_use.starts_with(&start), "{in_use}");
        assert!(
            in_use.contains("\n  --port 0 takes a free port"),
            "{in_use}"
        );
        #[cfg(target_os = "linux")]
        assert!(
            in_use.contains(&format!("(process {})", std::process::id())),
            "{in_use}"
        );
        assert_eq!(
            said("127.0.0.1:443", ErrorKind::PermissionDenied),
            "Cannot listen on 127.0.0.1:443: this user may not listen on a port below 1024.\n  --port 8000 needs no \
             privilege; a proxy, or the system's service manager, can bring port 443 to it."
        );
        let elsewhere = said("192.0.2.1:8000", ErrorKind::AddrNotAvailable);
        assert!(
            elsewhere.starts_with("Cannot listen on 192.0.2.1:8000: this machine does not have the address.\n  --host localhost"),
            "{elsewhere}"
        );
        let other = said("127.0.0.1:8000", ErrorKind::OutOfMemory);
        assert_eq!(other.lines().count(), 1, "{other}");
    }

    #[test]
    fn a_socket_without_a_folder_says_how_to_make_one() {
        let error = unix(Path::new("/nowhere/x.sock"), &ErrorKind::NotFound.into());
        assert_eq!(
            error.text().unwrap(),
            "Cannot listen on /nowhere/x.sock (--unix-socket): there is no folder /nowhere.\n  mkdir -p /nowhere makes it."
        );
    }
}
