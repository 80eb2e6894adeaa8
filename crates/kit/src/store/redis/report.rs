//! What the store is, and whether it is fit: looked at once, at start.

use std::collections::HashMap;
use std::fmt;

use super::cluster::Cluster;
use super::slots::{Layout, Place};

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
    /// Of a cluster, how many nodes have slots. The rest here is true of all that answered, as far as it is good.
    pub nodes: Option<usize>,
    /// Of a cluster, all nodes that are known, also those that only follow others.
    pub(super) places: Vec<Place>,
    /// Of a cluster, the nodes with slots that did not answer.
    away: Vec<Place>,
    /// Whether there are slots that no node has.
    gaps: bool,
    /// Whether the cluster says of itself that it does not work.
    fails: bool,
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
            nodes: None,
            places: Vec::new(),
            away: Vec::new(),
            gaps: false,
            fails: false,
            cluster: field("cluster_enabled") == "1",
            replica: field("role") == "slave",
            version: numbers(version),
        }
    }

    /// Adds what the nodes of its cluster say.
    pub(super) async fn of_cluster(&mut self, cluster: &Cluster, layout: Layout) {
        let found = cluster.infos().await;
        self.nodes = Some(found.len());
        self.gaps = !cluster.is_whole();
        self.fails = !layout.works;
        let places = layout.nodes.into_iter().map(|(place, _)| place);
        self.places = places.chain(layout.followers).collect();
        for (place, info) in found {
            match info {
                Some(info) => self.worse(Self::new(&info)),
                None => self.away.push(place),
            }
        }
    }

    /// Whatever is less good at this node.
    fn worse(&mut self, other: Self) {
        if other.version < self.version {
            (self.version, self.product) = (other.version, other.product);
        }
        if other.eviction != "noeviction" {
            self.eviction = other.eviction;
        }
        self.max_memory = self.max_memory.min(other.max_memory);
        self.append_only &= other.append_only;
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
        // A node of a cluster knows those that have slots, whether it has some or not.
        if self.replica && !self.cluster {
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
        for node in &self.away {
            warnings.push((
                format!("The store's node at {node} does not answer: what belongs to its slots is refused."),
                "See that it runs, and that it can be reached from here at that address.".into(),
            ));
        }
        if self.gaps {
            warnings.push((
                "The store's cluster has slots that are at no node: what belongs there is refused."
                    .into(),
                "Repair it with redis-cli --cluster fix.".into(),
            ));
        }
        if self.fails {
            warnings.push((
                "The store's cluster says that it does not work (cluster_state).".into(),
                "See that its nodes hear each other, at their ports for clients and for the cluster.".into(),
            ));
        }
        warnings
    }
}

impl fmt::Display for RedisReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.product)?;
        match self.nodes {
            Some(nodes) if self.away.is_empty() => write!(f, ", a cluster of {nodes} nodes"),
            Some(nodes) => {
                let up = nodes - self.away.len();
                write!(f, ", a cluster of {nodes} nodes of which {up} answer")
            }
            None => Ok(()),
        }
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
            ("role:master", "role:slave", "takes no writes"),
        ] {
            let why = RedisReport::new(&good.replace(from, to)).unfit();
            assert!(
                why.as_ref().is_some_and(|why| why.contains(unfit)),
                "{why:?}"
            );
        }
        let node = good.replace("cluster_enabled:0", "cluster_enabled:1");
        let follower = RedisReport::new(&node.replace("role:master", "role:slave"));
        assert_eq!((follower.cluster, follower.unfit()), (true, None));
        for (from, to, warning) in [
            ("noeviction", "allkeys-lru", "forgets values"),
            ("maxmemory_policy:noeviction", "x:1", "does not say"),
            ("maxmemory:1000", "maxmemory:0", "no bound"),
            ("aof_enabled:1", "aof_enabled:0", "append-only"),
        ] {
            let warnings = RedisReport::new(&good.replace(from, to)).warnings();
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].0.contains(warning), "{warnings:?}");
            // One such node is enough.
            let mut report = RedisReport::new(good);
            report.worse(RedisReport::new(&good.replace(from, to)));
            assert_eq!(report.warnings(), warnings);
        }
        let mut report = RedisReport::new(good);
        report.worse(RedisReport::new(&good.replace("7.0.15", "6.0.16")));
        assert!(report.unfit().is_some(), "{report}");
    }
}
