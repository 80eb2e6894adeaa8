//! The store: one node, or those of a cluster. What is of one principal is at one of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::redis::{Cmd, FromRedisValue, Pipeline, RedisError, Script, ScriptInvocation};

use crate::metrics::Metrics;
use crate::metrics::readings::{STORE_NODES, STORE_UP};
use crate::store::StoreError;

use super::census::Census;
use super::cluster::Cluster;
use super::counts::Counts;
use super::keys::Keys;
use super::link::{Common, Failed, Link, OPERATION, Operation};
use super::way::Way;

/// All that is asked of the store goes through here.
pub(crate) struct Nodes {
    keys: Keys,
    common: Common,
    kind: Kind,
}

enum Kind {
    One(Arc<Link>),
    Cluster(Cluster),
}

impl Nodes {
    /// The one that this link leads to.
    pub(super) async fn one(keys: Keys, common: Common, link: Link) -> Self {
        link.lists_replicas(true).await;
        let kind = Kind::One(Arc::new(link));
        Self { keys, common, kind }
    }

    /// Those of a cluster.
    pub(super) fn cluster(keys: Keys, common: Common, cluster: Cluster) -> Self {
        let kind = Kind::Cluster(cluster);
        Self { keys, common, kind }
    }

    /// What the keys are called.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Replicas that share the store, this one among them, as far as it is known.
    pub(crate) fn replicas(&self) -> u32 {
        self.common.census.replicas()
    }

    /// What this process is called among those that share the store.
    pub(crate) fn process(&self) -> &str {
        self.common.census.process()
    }

    /// Whether another process, as it is called there, is gone for good. What is not known is not so.
    pub(crate) async fn is_gone(&self, process: &str) -> bool {
        let census = &self.common.census;
        if !census.may_be_gone(process) {
            return false;
        }
        let mut scores = ::redis::cmd("ZMSCORE");
        scores.arg(census.key()).arg(process).arg(census.process());
        let scores = self.read::<(Option<f64>, Option<f64>)>(census.key(), &scores);
        // A list without this one has lost others as well.
        let (Ok((score, Some(_))), Some(now)) = (scores.await, self.now(census.key())) else {
            return false;
        };
        // Microseconds since 1970, by the store's clock.
        let ago = |score: f64| now.saturating_sub((score / 1000.0) as u64);
        let ago = score.map(|score| Duration::from_millis(ago(score)));
        // It may have been cut off from the list meanwhile.
        census.may_be_gone(process) && census.is_gone(process, ago)
    }

    /// Completes when another process is gone for good, or may be.
    pub(super) async fn left(&self) {
        self.common.census.left().await;
    }

    /// Whether all of it answers.
    pub(crate) fn is_up(&self) -> bool {
        match &self.kind {
            Kind::One(link) => link.is_up(),
            Kind::Cluster(cluster) => cluster.is_up(),
        }
    }

    /// How many nodes answer, and how many there are.
    pub(crate) fn count(&self) -> (usize, usize) {
        match &self.kind {
            Kind::One(link) => (usize::from(link.is_up()), 1),
            Kind::Cluster(cluster) => cluster.nodes(),
        }
    }

    /// Milliseconds since 1970 by the clock of the node that has this key. `None` while it does not answer.
    pub(crate) fn now(&self, key: &str) -> Option<u64> {
        match &self.kind {
            Kind::One(link) => link.now(),
            Kind::Cluster(cluster) => cluster.link_of(key)?.now(),
        }
    }

