//! What the store is, and whether it is fit: looked at once, at start.

use std::collections::HashMap;
use std::fmt;

/// The oldest version that has what is used here (`SET` with all its options in scripts that are replicated by effects,
/// and reads that wake nobody).
const OLDEST: (u32, u32) = (6, 2);

/// What a store says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisReport {
    /// Its name and version: `Redis 7.0.15`, `Valkey 8.1.0`.
    pub product: String,
    /// What it does when its memory is full: `noeviction` is the only fit answer. Empty when it does not say.
    pub eviction: String,
    /// The most memory that it uses, in bytes; 0 for no bound.
    pub max_memory: u64,
    /// Whether it writes each change to its disk (an append-only file).
    pub append_only: bool,
    /// Whether it is a part of a cluster.
    pub(super) cluster: bool,
    /// Whether it only follows another one.
    pub(super) replica: bool,
    version: Option<(u32, u32)>,
}

impl RedisReport {
    /// What it answered to `INFO`.
    pub(super) fn new(info: &str) -> Self {
        let fields: HashMap<&str, &str> = info
            .lines()
            .filter_map(|line| line.trim_end().split_once(':'))
            .collect();
        let field = |name: &str| fields.get(name).copied().unwrap_or_default();
        let (name, version) = match fields.get("valkey_version") {
            Some(version) => ("Valkey", *version),
            None => ("Redis", field("redis_version")),
        };
        // What Valkey is compatible with: its own numbers go on from there.
        let numbers = |text: &str| {
            let mut parts = text.split('.').map(|part| part.parse().ok());
            Some((parts.next()??, parts.next()??))
        };
        Self {
            product: format!("{name} {}", plain(version)),
            eviction: plain(field("maxmemory_policy")),
            max_memory: field("maxmemory").parse().unwrap_or(0),
            append_only: field("aof_enabled") == "1",
            cluster: field("cluster_enabled") == "1",
            replica: field("role") == "slave",
            version: numbers(version),
        }
    }

    /// Why it cannot be used, if it cannot.
    pub(super) fn unfit(&self) -> Option<String> {
        let (major, minor) = OLDEST;
        if self.version.is_none_or(|version| version < OLDEST) {
            return Some(format!(
                "is {}, and Redis {major}.{minor} or Valkey 7.2 is the oldest that can be used",
                self.product
            ));
        }
        if self.cluster {
            return Some(
                "is a node of a cluster, and the server connects to one store alone; name one without cluster mode".into(),
            );
        }
        if self.replica {
            return Some(
                "only follows another store and takes no writes; name the one that it follows"
                    .into(),
            );
        }
        None
    }

    /// What works less well than it could: a sentence each, and one that says what to do.
    pub fn warnings(&self) -> Vec<(String, String)> {
        let mut warnings = Vec::new();
        match &*self.eviction {
            "noeviction" => {}
            "" => warnings.push((
                "The store does not say what it does when its memory is full.".into(),
                "See that its maxmemory-policy is noeviction.".into(),
            )),
            policy => warnings.push((
                format!(
                    "The store forgets values when its memory is full (maxmemory-policy {policy}): a used request state could be used again."
                ),
                "Set its maxmemory-policy to noeviction.".into(),
            )),
        }
        if self.max_memory == 0 {
            warnings.push((
                "The store has no bound of memory, so clients can fill its machine.".into(),
                "Set its maxmemory.".into(),
            ));
        }
        if !self.append_only {
            warnings.push((
                "The store writes no append-only file, so a restart of it forgets what was used, kept and begun last.".into(),
                "Set its appendonly to yes.".into(),
            ));
        }
        warnings
    }
}

impl fmt::Display for RedisReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.product)
    }
}

/// What it says may be anything.
fn plain(text: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || ".-_".contains(*c);
    text.chars().filter(fits).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_judged_by_what_it_says() {
        let good = "# Server\r\nredis_version:7.0.15\r\nrole:master\r\nmaxmemory:1000\r\n\
                    maxmemory_policy:noeviction\r\naof_enabled:1\r\ncluster_enabled:0\r\n";
        let report = RedisReport::new(good);
        assert_eq!(report.to_string(), "Redis 7.0.15");
        assert_eq!((report.unfit(), report.warnings()), (None, Vec::new()));
        let valkey = format!("{good}valkey_version:8.1.0\r\n");
        assert_eq!(RedisReport::new(&valkey).to_string(), "Valkey 8.1.0");
        for (from, to, unfit) in [
            ("7.0.15", "6.0.16", "is the oldest"),
            ("redis_version:7.0.15", "x:1", "is the oldest"),
            ("cluster_enabled:0", "cluster_enabled:1", "cluster"),
            ("role:master", "role:slave", "takes no writes"),
        ] {
            let why = RedisReport::new(&good.replace(from, to)).unfit();
            assert!(
                why.as_ref().is_some_and(|why| why.contains(unfit)),
                "{why:?}"
            );
        }
        for (from, to, warning) in [
            ("noeviction", "allkeys-lru", "forgets values"),
            ("maxmemory_policy:noeviction", "x:1", "does not say"),
            ("maxmemory:1000", "maxmemory:0", "no bound"),
            ("aof_enabled:1", "aof_enabled:0", "append-only"),
        ] {
            let warnings = RedisReport::new(&good.replace(from, to)).warnings();
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].0.contains(warning), "{warnings:?}");
        }
    }
}
