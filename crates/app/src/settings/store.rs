//! The store that replicas share, on Redis or Valkey (the feature `redis`): where it is, and what is said of it.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use clap::Args;
use pymcp_kit::store::redis::{BadAddress, Redis, RedisAddress};
use pymcp_kit::telemetry;
use pymcp_kit::transport::http::Check;

use super::REPLICAS;
use crate::program::Program;
use crate::sources::Origins;
use crate::{Checked, Error, Result};

/// Characters of a prefix.
const MAX_PREFIX: usize = 64;

/// Which store the replicas share.
#[derive(Debug, Clone, Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct Store {
    /// Redis or Valkey that all replicas of the server share, such as `redis://localhost:6379`,
    /// `rediss://USER:PASSWORD@HOST:6380` or `unix:///run/redis.sock`: used request states, tasks, what is remembered
    /// between calls, and budgets. Without it each process has its own. Better given by the variable: others on this
    /// machine can see flags.
    #[arg(long, value_name = "URL", value_parser = address, hide_env_values = true, hide_short_help = true, help_heading = REPLICAS)]
    store: Option<RedisAddress>,

    /// What all keys in the store begin with, the same for all replicas of a server; its name otherwise. Servers with
    /// other prefixes can share a store.
    #[arg(long, value_name = "WORD", value_parser = prefix, hide_short_help = true, help_heading = REPLICAS)]
    store_prefix: Option<String>,

    /// Hosts and ports of its nodes, when it turned out to be a cluster.
    #[arg(skip)]
    nodes: Arc<OnceLock<BTreeSet<(String, u16)>>>,
}

impl Store {
    /// Whether there is to be one.
    pub(crate) fn is_set(&self) -> bool {
        self.store.is_some()
    }

    /// Hosts and ports that are connected to: that of the address, and those of all nodes of a cluster that were known when it
    /// was first connected to.
    pub(crate) fn hosts(&self) -> BTreeSet<(String, u16)> {
        let own = self.store.as_ref().and_then(RedisAddress::host);
        let own = own.map(|(host, port)| (host.to_owned(), port));
        let nodes = self.nodes.get().into_iter().flatten().cloned();
        nodes.chain(own).collect()
    }

    /// Whether it is named by a Unix socket.
    pub(crate) fn is_socket(&self) -> bool {
        self.store
            .as_ref()
            .is_some_and(|address| address.host().is_none())
    }

    /// Connects to the store, if there is to be one, and says what it is.
    ///
    /// # Errors
    /// It cannot be reached or used.
    pub(crate) async fn connect(
        &self,
        program: &Program,
        origins: &Origins,
    ) -> Result<Option<Redis>> {
        let Some(address) = &self.store else {
            return Ok(None);
        };
        if address.has_password() && origins.is_flag("store") {
            let setting = program.setting("store");
            let variable = setting.map_or("the variable", |setting| setting.variable());
            tracing::warn!(
                "--store has a password, which others on this machine can see; use {variable}."
            );
        }
        let redis = self.open(&program.name, address).await?;
        // It is connected to once.
        let _ = self.nodes.set(redis.hosts());
        for (what, mend) in redis.report().warnings() {
            tracing::warn!("{what} {mend}");
        }
        let (name, report) = (&program.name, redis.report());
        let prefix = self.prefix(name);
        telemetry::say(&format!(
            "{name}: store {report} at {address}, keys {prefix}:"
        ));
        Ok(Some(redis))
    }

    async fn open(&self, name: &str, address: &RedisAddress) -> Result<Redis> {
        let connected = Redis::connect(address.clone(), &self.prefix(name)).await;
        connected.map_err(|error| Error::setting(format!("{error} It is that of --store.")))
    }

    fn prefix(&self, name: &str) -> String {
        if let Some(prefix) = &self.store_prefix {
            return prefix.clone();
        }
        let fits = |c: char| match is_fit(c) {
            true => c,
            false => '-',
        };
        name.chars().map(fits).take(MAX_PREFIX).collect()
    }

    /// What `doctor` says of it.
    pub(crate) async fn check(self, name: String) -> Checked {
        let Some(address) = &self.store else {
            return Checked::new();
        };
        match self.open(&name, address).await {
            Ok(redis) => {
                let fact = format!("{} at {address}", redis.report());
                let found = Checked::new().fact("Store", fact);
                let warnings = redis.report().warnings().into_iter();
                let found = warnings.fold(found, |found, (what, mend)| found.warning(what, mend));
                match redis.check_bus().await {
                    Ok(()) => found.fact("Replicas", "hear each other"),
                    Err(why) => {
                        let prefix = self.prefix(&name);
                        let mend = format!(
                            "Give its user +subscribe, +publish and the channels &{prefix}:*."
                        );
                        found.warning(why.to_string(), mend)
                    }
                }
            }
            Err(error) => {
                let why = error.sentence().unwrap_or_default();
                let mend = "Start the store, or correct the address, the user and the password.";
                Checked::new().error(why, mend)
            }
        }
    }
}

/// What `/readyz` says of it. A server goes on without its store, and without hearing other replicas, so that is no reason to
/// send it nothing: if all replicas were taken away for it, nothing would be served at all.
pub(crate) fn readiness(redis: &Redis) -> Check {
    let check = Check::ready()
        .fact("reachable", redis.is_reachable())
        .fact("bus", redis.hears_replicas());
    match (redis.report().nodes, redis.nodes()) {
        (None, _) => check,
        (Some(_), (up, all)) => check.fact("nodes", all).fact("nodes_up", up),
    }
}

fn address(text: &str) -> Result<RedisAddress, String> {
    text.parse().map_err(|bad: BadAddress| bad.to_string())
}

fn prefix(text: &str) -> Result<String, String> {
    let text = text.trim();
    let good = (1..=MAX_PREFIX).contains(&text.len()) && text.chars().all(is_fit);
    good.then(|| text.to_owned())
        .ok_or_else(|| "a word of 1 to 64 letters, digits, '.', '_' and '-'".to_owned())
}

fn is_fit(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}
