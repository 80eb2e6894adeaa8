//! The slots of a cluster: which one a key is in, and which node has it.

use ::redis::Value;

/// Slots of a cluster, always.
pub(super) const SLOTS: usize = 16_384;

/// Nodes that have slots; more are passed over. Redis itself advises against more than 1,000.
const MOST: usize = 1_000;

/// Where a node is. An empty host is that of the address that the cluster is known by, when that is a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
}

/// What a node says of its cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// The nodes that have slots, and those.
    pub(super) nodes: Vec<(Place, Vec<(u16, u16)>)>,
    /// The nodes that follow them, and may take their place.
    pub(super) followers: Vec<Place>,
    /// Whether the node takes the cluster for one that works: it hears most of the others.
    pub(super) works: bool,
}

impl Place {
    /// `HOST:PORT`, as in the answer `MOVED SLOT HOST:PORT` of the node at `asked`.
    pub(super) fn read(text: &str, asked: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let (host, port) = (known(host, asked)?, port.parse().ok()?);
        Some(Self { host, port })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port } = self;
        match host.contains(':') {
            true => write!(f, "[{host}]:{port}"),
            false => write!(f, "{host}:{port}"),
        }
    }
}

impl Layout {
    /// What the node at the host `asked` answered to `CLUSTER SLOTS` and `CLUSTER INFO`.
    pub(super) fn new(slots: &Value, info: &str, asked: &str) -> Self {
        let mut layout = Self {
            works: info
                .lines()
                .any(|line| line.trim_end() == "cluster_state:ok"),
            ..Self::default()
        };
        for range in array(slots) {
            let [Value::Int(first), Value::Int(last), owner, followers @ ..] = array(range) else {
                continue;
            };
            let found = followers.iter().filter_map(|node| place(node, asked));
            layout.followers.extend(found);
            let (Some(range), Some(owner)) = (slots_of(*first, *last), place(owner, asked)) else {
                continue;
            };
            let known = layout.nodes.iter().position(|(node, _)| *node == owner);
            match known {
                Some(at) => layout.nodes[at].1.push(range),
                None if layout.nodes.len() < MOST => layout.nodes.push((owner, vec![range])),
                None => {}
            }
        }
        layout
    }
}

/// The slot of a key: the CRC (XMODEM) of what is between the first `{` and the next `}`, or of all of it where that is
/// nothing.
pub(super) fn slot(key: &str) -> usize {
    let tag = key.split_once('{').and_then(|(_, rest)| {
        let (tag, _) = rest.split_once('}')?;
        (!tag.is_empty()).then_some(tag)
    });
    usize::from(crc16(tag.unwrap_or(key).as_bytes())) % SLOTS
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            match crc & 0x8000 {
                0 => shifted,
                _ => shifted ^ 0x1021,
            }
        })
    })
}

fn slots_of(first: i64, last: i64) -> Option<(u16, u16)> {
    let (first, last) = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
    (first <= last && usize::from(last) < SLOTS).then_some((first, last))
}

/// The host and the port of a node; its id and more come after them.
fn place(node: &Value, asked: &str) -> Option<Place> {
    let [host, Value::Int(port), ..] = array(node) else {
        return None;
    };
    let host = match host {
        Value::Nil => "",
        Value::BulkString(host) => std::str::from_utf8(host).ok()?,
        Value::SimpleString(host) => host,
        _ => return None,
    };
    let (host, port) = (known(host, asked)?, u16::try_from(*port).ok()?);
    Some(Place { host, port })
}

/// A node that does not know its host is where it was asked, and one that hides it (`?`) is nowhere.
fn known(host: &str, asked: &str) -> Option<String> {
    match host {
        "?" => None,
        "" => Some(asked.to_owned()),
        host => Some(host.to_owned()),
    }
}

fn array(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-16/XMODEM, and examples of the cluster's specification and its tests.
    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        for (key, expected) in [
            ("", 0),
            ("123456789", 12_739),
            ("foo", 12_182),
            ("bar", 5_061),
            ("somekey", 11_058),
            ("foo{hash_tag}", 2_515),
            ("bar{hash_tag}", 2_515),
        ] {
            assert_eq!(slot(key), expected, "{key}");
        }
        assert_eq!(slot("test:{user1000}:t:1"), slot("user1000"));
        assert_eq!(slot("{user1000}.following"), slot("{user1000}.followers"));
        // Nothing between them is no tag, and neither is what comes later.
        assert_ne!(slot("test:{}:ended"), slot("test:{}:tokens"));
        assert_ne!(slot("foo{}{bar}"), slot("bar"));
        assert_eq!(slot("foo{{bar}}zap"), slot("{bar"));
        assert_eq!(slot("foo{bar}{zap}"), slot("bar"));
        assert_ne!(slot("foo{bar"), slot("bar"));
    }

    fn node(host: Value, port: i64) -> Value {
        let id = Value::BulkString(b"id".to_vec());
        Value::Array(vec![host, Value::Int(port), id, Value::Array(Vec::new())])
    }

    fn named(host: &str, port: i64) -> Value {
        node(Value::BulkString(host.as_bytes().to_vec()), port)
    }

    fn range(first: i64, last: i64, nodes: &[Value]) -> Value {
        let ends = [Value::Int(first), Value::Int(last)];
        Value::Array(ends.into_iter().chain(nodes.iter().cloned()).collect())
    }

    fn at(host: &str, port: u16) -> Place {
        let host = host.to_owned();
        Place { host, port }
    }

    #[test]
    fn a_layout_is_read_and_what_cannot_be_used_is_passed_over() {
        let said = Value::Array(vec![
            range(0, 99, &[named("10.0.0.1", 6379), named("10.0.0.9", 6379)]),
            range(100, 199, &[named("", 7001)]),
            range(200, 16_383, &[named("10.0.0.1", 6379)]),
            range(300, 16_384, &[named("10.0.0.3", 6379)]),
            range(9, 8, &[named("10.0.0.3", 6379)]),
            range(400, 499, &[named("?", 6379)]),
            range(500, 599, &[node(Value::Nil, 7002)]),
            range(600, 699, &[named("10.0.0.4", 70_000)]),
            range(700, 799, &[]),
            Value::Nil,
        ]);
        let layout = Layout::new(&said, "cluster_enabled:1\r\ncluster_state:ok\r\n", "asked");
        let nodes = vec![
            (at("10.0.0.1", 6379), vec![(0, 99), (200, 16_383)]),
            (at("asked", 7001), vec![(100, 199)]),
            (at("asked", 7002), vec![(500, 599)]),
        ];
        let followers = vec![at("10.0.0.9", 6379)];
        let works = true;
        let expected = Layout {
            nodes,
            followers,
            works,
        };
        assert_eq!(layout, expected);
        assert!(!Layout::new(&said, "cluster_state:fail\r\n", "").works);
        assert_eq!(Layout::new(&Value::Nil, "", ""), Layout::default());
    }

    #[test]
    fn where_a_slot_has_moved_is_read() {
        assert_eq!(
            Place::read("10.0.0.1:6379", "a"),
            Some(at("10.0.0.1", 6379))
        );
        assert_eq!(Place::read(":7001", "a"), Some(at("a", 7001)));
        assert_eq!(Place::read("::1:7001", "a"), Some(at("::1", 7001)));
        assert_eq!(at("::1", 7001).to_string(), "[::1]:7001");
        for bad in ["", "?:1", "a", "a:", "a:70000"] {
            assert_eq!(Place::read(bad, "a"), None, "{bad}");
        }
    }
}