    /// Runs a script, which does nothing when it comes too late. `key` is the first of its keys, `prepare` adds the others,
    /// which are of the same principal, and its arguments.
    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &str,
        prepare: impl Fn(&mut ScriptInvocation<'_>) + Sync,
    ) -> Result<T, StoreError> {
        let prepare = |call: &mut ScriptInvocation<'_>| {
            call.key(key);
            prepare(call);
        };
        self.run(key, &Operation::Script(script, &prepare)).await
    }

    /// Runs a command that changes nothing, at the node that has this key.
    pub(crate) async fn read<T: FromRedisValue>(
        &self,
        key: &str,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        self.run(key, &Operation::Read(command)).await
    }

    /// Runs commands that change nothing in one round trip, at the node that has this key.
    pub(crate) async fn read_all<T: FromRedisValue>(
        &self,
        key: &str,
        commands: &Pipeline,
    ) -> Result<T, StoreError> {
        self.run(key, &Operation::ReadAll(commands)).await
    }

    async fn run<T: FromRedisValue>(
        &self,
        key: &str,
        operation: &Operation<'_>,
    ) -> Result<T, StoreError> {
        let link = match &self.kind {
            Kind::One(link) => link,
            Kind::Cluster(cluster) => return cluster.run(key, operation).await,
        };
        link.run(operation, OPERATION)
            .await
            .map_err(|failed| match failed {
                Failed::Of(error) => error,
                // It has become a part of a cluster; a restart looks at it anew.
                Failed::Moved(_) => {
                    let refused = &self.common.counts.refused;
                    refused.fetch_add(1, Ordering::Relaxed);
                    StoreError::Unavailable
                }
            })
    }

    /// These keys, so that those of one node can be read in one round trip.
    pub(crate) fn by_node(&self, mut keys: Vec<String>) -> Vec<Vec<String>> {
        let Kind::Cluster(cluster) = &self.kind else {
            return vec![keys];
        };
        keys.sort_by_cached_key(|key| cluster.index_of(key));
        let same = |one: &String, other: &String| cluster.index_of(one) == cluster.index_of(other);
        keys.chunk_by(same).map(<[_]>::to_vec).collect()
    }

    /// Where to listen to what is published, at the first attempt or a later one. In a cluster that is any node, since what
    /// is published at one is heard at all; but replicas meet at the one that has the slot of `channel`, so that what they
    /// tell each other needs no way between nodes.
    pub(super) fn way_to_hear(&self, channel: &str, attempts: u32) -> Way {
        let cluster = match &self.kind {
            Kind::One(link) => return link.way().clone(),
            Kind::Cluster(cluster) => cluster,
        };
        let all = cluster.links_from(channel);
        let up: Vec<_> = all.iter().filter(|link| link.is_up()).collect();
        let there = match up.is_empty() {
            true => all.iter().collect(),
            false => up,
        };
        let attempt = usize::try_from(attempts).unwrap_or(0);
        let link = there.get(attempt % there.len().max(1));
        link.map_or_else(|| cluster.way().clone(), |link| link.way().clone())
    }

    /// Whether the others meet elsewhere than where this leads.
    pub(super) fn meet_elsewhere(&self, channel: &str, way: &Way) -> bool {
        match &self.kind {
            Kind::One(_) => false,
            Kind::Cluster(cluster) => cluster
                .link_of(channel)
                .is_some_and(|link| link.is_up() && !link.way().leads_where(way)),
        }
    }

    /// Has metrics say whether it answers, and how operations ended.
    pub(crate) fn measure(self: &Arc<Self>, metrics: &[Metrics]) {
        self.common.counts.measure(metrics);
        for metrics in metrics {
            let nodes = Arc::downgrade(self);
            metrics.read(&STORE_UP, "", move || {
                u64::from(nodes.upgrade().is_some_and(|nodes| nodes.is_up()))
            });
            for (state, answers) in [("up", true), ("away", false)] {
                let nodes = Arc::downgrade(self);
                metrics.read(&STORE_NODES, state, move || {
                    let (up, all) = nodes.upgrade().map_or((0, 0), |nodes| nodes.count());
                    let count = if answers { up } else { all - up };
                    u64::try_from(count).unwrap_or(u64::MAX)
                });
            }
        }
    }
}

/// What the links of a process have in common, before there is one.
///
/// # Errors
/// There is no randomness.
pub(super) fn common(keys: &Keys) -> Result<Common, RedisError> {
    Ok(Common {
        census: Arc::new(Census::new(keys)?),
        counts: Arc::new(Counts::default()),
    })
}
