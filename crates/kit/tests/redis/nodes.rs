//! A cluster of `redis-server`s of a test's own.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::server::RedisServer;

/// Nothing that is waited for here takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

const SLOTS: usize = 16_384;

/// Of the port for clients, which is what nodes of all versions add for each other's.
const BETWEEN: u16 = 10_000;

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
}

pub(crate) struct Node {
    pub(crate) server: RedisServer,
    pub(crate) port: u16,
}

impl Cluster {
    /// So many nodes that share the slots. `None` where there is no `redis-server`.
    pub(crate) fn start(count: usize) -> Option<Self> {
        Self::of(count, Node::start)
    }

    /// The same of nodes that are started in some other way.
    pub(crate) fn of(count: usize, start: impl Fn() -> Option<Node>) -> Option<Self> {
        let nodes: Option<Vec<_>> = (0..count).map(|_| start()).collect();
        let cluster = Self { nodes: nodes? };
        for (index, node) in cluster.nodes.iter().enumerate() {
            let range = (SLOTS * index / count)..(SLOTS * (index + 1) / count);
            let slots: Vec<_> = range.map(|slot| slot.to_string()).collect();
            let words = ["CLUSTER", "ADDSLOTS"].into_iter();
            let words: Vec<_> = words.chain(slots.iter().map(String::as_str)).collect();
            assert_eq!(node.server.command(&words), "OK");
            let epoch = (index + 1).to_string();
            node.ok(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
        }
        for node in &cluster.nodes[1..] {
            node.meet(&cluster.nodes[0]);
        }
        cluster.settle();
        Some(cluster)
    }

    /// Waits until all nodes know all, and take the cluster for one that works.
    pub(crate) fn settle(&self) {
        let known = format!("cluster_known_nodes:{}", self.nodes.len());
        for node in &self.nodes {
            until(|| {
                let info = node.server.command(&["CLUSTER", "INFO"]);
                let all = ["cluster_state:ok", "cluster_slots_ok:16384", &known];
                all.iter().all(|line| info.contains(line))
            });
        }
    }

    /// The node that has a key which matches this, and the key.
    pub(crate) fn find(&self, pattern: &str) -> (usize, String) {
        let found = self.nodes.iter().enumerate().find_map(|(index, node)| {
            let keys = node.server.command(&["KEYS", pattern]);
            (!keys.is_empty()).then_some((index, keys))
        });
        found.unwrap_or_else(|| panic!("nobody has {pattern}"))
    }

    /// Moves the slot of a key from one node to another, as `redis-cli --cluster reshard` does. `half` is called when the slot is
    /// on its way, and one key of it is there.
    pub(crate) fn move_slot(&self, key: &str, from: usize, to: usize, half: impl FnOnce()) {
        let (from, to) = (&self.nodes[from], &self.nodes[to]);
        let slot = &*from.server.command(&["CLUSTER", "KEYSLOT", key]);
        to.ok(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &from.id()]);
        from.ok(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &to.id()]);
        let port = to.port.to_string();
        let mut half = Some(half);
        loop {
            let keys = from
                .server
                .command(&["CLUSTER", "GETKEYSINSLOT", slot, "1"]);
            if keys.is_empty() {
                break;
            }
            from.ok(&["MIGRATE", "127.0.0.1", &port, &keys, "0", "5000"]);
            if let Some(half) = half.take() {
                half();
            }
        }
        for node in [to, from] {
            node.ok(&["CLUSTER", "SETSLOT", slot, "NODE", &to.id()]);
        }
    }

    pub(crate) fn url(&self, node: usize) -> String {
        self.nodes[node].url()
    }
}

impl Node {
    pub(crate) fn start() -> Option<Self> {
        Self::with(|port, options| {
            let options = [
                &["--port", &port.to_string(), "--bind", "127.0.0.1"],
                options,
            ];
            RedisServer::start(&options.concat())
        })
    }

    /// One that is started with these options, to listen at this port.
    pub(crate) fn with(start: impl FnOnce(u16, &[&str]) -> Option<RedisServer>) -> Option<Self> {
        let port = free_port();
        let options = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "1500",
            "--cluster-require-full-coverage",
            "no",
        ];
        let server = start(port, &options)?;
        Some(Self { server, port })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn meet(&self, other: &Self) {
        self.ok(&["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string()]);
    }

    pub(crate) fn id(&self) -> String {
        self.server.command(&["CLUSTER", "MYID"])
    }

    pub(crate) fn ok(&self, words: &[&str]) {
        assert_eq!(self.server.command(words), "OK", "{words:?}");
    }
}

/// One that is free, as is the one that nodes use among themselves. Both are below those that the system gives away.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 9_000).unwrap();
    loop {
        let port = 11_000 + (start + NEXT.fetch_add(7, Ordering::SeqCst)) % 10_000;
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free(port) && free(port + BETWEEN) {
            return port;
        }
    }
}

pub(crate) fn until(what: impl Fn() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < PATIENCE, "it does not become so");
        std::thread::sleep(Duration::from_millis(20));
    }
}
