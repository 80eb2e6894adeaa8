//! What Linux tells about a process and the machine, read from `/proc`.

use std::fs;
use std::time::Duration;

use crate::Result;

/// `/proc` counts CPU time in ticks of 1/100 s on every architecture that runs here (`USER_HZ`).
const TICK_MILLIS: u64 = 10;

/// User and system time of a process, threads that ended included.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let [user, system, ..] = cpu_ticks(&fs::read_to_string(format!("/proc/{pid}/stat"))?)?;
    Ok(Duration::from_millis(TICK_MILLIS * (user + system)))
}

/// The same with all children that it waited for.
pub(crate) fn cpu_time_with_children(pid: u32) -> Result<Duration> {
    let ticks = cpu_ticks(&fs::read_to_string(format!("/proc/{pid}/stat"))?)?;
    let ticks: u64 = ticks.iter().sum();
    Ok(Duration::from_millis(TICK_MILLIS * ticks))
}

/// User and system time, then those of the children.
fn cpu_ticks(stat: &str) -> Result<[u64; 4]> {
    // The second field is the command's name in brackets and may hold anything, brackets and blanks included.
    let (_, fields) = stat.rsplit_once(')').ok_or("a stat line without a name")?;
    let mut ticks = [0; 4];
    let mut fields = fields.split_ascii_whitespace().skip(11);
    for tick in &mut ticks {
        *tick = fields.next().ok_or("a short stat line")?.parse()?;
    }
    Ok(ticks)
}

/// CPU time that all processes together used, and that the hypervisor gave to others.
pub(crate) fn machine_cpu_time() -> Result<Duration> {
    parse_machine_cpu_time(&fs::read_to_string("/proc/stat")?)
}

fn parse_machine_cpu_time(stat: &str) -> Result<Duration> {
    let line = stat.lines().next().ok_or("an empty /proc/stat")?;
    let ticks: Vec<u64> = line
        .split_ascii_whitespace()
        .skip(1)
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?;
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else {
        return Err("a short line in /proc/stat".into());
    };
    let busy = user + nice + system + irq + softirq + steal;
    Ok(Duration::from_millis(TICK_MILLIS * busy))
}

/// Resident memory in KiB, as it is now.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// The most resident memory the process ever had, in KiB.
pub(crate) fn peak_resident_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:")
}

fn status_kib(pid: u32, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .ok_or_else(|| format!("process {pid} shows no {field} (has it ended?)"))?;
    Ok(value.trim().parse()?)
}

/// Processor, number of CPUs, kernel and load, in one line.
pub(crate) fn machine() -> Result<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, name)| name);
    let cpus = std::thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    let kernel = kernel.trim();
    Ok(format!(
        "{model}, {cpus} CPUs, Linux {kernel}, load average {load} at the start"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_a_hostile_name() -> Result<()> {
        let stat = "17 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 25 3 4 20 0 3 0 99";
        assert_eq!(cpu_ticks(stat)?, [150, 25, 3, 4]);
        Ok(())
    }

    #[test]
    fn machine_time_leaves_out_idle_and_guest() -> Result<()> {
        let stat = "cpu  1 2 4 1000 1000 8 16 32 1000 0\ncpu0 9 9 9 9 9 9 9 9 9 9\n";
        assert_eq!(parse_machine_cpu_time(stat)?, Duration::from_millis(630));
        Ok(())
    }

    #[test]
    fn own_process_is_visible() -> Result<()> {
        let pid = std::process::id();
        assert!(resident_kib(pid)? > 0);
        // In this order: it grows while it is looked at.
        let resident = resident_kib(pid)?;
        assert!(peak_resident_kib(pid)? >= resident);
        cpu_time(pid)?;
        Ok(())
    }
}
