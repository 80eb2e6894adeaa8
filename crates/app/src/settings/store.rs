//! The store that replicas share, on Redis or Valkey (the feature `redis`): where it is, and what is said of it.

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
}

impl Store {
    /// Whether there is to be one.
    pub(crate) fn is_set(&self) -> bool {
        self.store.is_some()
    }

    /// Where it is, if there is to be one.
    pub(crate) fn address(&self) -> Option<&RedisAddress> {
        self.store.as_ref()
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
    Check::ready()
        .fact("reachable", redis.is_reachable())
        .fact("bus", redis.hears_replicas())
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
