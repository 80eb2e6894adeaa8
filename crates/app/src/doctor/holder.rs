//! Who listens on a port of this machine: what Linux shows of the user's own processes, and of all to root.

/// The process that listens on this port, as "NAME (process 123)"; none where that cannot be seen.
#[cfg(target_os = "linux")]
pub(crate) fn holder(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let texts = tables
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok());
    let inodes: Vec<_> = texts.flat_map(|text| listening(&text, port)).collect();
    let sockets: Vec<_> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if sockets.is_empty() {
        return None;
    }
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(open) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let mut targets = open
            .flatten()
            .filter_map(|one| std::fs::read_link(one.path()).ok());
        if targets.any(|target| {
            sockets
                .iter()
                .any(|socket| target.as_os_str() == socket.as_str())
        }) {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {pid})", name.trim()));
        }
    }
    None
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn holder(_: u16) -> Option<String> {
    None
}

/// The inodes of the sockets in a table of the kernel (proc(5)) that listen on this port.
#[cfg(target_os = "linux")]
fn listening(table: &str, port: u16) -> Vec<String> {
    /// `TCP_LISTEN`.
    const LISTEN: &str = "0A";
    let row = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(local, 16) == Ok(port) && *fields.get(3)? == LISTEN;
        is_it.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    };
    table.lines().skip(1).filter_map(row).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_listener_of_our_own_is_found() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let held = holder(port).unwrap();
        assert!(
            held.ends_with(&format!("(process {})", std::process::id())),
            "{held}"
        );
        drop(listener);
        assert_eq!(holder(port), None);
    }

    #[test]
    fn a_table_is_read_by_its_columns() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n\
            \x20  1: 0100007F:1F40 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1\n";
        assert_eq!(listening(table, 8000), ["4711"]);
        assert!(listening(table, 8001).is_empty() && listening("", 8000).is_empty());
    }
}
