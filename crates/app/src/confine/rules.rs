//! What a process may still do once it is confined: derived from effects and settings alone, without a look at the machine,
//! so that the same server has the same rules everywhere. Only a store that is a cluster says itself where its nodes are.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use pymcp_kit::Effect;
use pymcp_kit::component::Registry;
use serde_json::{Value, json};

use super::Mode;
use crate::settings::auth::Mode as Auth;
#[cfg(feature = "otlp")]
use crate::settings::web;
use crate::settings::{Shared, Transport};

/// Ports of hosts that are named without one: of HTTPS and HTTP.
const WEB: [u16; 2] = [443, 80];

/// Where names are looked up if an answer does not fit into a datagram (RFC 7766).
const DNS: u16 = 53;

/// Where the keys of an issuer are, as far as that is not known before it says so.
const HTTPS: u16 = 443;

/// What is allowed; everything else that the kernel can refuse is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Files, and folders with all below them, that are read.
    pub(crate) reads: BTreeSet<PathBuf>,
    /// Files, and folders with all below them, that are written, made and removed.
    pub(crate) writes: BTreeSet<PathBuf>,
    /// Files that are read again under the same name, where another file may have been moved.
    pub(crate) rereads: BTreeSet<PathBuf>,
    /// Logs that are appended to, renamed and begun anew.
    pub(crate) logs: BTreeSet<PathBuf>,
    /// Files that are removed at the end.
    pub(crate) removes: BTreeSet<PathBuf>,
    /// Programs that are run: paths, or names that are looked up.
    pub(crate) programs: BTreeSet<String>,
    /// Whether this program is run again, by workers that confine themselves further.
    pub(crate) workers: bool,
    /// TCP ports that are connected to. Without one nothing is connected to at all.
    pub(crate) ports: BTreeSet<u16>,
    /// Whether names of hosts are looked up.
    pub(crate) names: bool,
    /// Whether the store that replicas share is a Unix socket.
    pub(crate) store_socket: bool,
    /// Whether lines of the log have the local time; that is so in a terminal alone, and therefore not in the manifest.
    pub(crate) local_time: bool,
}

impl Rules {
    /// What the enabled components need.
    pub(crate) fn of_components(registry: &Registry) -> Self {
        let mut rules = Self::default();
        let tools = registry.tools().map(|one| one.settings());
        let resources = registry.resources().map(|one| one.settings());
        let templates = registry.templates().map(|one| one.settings());
        let prompts = registry.prompts().map(|one| one.settings());
        let all = tools.chain(resources).chain(templates).chain(prompts);
        rules.effects(all.flat_map(|settings| &settings.effects));
        rules
    }

