//! The memory of a process.

/// The most memory that the process has had so far, in KiB.
pub(crate) fn peak_memory(pid: u32) -> u64 {
    memory(pid, "VmHWM:")
}

/// The memory that the process has now, in KiB.
pub(crate) fn resident_memory(pid: u32) -> u64 {
    memory(pid, "VmRSS:")
}

fn memory(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a living process");
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .expect("a size");
    size.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number of KiB")
}
