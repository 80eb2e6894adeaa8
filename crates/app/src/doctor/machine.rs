//! Looks at this machine: what the program would start with, and what would be in its way.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::checks::machine as rules;
use super::finding::Findings;
use super::holder::holder;
use crate::program::{Program, Setting};
use crate::settings::auth::Mode;
use crate::settings::{Shared, Transport};
use crate::sources::Sources;
use crate::{confine, file, listen};

/// Settings that name files with secrets: their owner alone reads them.
const SECRET_FILES: [&str; 4] = ["state-keys", "auth-tokens", "audit-key", "tls-key"];

/// A setting that is not at its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Set {
    /// Its flag without dashes.
    pub(crate) setting: String,
    /// Its value; none for a secret.
    pub(crate) value: Option<String>,
    /// Where it comes from: a variable, or a file and a line.
    pub(crate) source: String,
}

/// The settings that are not at their default.
pub(crate) fn settings(program: &Program, sources: &Sources) -> Vec<Set> {
    let set = |setting: &Setting| {
        let source = sources.origins.source(setting.flag())?;
        let value = value(sources, setting.flag())?;
        Some(Set {
            setting: setting.flag().to_owned(),
            value: (!setting.is_secret()).then_some(value),
            source,
        })
    };
    program.settings().iter().filter_map(set).collect()
}

/// The value of a setting, as its source writes it.
pub(crate) fn value(sources: &Sources, flag: &str) -> Option<String> {
    let mut values = Vec::new();
    for argument in &sources.arguments {
        let argument = argument.to_string_lossy();
        let Some(rest) = argument
            .strip_prefix("--")
            .and_then(|rest| rest.strip_prefix(flag))
        else {
            continue;
        };
        match rest.strip_prefix('=') {
            Some(value) => values.push(value.to_owned()),
            None if rest.is_empty() => values.push("true".to_owned()),
            None => {}
        }
    }
    (!values.is_empty()).then(|| values.join(","))
}

/// Judges the settings, and what they name.
pub(crate) async fn check(
    program: &Program,
    shared: &Shared,
    sources: &Sources,
    facts: &mut Vec<(String, String)>,
    found: &mut Findings,
) {
    let over_http = shared.transport != Transport::Stdio;
    files(program, sources, found);
    if over_http {
        certificate(shared, facts, found);
    }
    facts.push(("Confinement".into(), confine::here(shared.confine)));
    if shared.cors_origins.allow_any() && over_http {
        found.add(&rules::ORIGINS, "--cors-origins", "It has '*'.");
    }
    if shared.listen.unix_socket.is_some() {
        return;
    }
    let addresses = match listen::addresses(&shared.host).await {
        Ok(addresses) => addresses,
        Err(error) => {
            found.add(
                &rules::SETTING,
                "--host",
                error.sentence().unwrap_or_default(),
            );
            return;
        }
    };
    port(&addresses, shared, over_http, facts, found);
    let beyond = addresses.iter().any(|address| !address.is_loopback());
    if beyond && over_http {
        let host = format!("--host is '{}'.", shared.host);
        if shared.state_keys.ring().is_none() {
            found.add(&rules::KEYS, "--state-keys", host.clone());
        }
        if shared.auth.auth == Mode::None && !shared.allow_unauthenticated {
            found.add(&rules::UNAUTHENTICATED, "--auth", host);
        }
    }
}

/// Says until when the certificate is good, or why it cannot be used.
fn certificate(shared: &Shared, facts: &mut Vec<(String, String)>, found: &mut Findings) {
    match shared.listen.tls.read() {
        Ok(tls) => {
            if let Some(end) = tls.and_then(|tls| tls.end()) {
                super::certificate::judge(end, "--tls-cert", facts, found);
            }
        }
        Err(error) => found.add(
            &rules::SETTING,
            "--tls-cert",
            error.sentence().unwrap_or_default(),
        ),
    }
}

/// Says whether the port is free, or who has it.
fn port(
    addresses: &[IpAddr],
    shared: &Shared,
    over_http: bool,
    facts: &mut Vec<(String, String)>,
    found: &mut Findings,
) {
    let port = shared.port;
    if port == 0 {
        return;
    }
    let taken = addresses.iter().find(|address| {
        let bound = std::net::TcpListener::bind(SocketAddr::new(**address, port));
        bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
    });
    let Some(address) = taken else {
        facts.push(("Port".into(), format!("{port} is free")));
        return;
    };
    let by = holder(port).map_or_else(String::new, |who| format!(" by {who}"));
    facts.push(("Port".into(), format!("{port} is taken{by}")));
    if over_http {
        let at = SocketAddr::new(*address, port);
        found.add(&rules::PORT, "--port", format!("{at} is taken{by}."));
    }
}

/// Files with secrets that others can read.
fn files(program: &Program, sources: &Sources, found: &mut Findings) {
    let mut judge = |path: &Path, flag: &str, rights: u32| {
        if let Ok(meta) = std::fs::metadata(path)
            && let Some(mode) = file::open_to(&meta, rights)
        {
            let what = format!("{} has the mode {mode:03o}.", path.display());
            found.add(&rules::OPEN, format!("--{flag}"), what);
        }
    };
    for flag in SECRET_FILES {
        if let Some(path) = value(sources, flag) {
            // The group may be that of the server.
            let rights = if flag == "tls-key" { 0o007 } else { 0o077 };
            judge(Path::new(&path), flag, rights);
        }
    }
    if let Some(audit) = value(sources, "audit") {
        judge(Path::new(&audit), "audit", 0o007);
        judge(&PathBuf::from(format!("{audit}.key")), "audit", 0o007);
    }
    // A secret that is written into a file makes a secret of the file.
    for setting in program
        .settings()
        .iter()
        .filter(|setting| setting.is_secret())
    {
        if let Some(path) = sources.origins.file(setting.flag()) {
            judge(path, setting.flag(), 0o077);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::App;
    use crate::sources::Environment;

    #[test]
    fn settings_say_where_they_come_from_and_secrets_hide() {
        #[derive(Debug, clap::Args)]
        struct Own {
            /// A key.
            #[arg(long, hide_env_values = true)]
            herd_key: Option<String>,
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("zebra.toml");
        std::fs::write(
            &file,
            "port = 9000\ncors-origins = [\"loopback\", \"https://a.example\"]\n",
        )
        .unwrap();
        let app = App::new("zebra-2", "1.0.0").settings::<Own>();
        let program = app.program();
        let environment: Environment = [
            ("ZEBRA_2_HERD_KEY", "very secret"),
            ("ZEBRA_2_ALLOW_UNAUTHENTICATED", "true"),
        ]
        .into_iter()
        .collect();
        let sources = app.sources_for_test(
            &program,
            &["--config", file.to_str().unwrap()],
            &environment,
        );
        let set = settings(&program, &sources);
        let of = |flag: &str| set.iter().find(|one| one.setting == flag).unwrap();
        assert_eq!(of("port").value.as_deref(), Some("9000"));
        assert_eq!(of("port").source, format!("{}, line 1", file.display()));
        assert_eq!(
            of("cors-origins").value.as_deref(),
            Some("loopback,https://a.example")
        );
        assert_eq!(of("allow-unauthenticated").value.as_deref(), Some("true"));
        assert_eq!(
            of("herd-key"),
            &Set {
                setting: "herd-key".into(),
                value: None,
                source: "ZEBRA_2_HERD_KEY".into(),
            }
        );
        assert!(!set.iter().any(|one| one.setting == "host"));
    }
}