    /// Adds what these effects need. What is only this process's own, such as the time or its environment, needs nothing
    /// here.
    pub(crate) fn effects<'a>(&mut self, effects: impl IntoIterator<Item = &'a Effect>) {
        for effect in effects {
            match effect {
                Effect::Network(host) => self.connect(host, &WEB),
                Effect::RunsUntrustedCode => self.workers = true,
                Effect::ReadsFiles(path) => _ = self.reads.insert(path.into()),
                Effect::WritesFiles(path) => _ = self.writes.insert(path.into()),
                Effect::Spawns(program) => _ = self.programs.insert(program.clone()),
                _ => {}
            }
        }
    }

    /// Adds ports of the hosts that are reached. Without a host there is no network, and no port.
    pub(crate) fn add_ports(&mut self, ports: &BTreeSet<u16>) {
        if !self.ports.is_empty() {
            self.ports.extend(ports);
        }
    }

    /// Adds what the settings need while it serves. What is read at the start alone needs nothing.
    pub(crate) fn settings(&mut self, shared: &Shared) {
        self.logs.extend(shared.audit.audit.clone());
        #[cfg(feature = "otlp")]
        if let Some((host, port)) = shared.otlp.endpoint().and_then(web::place) {
            self.connect(&host, &[port]);
        }
        // A connection that is lost is made again.
        #[cfg(feature = "redis")]
        {
            self.store_socket = shared.store.is_socket();
            for (host, port) in shared.store.hosts() {
                self.connect(&host, &[port]);
            }
        }
        if shared.transport == Transport::Stdio {
            return;
        }
        self.removes.extend(shared.listen.unix_socket.clone());
        self.rereads.extend(shared.listen.tls.files().cloned());
        match shared.auth.auth {
            Auth::None => {}
            Auth::Token => self.rereads.extend(shared.auth.auth_tokens.clone()),
            Auth::Jwt => {
                for (host, port) in shared.jwt.places() {
                    self.connect(&host, &[port]);
                }
                // Where the keys are is known when the issuer has said so.
                if !shared.jwt.names_keys() {
                    self.ports.extend([HTTPS, DNS]);
                    self.names = true;
                }
            }
        }
    }

    /// Adds a host, as URLs have it.
    fn connect(&mut self, host: &str, ports: &[u16]) {
        self.ports.extend(ports);
        let address = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if address.unwrap_or(host).parse::<IpAddr>().is_err() {
            self.ports.insert(DNS);
            self.names = true;
        }
    }

    /// Whether other programs, or this one again, are run.
    pub(crate) fn runs(&self) -> bool {
        self.workers || !self.programs.is_empty()
    }

    /// Whether sockets of this machine are used. Their files are no files to Landlock: who writes files, or runs programs
    /// that do, may mean one.
    pub(crate) fn uses_unix_sockets(&self) -> bool {
        self.runs() || !self.writes.is_empty() || self.store_socket
    }

    /// Whether something is connected to.
    pub(crate) fn connects(&self) -> bool {
        !self.ports.is_empty()
    }

    /// Whether files are made, changed or removed.
    pub(crate) fn changes_files(&self) -> bool {
        self.runs() || !(self.writes.is_empty() && self.logs.is_empty() && self.removes.is_empty())
    }

    /// Whether any file is opened.
    pub(crate) fn opens_files(&self) -> bool {
        let reads = !(self.reads.is_empty() && self.rereads.is_empty());
        reads || self.local_time || self.connects() || self.changes_files()
    }

    /// The rules as the manifest and the log have them, with nothing of this machine.
    pub(crate) fn to_value(&self, mode: Mode) -> Value {
        if mode == Mode::Off {
            return json!({ "mode": mode.as_str() });
        }
        let paths = |paths: &BTreeSet<PathBuf>| -> Vec<_> { paths.iter().map(shown).collect() };
        json!({
            "mode": mode.as_str(),
            "reads": paths(&self.reads),
            "writes": paths(&self.writes),
            "rereads": paths(&self.rereads),
            "logs": paths(&self.logs),
            "removes": paths(&self.removes),
            "programs": self.programs,
            "workers": self.workers,
            "ports": self.ports,
            "names": self.names,
        })
    }
}

