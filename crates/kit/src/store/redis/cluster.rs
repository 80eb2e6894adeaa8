//! The nodes of a cluster: a connection to each that has slots, and which of them has which.
//!
//! An operation goes to the node that has the slot of its key, and fails alone with it. One that is told that the slot has
//! moved (`MOVED`) goes there, once and within the same time. While a slot is on its way, or the cluster is down, what
//! would be in it is refused: nothing is guessed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ::redis::{FromRedisValue, RedisError};
use arc_swap::ArcSwap;
use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::store::StoreError;

use super::link::{CONNECT, Common, Failed, Link, OPERATION, Operation, pause};
use super::slots::{Layout, Place, SLOTS, slot};
use super::way::Way;

/// Time for a node that is new to the cluster to answer before others are told of it.
const MOMENT: Duration = Duration::from_millis(150);

/// Least time between two looks at which node has what.
const LEAST: Duration = Duration::from_millis(200);

/// Seconds, about, of which a look is made in one only while all nodes answer.
const SELDOM: u32 = 40;

/// No node.
const NONE: u16 = u16::MAX;

/// The nodes of a cluster, as this process knows them.
pub(super) struct Cluster {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

struct Shared {
    /// The way to the address that it is known by.
    way: Way,
    common: Common,
    map: ArcSwap<Map>,
    /// Rings when the map is known to be wrong.
    wrong: Notify,
    /// Counts looks.
    looked: watch::Sender<u64>,
}

/// Which node has which slot.
#[derive(Clone)]
struct Map {
    nodes: Vec<Node>,
    /// For each slot the index of its node.
    owners: Box<[u16]>,
}

#[derive(Clone)]
struct Node {
    place: Place,
    link: Arc<Link>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Cluster {
    /// Connects to its nodes. Those that do not answer are tried again from then on.
    pub(super) async fn open(way: Way, layout: &Layout, common: Common) -> Self {
        let shared = Arc::new(Shared {
            way,
            common,
            map: ArcSwap::from_pointee(Map::default()),
            wrong: Notify::new(),
            looked: watch::Sender::new(0),
        });
        shared.adopt(layout, CONNECT).await;
        let keeper = tokio::spawn(keep(Arc::clone(&shared))).abort_handle();
        Self { shared, keeper }
    }

    /// Does it where the slot of this key is.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        key: &str,
        operation: &Operation<'_>,
    ) -> Result<T, StoreError> {
        let (shared, slot, began) = (&self.shared, slot(key), Instant::now());
        let counts = &shared.common.counts;
        let nobody = || {
            counts.away.fetch_add(1, Ordering::Relaxed);
            StoreError::Unavailable
        };
        let link = shared.link_of(slot).ok_or_else(nobody)?;
        let to = match link.run(operation, OPERATION).await {
            Ok(done) => return Ok(done),
            Err(Failed::Of(error)) => return Err(error),
            Err(Failed::Moved(to)) => to,
        };
        if !to.is_some_and(|to| shared.moved(slot, &to)) {
            let mut looked = shared.looked.subscribe();
            shared.wrong.notify_one();
            let left = OPERATION.saturating_sub(began.elapsed());
            // Whoever looks is there as long as this is.
            let _ = timeout(left, looked.changed()).await;
        }
        let link = shared.link_of(slot).ok_or_else(nobody)?;
        let left = OPERATION.saturating_sub(began.elapsed());
        match link.run(operation, left).await {
            Ok(done) => Ok(done),
            Err(Failed::Of(error)) => Err(error),
            Err(Failed::Moved(_)) => {
                shared.wrong.notify_one();
                counts.refused.fetch_add(1, Ordering::Relaxed);
                Err(StoreError::Unavailable)
            }
        }
    }

    /// The link to the node that has the slot of this key.
    pub(super) fn link_of(&self, key: &str) -> Option<Arc<Link>> {
        self.shared.link_of(slot(key))
    }

    /// Which of its nodes has the slot of this key, as a number.
    pub(super) fn index_of(&self, key: &str) -> usize {
        usize::from(self.shared.map.load().owners[slot(key)])
    }

    /// The links to all nodes that have slots, beginning with that of this key.
    pub(super) fn links_from(&self, key: &str) -> Vec<Arc<Link>> {
        let map = self.shared.map.load();
        let first = usize::from(map.owners[slot(key)]);
        let mut links: Vec<_> = map
            .nodes
            .iter()
            .map(|node| Arc::clone(&node.link))
            .collect();
        if first < links.len() {
            links.rotate_left(first);
        }
        links
    }

    /// The way to the address that it is known by.
    pub(super) fn way(&self) -> &Way {
        &self.shared.way
    }

    /// How many of its nodes answer, and how many there are.
    pub(super) fn nodes(&self) -> (usize, usize) {
        let map = self.shared.map.load();
        let up = map.nodes.iter().filter(|node| node.link.is_up()).count();
        (up, map.nodes.len())
    }

    /// Whether all of it answers.
    pub(super) fn is_up(&self) -> bool {
        self.shared.map.load().is_up()
    }

    /// Whether each slot has a node.
    pub(super) fn is_whole(&self) -> bool {
        self.shared.map.load().is_whole()
    }

