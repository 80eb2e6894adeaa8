//! `text_web_search`: the real binary and a real client, with engines on loopback.

mod client;
#[cfg(target_os = "linux")]
mod dials;
mod wire;

use pymcp_egress::testing::Loopback;
use pymcp_search::testing as site;

/// Settings that lead every engine to `server`, and ask only the keyless ones unless others are set up.
fn settings(server: &Loopback) -> Vec<(&'static str, String)> {
    let urls = site::urls(server);
    let keyless = urls.iter().filter(|(name, _)| *name != "searxng");
    let urls: Vec<_> = keyless.map(|(name, url)| format!("{name}={url}")).collect();
    vec![
        ("PYMCP_SEARCH_URLS", urls.join(",")),
        ("PYMCP_SEARCH_PRIVATE_HOSTS", "127.0.0.1".to_owned()),
        ("PYMCP_SEARCH_INTERVAL", "0".to_owned()),
        // No test waits that long; a busy machine may need more than the usual five.
        ("PYMCP_SEARCH_TIMEOUT", "60".to_owned()),
        ("PYMCP_SEARCH_ENGINE_TIMEOUT", "30".to_owned()),
    ]
}

/// Settings as a server under test takes them.
fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    let settings = settings.iter();
    settings
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}
