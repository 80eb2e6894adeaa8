//! The settings of `run_python_code`, and what they set up.

use std::time::Duration;

use clap::{Args, ValueEnum};
use pymcp_app::value::{seconds, whole};
use pymcp_app::{Error, Result};
use pymcp_python::{Config, Isolation, Limits, Pool, Sandbox};

use crate::tools::run_python_code::Python;

/// How untrusted Python is run, and what one run may use.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = HEADING)]
pub struct PythonSettings {
    /// Runs at once, 1 to 64; `auto` is one for each CPU.
    #[arg(long = "python-workers", hide_short_help = true, default_value = "auto", value_name = "N", value_parser = workers)]
    workers: Workers,

    /// Runs that may wait for a worker, 0 to 10000; one more is refused. Callers take turns, and share the queue.
    #[arg(long = "python-queue", hide_short_help = true, default_value = "64", value_name = "N", value_parser = queue)]
    queue: usize,

    /// Seconds that a run may wait for a worker, 1 to 600.
    #[arg(long = "python-queue-timeout", hide_short_help = true, default_value = "10", value_name = "SECONDS", value_parser = queue_time)]
    queue_time: Duration,

    /// Where the process of a run comes from: `session` forks one that has the interpreter ready (Linux), `process` starts the program for each.
    #[arg(
        hide_short_help = true,
        long = "python-isolation",
        default_value = "session",
        value_name = "NAME"
    )]
    isolation: IsolationName,

    /// What to do where the operating system lacks a layer of the sandbox: run with the others
    /// (`best-effort`), or don't start at all (`require`).
    #[arg(
        hide_short_help = true,
        long = "python-sandbox",
        default_value = "best-effort",
        value_name = "NAME"
    )]
    sandbox: SandboxName,

    /// Seconds that a run may take, 1 to 60.
    #[arg(long = "python-timeout", hide_short_help = true, default_value = "5", value_name = "SECONDS", value_parser = time)]
    time: Duration,

    /// Memory that a run may use in MiB, 8 to 256.
    #[arg(long = "python-memory", hide_short_help = true, default_value = "64", value_name = "MIB", value_parser = memory)]
    memory: usize,

    /// Size of the code in KiB, 1 to 256; also of the type definitions.
    #[arg(long = "python-code-size", hide_short_help = true, default_value = "64", value_name = "KIB", value_parser = code_size)]
    source: usize,

    /// Size of all inputs as JSON in KiB, 1 to 1024; a message of the protocol has 1 MiB at most.
    #[arg(long = "python-inputs-size", hide_short_help = true, default_value = "1024", value_name = "KIB", value_parser = inputs_size)]
    inputs: usize,

    /// Size of the value as JSON in KiB, 1 to 4096.
    #[arg(long = "python-value-size", hide_short_help = true, default_value = "1024", value_name = "KIB", value_parser = data_size)]
    value: usize,

    /// Size of the printed output in KiB, 1 to 4096; what is beyond is dropped.
    #[arg(long = "python-output-size", hide_short_help = true, default_value = "1024", value_name = "KIB", value_parser = data_size)]
    output: usize,

    /// Python calls inside each other, 10 to 1000.
    #[arg(long = "python-recursion", hide_short_help = true, default_value = "1000", value_name = "N", value_parser = recursion)]
    recursion: usize,

    /// Offset from UTC of the time that code sees, such as +05:30.
    #[arg(long = "python-utc-offset", hide_short_help = true, default_value = "+00:00", value_name = "OFFSET", value_parser = utc_offset, allow_hyphen_values = true)]
    utc_offset: i32,

    /// Calls of host functions in one run, 0 to 10000.
    #[arg(long = "python-host-calls", hide_short_help = true, default_value = "100", value_name = "N", value_parser = host_calls)]
    host_calls: usize,
}

/// Under what the help lists these settings.
pub const HEADING: &str = "Python";

impl PythonSettings {
    /// What `run_python_code` needs. Starts nothing, unless the whole sandbox is required and has to be tried.
    ///
    /// # Errors
    /// When a layer of the sandbox is required and the operating system lacks it.
    pub async fn set_up(&self) -> Result<Python> {
        let python = self.python();
        if self.sandbox == SandboxName::Require {
            let found = python.pool.probe().await;
            found.map_err(|failure| {
                Error::other(format!(
                    "--python-sandbox is 'require', and {}",
                    failure.message
                ))
            })?;
        }
        Ok(python)
    }

