//! The manifest of a server: its components from the live registry, and around them what the server itself is and how it
//! is configured. What is pinned is in the table of [`crate::manifest`].

use rmcp::model::{Implementation, ServerCapabilities};
use serde_json::{Value, json};

use crate::component::Exposed;
use crate::component::pinned::{Frame, as_sent, millis};
use crate::limits::{BudgetLimits, CallLimits, ConcurrencyLimits};
use crate::manifest::{self, Digest, Manifest, Projection};
use crate::middleware::CacheConfig;
use crate::protocol::{LEGACY_VERSIONS, MODERN_VERSION};
use crate::store::BucketLimits;
use crate::tasks::TaskLimits;
use crate::wire::WireLimits;

use super::capabilities::modern_capabilities;
use super::server::Server;

impl Server {
    /// What it exposes at this moment, made from its components and its resolved configuration.
    ///
    /// [`Projection::Code`] has all components, also those that
    /// [`ServerBuilder::retain`](crate::ServerBuilder::retain) leaves out, the others those that are switched on; none
    /// depends on who asks. It takes time in proportion to the components: what clients and logs are told is
    /// [`Server::manifest_digest`], which is kept.
    ///
    /// # Errors
    /// A bound of [`Manifest`] is passed, which many components can do that each are within theirs.
    pub fn manifest(&self, projection: Projection) -> Result<Manifest, manifest::Error> {
        self.components().manifest(projection)
    }

    /// The digest of the manifest of [`Projection::Full`] at this moment. It is another one after each change of the
    /// components.
    pub fn manifest_digest(&self) -> Digest {
        self.0.components().digest
    }

    /// What strangers may know: the digest and the capabilities, of the same moment.
    pub(crate) fn shown(&self) -> (Digest, ServerCapabilities) {
        let snapshot = self.0.components();
        let capabilities = modern_capabilities(snapshot.exposed, self.0.skills.is_some());
        (snapshot.digest, capabilities)
    }
}

/// The item of the server itself, for what it answers to.
pub(super) fn frame(
    info: Implementation,
    instructions: Option<String>,
    has_skills: bool,
    configuration: Vec<(String, Value)>,
) -> Result<Frame, manifest::Error> {
    let server = move |exposed: Exposed, projection| {
        let mut content = json!({ "identity": as_sent(&info), "instructions": instructions });
        if projection != Projection::Code {
            content["capabilities"] = as_sent(&modern_capabilities(exposed, has_skills));
            let revisions = std::iter::once(MODERN_VERSION).chain(LEGACY_VERSIONS);
            content["revisions"] = revisions.collect::<Vec<_>>().into();
        }
        content
    };
    Frame::new(server, configuration)
}

/// What the kit itself is configured by: the bounds that hold whatever the components are.
pub(super) struct Bounds<'a> {
    pub(super) calls: &'a CallLimits,
    pub(super) wire: &'a WireLimits,
    pub(super) cache: &'a CacheConfig,
    pub(super) tasks: &'a TaskLimits,
    pub(super) buckets: &'a BucketLimits,
    pub(super) page_size: usize,
    pub(super) max_components: usize,
    pub(super) headers: &'a [String],
    pub(super) skills: Option<&'a crate::skills::Skills>,
}

impl Bounds<'_> {
    /// The items of kind `configuration`, by name. The patterns name every field, so that none can be forgotten.
    pub(super) fn configuration(&self) -> Vec<(String, Value)> {
        let mut headers = self.headers.to_vec();
        headers.sort_unstable();
        let mut all = vec![
            ("calls".to_owned(), calls(self.calls)),
            ("messages".to_owned(), messages(self.wire)),
            ("cache".to_owned(), cache(self.cache)),
            ("tasks".to_owned(), tasks(self.tasks)),
            ("buckets".to_owned(), buckets(self.buckets)),
            (
                "components".to_owned(),
                json!({ "pageSize": self.page_size, "most": self.max_components }),
            ),
            ("headers".to_owned(), json!(headers)),
        ];
        if let Some(skills) = self.skills {
            all.push(("skills".to_owned(), as_sent(&skills.entries())));
        }
        all
    }
}

