//! Which process has an address or a Unix socket, as far as Linux shows it in `/proc`.
//!
//! Sockets of other users are seen, their processes are not: then the user is all that can be said.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::output::visible;

/// Time for the look: a busy machine has many processes, and the answer is a courtesy.
const PATIENCE: Duration = Duration::from_millis(300);

/// The state of a socket that listens.
const LISTEN: &str = "0A";

/// Who listens at an address, as what follows "by" in a sentence: `python3 (process 4242)`.
pub(super) fn of_address(address: SocketAddr) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok());
    let found = tables.into_iter().find_map(|table| {
        let mut sockets = table.lines().skip(1).filter_map(Socket::parse);
        sockets.find(|socket| socket.is_in_the_way_of(address))
    })?;
    match process_of(&found.inode) {
        Some(process) => Some(process),
        None => Some(format!(
            "a process of the user with the number {}",
            found.user
        )),
    }
}

/// Who has a Unix socket of this path.
pub(super) fn of_path(path: &Path) -> Option<String> {
    let table = fs::read_to_string("/proc/net/unix").ok()?;
    let inode = table.lines().skip(1).find_map(|line| {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        (Path::new(*fields.get(7)?) == path).then(|| fields[6].to_owned())
    })?;
    process_of(&inode)
}

/// A TCP socket that listens.
#[derive(Debug)]
struct Socket {
    address: SocketAddr,
    user: String,
    inode: String,
}

impl Socket {
    /// Reads a line of `/proc/net/tcp` or `tcp6` (proc_net_tcp of the kernel's documentation).
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let (address, port) = fields.get(1)?.split_once(':')?;
        let ip = match address.len() {
            8 => IpAddr::from(Ipv4Addr::from(word(address)?)),
            32 => {
                let mut octets = [0; 16];
                for (at, octets) in octets.chunks_exact_mut(4).enumerate() {
                    octets.copy_from_slice(&word(address.get(at * 8..at * 8 + 8)?)?);
                }
                Ipv6Addr::from(octets).into()
            }
            _ => return None,
        };
        (*fields.get(3)? == LISTEN).then_some(Self {
            address: SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?),
            user: (*fields.get(7)?).to_owned(),
            inode: (*fields.get(9)?).to_owned(),
        })
    }

    /// Whether nobody else can listen at an address because of it.
    fn is_in_the_way_of(&self, address: SocketAddr) -> bool {
        let ip = self.address.ip().to_canonical();
        self.address.port() == address.port()
            && (ip == address.ip() || ip.is_unspecified() || address.ip().is_unspecified())
    }
}

/// Four bytes of an address, which the kernel prints as a number of this machine.
fn word(hex: &str) -> Option<[u8; 4]> {
    u32::from_str_radix(hex, 16).ok().map(u32::to_ne_bytes)
}

/// The process that has a socket open, by name and number, if this user may see it.
fn process_of(inode: &str) -> Option<String> {
    let socket = format!("socket:[{inode}]");
    let end = Instant::now() + PATIENCE;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        if Instant::now() > end {
            return None;
        }
        let number = process.file_name();
        let Some(number) = number.to_str().filter(|name| name.parse::<u32>().is_ok()) else {
            continue;
        };
        let Ok(open) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let mut open = open
            .flatten()
            .filter_map(|open| fs::read_link(open.path()).ok());
        if open.any(|open| open.as_os_str() == socket.as_str()) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            // A process calls itself what it likes.
            let name = visible(name.trim_end());
            return Some(format!("{name} (process {number})"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_at_what_it_listens_on() {
        let me = format!("(process {})", std::process::id());
        for host in ["127.0.0.1", "0.0.0.0"] {
            let listener = std::net::TcpListener::bind((host, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let at = |host: &str| of_address(SocketAddr::new(host.parse().unwrap(), port));
            let found = at("127.0.0.1").unwrap();
            assert!(found.ends_with(&me), "{found}");
            drop(listener);
            assert_eq!(at("127.0.0.1"), None);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(of_path(&path).unwrap().ends_with(&me));
        assert_eq!(of_path(&folder.path().join("y.sock")), None);
    }

    #[test]
    fn a_line_of_the_kernel_is_read() {
        let line = "   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000   100        0 81234 1 0000000000000000 100 0 0 10 0";
        // The bytes of a number stand the other way round elsewhere.
        if cfg!(target_endian = "little") {
            let socket = Socket::parse(line).unwrap();
            assert_eq!(socket.address, "[::1]:8080".parse().unwrap());
            assert_eq!((&*socket.user, &*socket.inode), ("100", "81234"));
            assert!(socket.is_in_the_way_of("[::1]:8080".parse().unwrap()));
            assert!(!socket.is_in_the_way_of("127.0.0.1:8080".parse().unwrap()));
        }
        for other in ["", "sl local_address", &line.replace(" 0A ", " 01 ")] {
            assert!(Socket::parse(other).is_none(), "{other}");
        }
    }
}