fn shown(path: impl AsRef<Path>) -> String {
    path.as_ref().display().to_string()
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn of(effects: &[Effect]) -> Rules {
        let mut rules = Rules::default();
        rules.effects(effects);
        rules
    }

    fn with_settings(flags: &[&str]) -> Rules {
        let command = Shared::augment_args(clap::Command::new("test").no_binary_name(true));
        let matches = command.get_matches_from(flags);
        let mut rules = Rules::default();
        rules.settings(&Shared::from_arg_matches(&matches).unwrap());
        rules
    }

    fn paths(paths: &[&str]) -> BTreeSet<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn without_effects_and_settings_nothing_is_allowed() {
        let none = of(&[Effect::AsksUser, Effect::UsesModel, Effect::Random]);
        assert_eq!(none, Rules::default());
        assert_eq!(with_settings(&[]), Rules::default());
        assert_eq!(with_settings(&["--transport=http"]), Rules::default());
        assert!(!none.opens_files() && !none.changes_files());
        assert!(!none.connects() && !none.runs());
    }

    #[cfg(feature = "jwt")]
    #[test]
    fn keys_of_an_issuer_may_be_at_another_port_than_it_says() {
        let of = |more: &[&str]| {
            let common = [
                "--transport=http",
                "--auth=jwt",
                "--auth-issuer=https://id.example:8443",
                "--auth-audience=https://mcp.example/mcp",
            ];
            with_settings(&[&common[..], more].concat())
        };
        assert!(of(&[]).ports.contains(&HTTPS));
        let named = of(&["--auth-jwks=https://id.example:8443/keys"]);
        assert!(!named.ports.contains(&HTTPS));
    }

    #[test]
    fn each_effect_allows_its_own_and_no_more() {
        let reads = of(&[Effect::ReadsFiles("/srv/data".into())]);
        assert_eq!(
            reads,
            Rules {
                reads: paths(&["/srv/data"]),
                ..Rules::default()
            }
        );
        assert!(reads.opens_files() && !reads.changes_files());
        let writes = of(&[Effect::WritesFiles("/srv/out".into())]);
        assert_eq!(
            writes,
            Rules {
                writes: paths(&["/srv/out"]),
                ..Rules::default()
            }
        );
        assert!(writes.changes_files() && !writes.connects());
        let spawns = of(&[Effect::Spawns("git".into())]);
        assert_eq!(spawns.programs, ["git".to_owned()].into());
        assert!(spawns.runs() && !spawns.workers && !spawns.connects());
        let workers = of(&[Effect::RunsUntrustedCode]);
        assert!(workers.workers && workers.programs.is_empty());
    }

    #[test]
    fn hosts_are_reached_at_the_ports_of_the_web_and_others_that_are_named() {
        let mut named = of(&[Effect::Network("api.example.org".into())]);
        assert_eq!(named.ports, [53, 80, 443].into());
        assert!(named.names && named.opens_files() && !named.changes_files());
        named.add_ports(&[5432].into());
        assert_eq!(named.ports, [53, 80, 443, 5432].into());
        for address in ["127.0.0.1", "[::1]"] {
            let rules = of(&[Effect::Network(address.into())]);
            assert_eq!(rules.ports, [80, 443].into(), "{address}");
            assert!(!rules.names);
        }
        assert!(of(&[Effect::Network("*".into())]).names);
        let mut none = Rules::default();
        none.add_ports(&[5432].into());
        assert!(!none.connects(), "a port alone is no network");
    }

    #[test]
    fn what_settings_name_is_there_while_it_serves() {
        let stdio = with_settings(&["--audit=/var/log/a.jsonl", "--unix-socket=/run/a.sock"]);
        assert_eq!(stdio.logs, paths(&["/var/log/a.jsonl"]));
        assert_eq!(stdio.removes, paths(&[]), "stdio listens on no socket");
        let http = with_settings(&[
            "--transport=http",
            "--unix-socket=/run/a.sock",
            "--auth=token",
            "--auth-tokens=/etc/a/tokens.toml",
        ]);
        assert_eq!(http.removes, paths(&["/run/a.sock"]));
        assert_eq!(http.rereads, paths(&["/etc/a/tokens.toml"]));
        assert!(!http.connects());
    }

    #[cfg(feature = "tls")]
    #[test]
    fn certificate_and_key_are_read_again() {
        let files = ["/etc/a/cert.pem", "/etc/a/key.pem"];
        let [certificate, key] = files;
        let rules = with_settings(&[
            "--transport=http",
            &format!("--tls-cert={certificate}"),
            &format!("--tls-key={key}"),
        ]);
        assert_eq!(rules.rereads, paths(&files));
    }

    #[cfg(feature = "jwt")]
    #[test]
    fn an_issuer_is_reached_at_its_ports_if_tokens_are_verified() {
        let jwt = [
            "--transport=http",
            "--auth=jwt",
            "--auth-audience=a",
            "--auth-issuer=https://login.example:8443/a",
            "--auth-jwks=http://127.0.0.1:9000/keys",
        ];
        let rules = with_settings(&jwt);
        assert_eq!(rules.ports, [53, 8443, 9000].into());
        // They mean nothing unless tokens are verified.
        let off: Vec<_> = jwt
            .iter()
            .copied()
            .filter(|flag| *flag != "--auth=jwt")
            .collect();
        assert!(!with_settings(&off).connects());
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn a_collector_is_reached_at_its_port() {
        let rules = with_settings(&["--otlp-endpoint=http://localhost:4318"]);
        assert_eq!(rules.ports, [53, 4318].into());
    }

    #[test]
    fn the_rules_are_told_without_anything_of_the_machine() {
        let mut rules = of(&[
            Effect::ReadsFiles("/srv/data".into()),
            Effect::Network("127.0.0.1".into()),
        ]);
        rules.local_time = true;
        let value = rules.to_value(Mode::Auto);
        assert_eq!(
            value,
            json!({
                "mode": "auto", "reads": ["/srv/data"], "writes": [], "rereads": [], "logs": [], "removes": [],
                "programs": [], "workers": false, "ports": [80, 443], "names": false,
            })
        );
        assert_eq!(rules.to_value(Mode::Off), json!({ "mode": "off" }));
        assert_eq!(rules.to_value(Mode::Require)["mode"], "require");
    }
}