    /// What each of its nodes is called, and what it says of itself, if it answers.
    pub(super) async fn infos(&self) -> Vec<(Place, Option<String>)> {
        let map = self.shared.map.load_full();
        let asked = map.nodes.iter().map(async |node| {
            let info = timeout(CONNECT, node.link.info()).await;
            (node.place.clone(), info.ok().and_then(Result::ok))
        });
        join_all(asked).await
    }
}

impl Shared {
    fn link_of(&self, slot: usize) -> Option<Arc<Link>> {
        let map = self.map.load();
        let node = map.nodes.get(usize::from(map.owners[slot]))?;
        Some(Arc::clone(&node.link))
    }

    /// A slot is at this place now; `false` when that is not known.
    fn moved(&self, slot: usize, to: &Place) -> bool {
        let map = self.map.load();
        let Some(node) = map.nodes.iter().position(|node| node.place == *to) else {
            return false;
        };
        self.map.rcu(|map| {
            let mut map = Map::clone(map);
            if map.nodes.get(node).is_some_and(|node| node.place == *to) {
                map.owners[slot] = u16::try_from(node).unwrap_or(NONE);
            }
            map
        });
        true
    }

    /// Asks which node has what: one that answers, or, if none does, whichever is at the address.
    async fn look(&self) {
        let map = self.map.load_full();
        let mut asked = false;
        for node in map.nodes.iter().filter(|node| node.link.is_up()) {
            asked = true;
            match node.link.layout().await {
                // One that hears few of the others may know what was.
                Ok(layout) if layout.works => return self.adopt(&layout, MOMENT).await,
                _ => {}
            }
        }
        if asked {
            return;
        }
        let name = "the store".to_owned();
        let opened = Link::open(self.way.clone(), name, self.common.clone()).await;
        if let Ok(link) = opened
            && let Ok(layout) = link.layout().await
            && layout.works
        {
            self.adopt(&layout, MOMENT).await;
        }
    }

    /// Takes this for what is so. Nodes that are new get so much time to answer.
    async fn adopt(&self, layout: &Layout, time: Duration) {
        if layout.nodes.is_empty() {
            return;
        }
        let before = self.map.load_full();
        let nodes = layout.nodes.iter().map(async |(place, _)| {
            let known = before.nodes.iter().find(|node| node.place == *place);
            match known {
                Some(node) => Ok(node.clone()),
                None => self.connect(place, time).await,
            }
        });
        let mut map = Map::default();
        for (node, (place, ranges)) in join_all(nodes).await.into_iter().zip(&layout.nodes) {
            let node = match node {
                Ok(node) => node,
                Err(error) => {
                    tracing::warn!(%error, "the store's node at {place} cannot be used");
                    continue;
                }
            };
            let index = u16::try_from(map.nodes.len()).unwrap_or(NONE);
            map.nodes.push(node);
            for (first, last) in ranges {
                map.owners[usize::from(*first)..=usize::from(*last)].fill(index);
            }
        }
        let list = usize::from(map.owners[slot(self.common.census.key())]);
        let (count, links) = (map.nodes.len(), map.nodes.clone());
        let changed = !before.nodes.is_empty() && !map.has_nodes_of(&before);
        self.map.store(Arc::new(map));
        if changed {
            tracing::info!("the cluster of the store has {count} nodes with slots now");
        }
        for (index, node) in links.iter().enumerate() {
            node.link.lists_replicas(index == list).await;
        }
    }

    /// One that answers within this time, or one that is tried again.
    async fn connect(&self, place: &Place, time: Duration) -> Result<Node, RedisError> {
        let (way, name) = (self.way.to(place)?, format!("the store's node at {place}"));
        let opening = Link::open(way.clone(), name.clone(), self.common.clone());
        let link = match timeout(time, opening).await {
            Ok(Ok(link)) => link,
            failed => {
                match failed {
                    Ok(Err(error)) => tracing::warn!(%error, "{name} cannot be reached"),
                    _ => tracing::warn!("{name} does not answer in time"),
                }
                Link::away(way, name, self.common.clone())
            }
        };
        let (place, link) = (place.clone(), Arc::new(link));
        Ok(Node { place, link })
    }
}

impl Default for Map {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            owners: vec![NONE; SLOTS].into(),
        }
    }
}

impl Map {
    fn is_whole(&self) -> bool {
        self.owners.iter().all(|owner| *owner != NONE)
    }

    fn is_up(&self) -> bool {
        self.is_whole() && self.nodes.iter().all(|node| node.link.is_up())
    }

    fn has_nodes_of(&self, other: &Self) -> bool {
        let has = |node: &Node| self.nodes.iter().any(|own| own.place == node.place);
        self.nodes.len() == other.nodes.len() && other.nodes.iter().all(has)
    }
}

/// Looks which node has what: at once when the map is wrong, within a second while a node does not answer or a slot has none,
/// and now and then.
async fn keep(shared: Arc<Shared>) {
    let mut looks = 0_u32;
    loop {
        tokio::select! {
            () = shared.wrong.notified() => {}
            () = sleep(pause(u32::MAX)) => {
                looks = looks.wrapping_add(1);
                if shared.map.load().is_up() && !looks.is_multiple_of(SELDOM) {
                    continue;
                }
            }
        }
        shared.look().await;
        shared.looked.send_modify(|looks| *looks += 1);
        sleep(LEAST).await;
    }
}