fn calls(limits: &CallLimits) -> Value {
    let CallLimits {
        timeout,
        ask_timeout,
        ask_unread,
        questions_per_session,
        questions_per_caller,
        questions,
        ask_rounds,
        ask_state_bytes,
        subscriptions_per_caller,
        subscriptions,
        subscription_turn,
        in_flight_per_connection,
        in_flight_per_caller,
        in_flight,
        blocking,
        blocking_per_caller,
        result_bytes,
        heartbeat,
        budget:
            BudgetLimits {
                per_principal,
                tools,
                principals,
            },
        concurrency:
            ConcurrencyLimits {
                in_all,
                per_principal: running_per_principal,
                waiting,
                waiting_per_caller,
            },
    } = limits;
    let tools = tools
        .iter()
        .map(|(name, rate)| (name.clone(), rate.to_string().into()));
    json!({
        "timeoutMs": millis(*timeout),
        "askTimeoutMs": millis(*ask_timeout),
        "askUnreadMs": millis(*ask_unread),
        "questionsPerSession": questions_per_session,
        "questionsPerCaller": questions_per_caller,
        "questions": questions,
        "askRounds": ask_rounds,
        "askStateBytes": ask_state_bytes,
        "subscriptionsPerCaller": subscriptions_per_caller,
        "subscriptions": subscriptions,
        "subscriptionTurnMs": millis(*subscription_turn),
        "inFlightPerConnection": in_flight_per_connection,
        "inFlightPerCaller": in_flight_per_caller,
        "inFlight": in_flight,
        "blocking": blocking,
        "blockingPerCaller": blocking_per_caller,
        "resultBytes": result_bytes,
        "heartbeatMs": millis(*heartbeat),
        "budget": {
            "perPrincipal": per_principal.map(|rate| rate.to_string()),
            "tools": Value::Object(tools.collect()),
            "principals": principals,
        },
        "concurrency": {
            "inAll": in_all,
            "perPrincipal": running_per_principal,
            "waiting": waiting,
            "waitingPerCaller": waiting_per_caller,
        },
    })
}

fn messages(limits: &WireLimits) -> Value {
    let WireLimits {
        message_bytes,
        depth,
        nodes,
        batch,
        id_bytes,
        method_bytes,
    } = limits;
    json!({
        "messageBytes": message_bytes,
        "depth": depth,
        "nodes": nodes,
        "batch": batch,
        "idBytes": id_bytes,
        "methodBytes": method_bytes,
    })
}

fn cache(config: &CacheConfig) -> Value {
    let CacheConfig {
        ttl,
        total_bytes,
        entries,
        entry_bytes,
    } = config;
    json!({
        "ttlMs": millis(*ttl),
        "totalBytes": total_bytes,
        "entries": entries,
        "entryBytes": entry_bytes,
    })
}

fn tasks(limits: &TaskLimits) -> Value {
    let TaskLimits {
        tasks,
        tasks_per_caller,
        bytes,
        bytes_per_caller,
        ttl,
        max_ttl,
        poll_interval,
    } = limits;
    json!({
        "tasks": tasks,
        "tasksPerCaller": tasks_per_caller,
        "bytes": bytes,
        "bytesPerCaller": bytes_per_caller,
        "ttlMs": millis(*ttl),
        "maxTtlMs": millis(*max_ttl),
        "pollIntervalMs": millis(*poll_interval),
    })
}

fn buckets(limits: &BucketLimits) -> Value {
    let BucketLimits {
        principals,
        values,
        bytes,
        value_bytes,
        ttl,
    } = limits;
    json!({
        "principals": principals,
        "values": values,
        "bytes": bytes,
        "valueBytes": value_bytes,
        "ttlMs": millis(*ttl),
    })
}
