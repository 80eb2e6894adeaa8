//! Values of settings, from text: functions for clap's `value_parser` whose errors say what is allowed.
//!
//! An error is what follows `but must be` in a sentence, as in `--port is 'x', but must be a whole number from 0 to
//! 65535.`

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use pymcp_kit::limits::{BadRate, Rate};
use pymcp_kit::transport::http::{BadPath, Hosts, Origins, PathPrefix};

use super::limits::AtMost;

/// A name of a host or an IP address, at most 253 characters.
///
/// # Errors
/// What is allowed.
pub fn host(text: &str) -> Result<String, String> {
    let plain = text.trim();
    let name = !plain.is_empty()
        && plain.len() <= 253
        && plain
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    match name || plain.parse::<IpAddr>().is_ok() {
        true => Ok(plain.to_owned()),
        false => Err("a host name or an IP address".into()),
    }
}

/// Whole seconds from `least` to `most`.
///
/// # Errors
/// What is allowed.
pub fn seconds(text: &str, least: u64, most: u64) -> Result<Duration, String> {
    whole(text, least, most, "seconds ").map(Duration::from_secs)
}

/// A whole number of `what` (`"seconds "`, with its space, or nothing) from `least` to `most`.
///
/// # Errors
/// What is allowed.
pub fn whole(text: &str, least: u64, most: u64, what: &str) -> Result<u64, String> {
    match text.trim().parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => {
            let of = if what.is_empty() { "" } else { "of " };
            Err(format!("a whole number {of}{what}from {least} to {most}"))
        }
    }
}

/// true or false; also 1, yes and on, 0, no and off, in any case.
///
/// # Errors
/// What is allowed.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("true or false".into()),
    }
}

pub(super) fn path_prefix(text: &str) -> Result<PathPrefix, String> {
    text.parse()
        .map_err(|bad: BadPath| format!("a path such as /team-a: {bad}"))
}

pub(super) fn hosts(text: &str) -> Result<Hosts, String> {
    Hosts::parse(text).map_err(|bad| {
        format!("a comma-separated list of host names, with or without ports, and patterns such as *.example.com: {bad}")
    })
}

pub(super) fn origins(text: &str) -> Result<Origins, String> {
    Origins::parse(text).map_err(|bad| {
        format!(
            "a comma-separated list of loopback, * and origins such as https://app.example: {bad}"
        )
    })
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.trim()
        .parse()
        .map_err(|_| "a whole number from 0 to 65535".into())
}

pub(super) fn metrics_address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    let local = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    local
        .as_deref()
        .unwrap_or(text)
        .parse()
        .map_err(|_| "an IP address or localhost, and a port, such as 127.0.0.1:9464".into())
}

pub(super) fn ttl(text: &str) -> Result<Duration, String> {
    seconds(text, 0, 86_400)
}

pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    seconds(text, 1, 3600)
}

pub(super) fn rate(text: &str) -> Result<AtMost<Rate>, String> {
    or_off(text, |text| {
        text.parse().map_err(|bad: BadRate| bad.to_string())
    })
}

pub(super) fn at_most(text: &str) -> Result<AtMost<usize>, String> {
    or_off(text, |text| {
        let calls = whole(text, 1, 10_000, "")?;
        // It fits on every platform.
        Ok(usize::try_from(calls).unwrap_or(usize::MAX))
    })
}

fn or_off<T>(
    text: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<AtMost<T>, String> {
    match text.trim().eq_ignore_ascii_case("off") {
        true => Ok(AtMost(None)),
        false => read(text)
            .map(|limit| AtMost(Some(limit)))
            .map_err(|allowed| format!("off, or {allowed}")),
    }
}

pub(super) fn tool_budget(text: &str) -> Result<(String, Rate), String> {
    let read = || {
        let (name, rate) = text.split_once('=')?;
        let name = name.trim();
        (!name.is_empty()).then_some((name.to_owned(), rate.parse().ok()?))
    };
    read().ok_or_else(|| format!("a tool and its rate, such as search=10/min: {BadRate}"))
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_an_address_and_a_port() {
        for (text, address) in [
            ("127.0.0.1:9464", "127.0.0.1:9464"),
            ("localhost:0", "127.0.0.1:0"),
            (" [::1]:80 ", "[::1]:80"),
            ("0.0.0.0:9464", "0.0.0.0:9464"),
        ] {
            assert_eq!(metrics_address(text).unwrap().to_string(), address);
        }
        for bad in [
            "",
            "9464",
            ":9464",
            "localhost",
            "example.org:9464",
            "127.0.0.1:99999",
        ] {
            assert!(metrics_address(bad).is_err(), "{bad}");
        }
    }
}