    fn python(&self) -> Python {
        let defaults = Config::default();
        let config = Config {
            workers: self.workers.0.unwrap_or(defaults.workers),
            queue: self.queue,
            queue_time: self.queue_time,
            isolation: match self.isolation {
                IsolationName::Session => Isolation::Session,
                IsolationName::Process => Isolation::Process,
            },
            sandbox: match self.sandbox {
                SandboxName::BestEffort => Sandbox::BestEffort,
                SandboxName::Require => Sandbox::Require,
            },
            utc_offset: self.utc_offset,
            ..defaults
        };
        let limits = Limits {
            source: self.source,
            inputs: self.inputs,
            value: self.value,
            output: self.output,
            time: self.time,
            memory: self.memory,
            recursion: self.recursion,
            host_calls: self.host_calls,
        };
        Python {
            pool: Pool::new(config),
            limits,
            // Long enough that the pool is the one to say what took too long.
            timeout: self.queue_time + self.time + Duration::from_secs(60),
            ..Python::default()
        }
    }
}

/// A number of workers, or as many as there are CPUs.
#[derive(Debug, Clone, Copy)]
struct Workers(Option<usize>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum IsolationName {
    Session,
    Process,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SandboxName {
    BestEffort,
    Require,
}

fn workers(text: &str) -> Result<Workers, String> {
    match text.trim() {
        "auto" => Ok(Workers(None)),
        number => count(number, 1, 64)
            .map(|number| Workers(Some(number)))
            .map_err(|allowed| format!("auto or {allowed}")),
    }
}

fn queue(text: &str) -> Result<usize, String> {
    count(text, 0, 10_000)
}

fn queue_time(text: &str) -> Result<Duration, String> {
    seconds(text, 1, 600)
}

fn time(text: &str) -> Result<Duration, String> {
    seconds(text, 1, Limits::MAX.time.as_secs())
}

fn memory(text: &str) -> Result<usize, String> {
    Ok(count(text, 8, (Limits::MAX.memory >> 20) as u64)? << 20)
}

fn code_size(text: &str) -> Result<usize, String> {
    Ok(count(text, 1, (Limits::MAX.source >> 10) as u64)? << 10)
}

fn inputs_size(text: &str) -> Result<usize, String> {
    Ok(count(text, 1, 1024)? << 10)
}

fn data_size(text: &str) -> Result<usize, String> {
    Ok(count(text, 1, (Limits::MAX.value >> 10) as u64)? << 10)
}

fn recursion(text: &str) -> Result<usize, String> {
    count(text, 10, Limits::MAX.recursion as u64)
}

fn host_calls(text: &str) -> Result<usize, String> {
    count(text, 0, Limits::MAX.host_calls as u64)
}

/// Seconds east of UTC, as RFC 3339 writes an offset.
fn utc_offset(text: &str) -> Result<i32, String> {
    let read = |text: &str| -> Option<i32> {
        let sign = match text.get(..1)? {
            "+" => 1,
            "-" => -1,
            _ => return None,
        };
        let (hours, minutes) = text[1..].split_once(':')?;
        let two = |digits: &str, most| {
            let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits
                .parse::<i32>()
                .ok()
                .filter(|number| plain && *number <= most)
        };
        Some(sign * (two(hours, 23)? * 3600 + two(minutes, 59)? * 60))
    };
    match text.trim() {
        "Z" | "UTC" => Ok(0),
        offset => read(offset).ok_or_else(|| "UTC or an offset such as +05:30 or -03:00".into()),
    }
}

fn count(text: &str, least: u64, most: u64) -> Result<usize, String> {
    let number = whole(text, least, most, "")?;
    usize::try_from(number).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::utc_offset;

    #[test]
    fn an_offset_has_hours_and_minutes() {
        for (text, seconds) in [
            ("+00:00", 0),
            ("UTC", 0),
            ("Z", 0),
            ("+05:30", 19_800),
            (" -03:30 ", -12_600),
            ("+23:59", 86_340),
        ] {
            assert_eq!(utc_offset(text), Ok(seconds), "{text}");
        }
        for text in [
            "",
            "+",
            "5",
            "05:30",
            "+5:30",
            "+24:00",
            "+00:60",
            "+é:00",
            "+-1:00",
            "Asia/Kolkata",
        ] {
            assert!(utc_offset(text).is_err(), "{text}");
        }
    }
}
