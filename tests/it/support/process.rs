//! What stands below a process, and what it takes.

/// The processes that the process has started and not waited for.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let parent = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before may hold spaces and parentheses.
        let fields = stat.rsplit(')').next()?;
        fields.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&child| parent(child) == Some(pid))
        .collect()
}

/// The memory that the process has now, in KiB.
pub(crate) fn resident_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a living process");
    let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = size.expect("a size").trim().trim_end_matches(" kB");
    size.parse().expect("a number of KiB")
}
