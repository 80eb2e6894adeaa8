//! From what a builder was told to a server.

use std::sync::Arc;
use std::time::Duration;

use super::ServerBuilder;
use crate::ask::{SealedLimits, SealedStates};
#[cfg(feature = "jwt")]
use crate::auth::jwt;
use crate::build_error::BuildError;
use crate::component::pinned::Frame;
use crate::component::{CacheHint, Components, News, Paging, normalize};
use crate::context::{Buckets, Facts, HeaderNames};
use crate::core::audited::Denials;
use crate::core::pinned::{self, Bounds};
use crate::core::replicas::Replicas;
use crate::core::server::{Inner, Server};
use crate::core::subscriptions::Subscriptions;
use crate::keys::KeyRing;
use crate::limits::{Limit, Places, Shares};
use crate::metrics::{Metrics, readings};
use crate::middleware;
use crate::protocol::Kind;
use crate::skills::Skills;
#[cfg(feature = "redis")]
use crate::store::Bus;
#[cfg(feature = "redis")]
use crate::store::redis::RedisBuckets;
use crate::store::{MemoryBuckets, MemoryNonces};
use crate::streams::SharedStreams;
#[cfg(feature = "redis")]
use crate::tasks::RedisTasks;
use crate::tasks::{MemoryTaskStore, Tasks};
use crate::telemetry::Observers;

/// How long modern clients may keep the lists: those that listen hear of a change at once, and a
/// restart with other components is noticed within this time.
const LIST_HINT: CacheHint = CacheHint {
    ttl: Duration::from_secs(60),
    public: false,
};

/// Bytes of what a result holds besides the contents of a file.
const RESULT_ENVELOPE: usize = 4 << 10;

impl ServerBuilder {
    /// Makes the server: compiles schemas, checks names, writes the lists.
    ///
    /// # Errors
    /// The first component that cannot be served, and why.
    pub fn build(mut self) -> Result<Server, BuildError> {
        if let Some(why) = self.refused.take() {
            return Err(BuildError(why));
        }
        #[cfg(feature = "redis")]
        self.share();
        let headers = HeaderNames::new(&self.headers)?;
        self.check_budgets()?;
        self.leave_out();
        self.check_skills()?;
        let frame = self.frame()?;
        let keys = Arc::new(match self.keys {
            Some(keys) => keys,
            None => KeyRing::generate()?,
        });
        let internal = |error: serde_json::Error| BuildError(error.to_string());
        let paging = Paging {
            items: self.page_size,
            bytes: self.calls.result_bytes / 2,
            hint: LIST_HINT,
            keys: Arc::clone(&keys),
            server: serde_json::to_value(&self.info).map_err(internal)?,
        };
        let components = Arc::new(Components::new(
            self.registry,
            self.selection,
            self.exposed,
            self.max_components,
            paging,
            frame,
        )?);
        switch_off(&components, self.disabled)?;
        let store = self.task_store.unwrap_or_else(|| {
            let store = MemoryTaskStore::new(self.tasks);
            store.measure("tasks", &self.metrics);
            Arc::new(store)
        });
        let told = Arc::clone(&components);
        let tasks = Tasks::with_listener(store, self.tasks, move |task| {
            told.bus.publish(&News::Task(Arc::clone(task)));
        });
        let streams = self.event_store.zip(self.bus.clone());
        let streams = streams.map(|(store, bus)| SharedStreams::new(store, bus));
        let replicas = self.bus.map(|bus| Replicas::new(bus, &components, &tasks));
        if let Some(replicas) = &replicas {
            replicas.measure(&self.metrics);
        }
        let facts = Arc::new(Facts {
            server: self.info,
            ask_timeout: self.calls.ask_timeout,
            ask_unread: self.calls.ask_unread,
            questions_per_session: self.calls.questions_per_session,
            questions: Shares::new(self.calls.questions, self.calls.questions_per_caller),
            components: Arc::clone(&components) as _,
            log_data: self.log_data,
            headers,
            explain: self.explain,
            blocking: Places::new(self.calls.blocking, self.calls.blocking_per_caller),
            buckets: Buckets {
                store: self
                    .bucket_store
                    .unwrap_or_else(|| Arc::new(MemoryBuckets::new(self.buckets))),
                limits: self.buckets,
            },
            keys: Arc::clone(&keys),
            audit: self.audit,
        });
        let stack = middleware::stack(
            &self.calls,
            self.wire.clone(),
            self.cache,
            self.middleware,
            self.inner_middleware,
            self.budget_store,
            &self.metrics,
        );
        let limits = SealedLimits {
            rounds: self.calls.ask_rounds,
            ttl: self.calls.ask_timeout,
            bytes: self.calls.ask_state_bytes,
        };
        let in_flight = Shares::new(self.calls.in_flight, self.calls.in_flight_per_caller);
        let subscriptions = Subscriptions::new(&self.calls);
        measure(
            &self.metrics,
            &components,
            &facts,
            &in_flight,
            &subscriptions,
        );
        if let Some(audit) = &facts.audit {
            audit.measure(&self.metrics);
        }
        #[cfg(feature = "otlp")]
        if let Some(traces) = &self.traces {
            traces.measure(&self.metrics);
        }
        Ok(Server(Arc::new(Inner {
            facts,
            components,
            instructions: self.instructions,
            sealed: SealedStates {
                keys,
                nonces: self
                    .nonces
                    .unwrap_or_else(|| Arc::new(MemoryNonces::default())),
                limits,
            },
            tasks,
            skills: self.skills,
            wire: self.wire,
            calls: self.calls,
            stack,
            in_flight,
            subscriptions,
            observers: Observers::new(self.observers),
            metrics: self.metrics,
            ended_sessions: self.ended_sessions,
            token_changes: self.token_changes,
            streams,
            replicas,
            denials: Denials::default(),
        })))
    }

    /// Has all that replicas share kept in one store, but for what has a store of its own.
    #[cfg(feature = "redis")]
    fn share(&mut self) {
        let Some(redis) = self.redis.take() else {
            return;
        };
        redis.measure(&self.metrics);
        let (buckets, tasks) = (self.buckets, self.tasks);
        self.nonces.get_or_insert_with(|| Arc::new(redis.clone()));
        self.budget_store
            .get_or_insert_with(|| Arc::new(redis.clone()));
        self.ended_sessions
            .get_or_insert_with(|| Arc::new(redis.clone()));
        self.token_changes
            .get_or_insert_with(|| Arc::new(redis.clone()));
        self.event_store
            .get_or_insert_with(|| Arc::new(redis.clone()));
        self.bus
            .get_or_insert_with(|| Arc::clone(&redis.bus) as Arc<dyn Bus>);
        self.bucket_store
            .get_or_insert_with(|| Arc::new(RedisBuckets::new(&redis, buckets)));
        self.task_store
            .get_or_insert_with(|| Arc::new(RedisTasks::new(&redis, tasks)));
    }

    /// Finds a budget of a tool that is not there.
    fn check_budgets(&self) -> Result<(), BuildError> {
        let mut budgets = self.calls.budget.tools.keys();
        if let Some(name) = budgets.find(|name| !self.registry.has(Kind::Tool, name)) {
            return Err(BuildError(format!(
                "There is a budget for the tool '{name}', and no such tool; name one of the server's tools."
            )));
        }
        Ok(())
    }

    /// Drops the budgets of tools that are left out, which have nothing to count, and the skills whose files are.
    fn leave_out(&mut self) {
        if self.selection.is_everything() {
            return;
        }
        let left = self.registry.selected(&self.selection);
        let tools = &mut self.calls.budget.tools;
        tools.retain(|name, _| left.has(Kind::Tool, name));
        let is_left = |uri: &str| left.has(Kind::Resource, &normalize(uri));
        let skills = self.skills.take();
        self.skills = skills.and_then(|skills| skills.retained(is_left));
    }

    /// Finds a file of the skills that no result has room for.
    fn check_skills(&self) -> Result<(), BuildError> {
        let largest = self.skills.as_ref().map_or(0, Skills::largest_read);
        if largest > 0 && largest + RESULT_ENVELOPE > self.calls.result_bytes {
            return Err(BuildError(format!(
                "A file of the skills cannot be served: it takes {largest} bytes of JSON, and a result can have {}.",
                self.calls.result_bytes
            )));
        }
        Ok(())
    }

    /// What the manifest says besides the components.
    fn frame(&mut self) -> Result<Frame, BuildError> {
        let mut configuration = Bounds {
            calls: &self.calls,
            wire: &self.wire,
            cache: &self.cache,
            tasks: &self.tasks,
            buckets: &self.buckets,
            page_size: self.page_size,
            max_components: self.max_components,
            headers: &self.headers,
            skills: self.skills.as_ref(),
        }
        .configuration();
        configuration.append(&mut self.configuration);
        pinned::frame(
            self.info.clone(),
            self.instructions.clone(),
            self.skills.is_some(),
            configuration,
        )
        .map_err(|error| BuildError(error.to_string()))
    }
}

/// Disables components from the start.
fn switch_off(components: &Components, disabled: Vec<(Kind, String)>) -> Result<(), BuildError> {
    for (kind, name) in disabled {
        if !components.leaves_out(kind, &name) && !components.switch(kind, &name, false) {
            return Err(BuildError(format!(
                "'{name}' cannot be switched off: there is no such component, or it is off already."
            )));
        }
    }
    Ok(())
}

/// Has metrics say how much of what is bounded is used up, and what the bounds refused.
fn measure(
    metrics: &[Metrics],
    components: &Arc<Components>,
    facts: &Facts,
    in_flight: &Shares,
    subscriptions: &Subscriptions,
) {
    facts.questions.measure("questions", metrics);
    facts.blocking.measure("blocking_handlers", metrics);
    in_flight.measure("requests", metrics);
    subscriptions.measure("subscriptions", metrics);
    for metrics in metrics {
        let components = Arc::downgrade(components);
        metrics.manifest(move || {
            let components = components.upgrade();
            components.map_or_else(String::new, |all| all.current().digest.to_string())
        });
        let in_flight = in_flight.clone();
        metrics.read(&readings::IN_FLIGHT, "", move || in_flight.taken() as u64);
        for limit in Limit::ALL {
            metrics.read(&readings::LIMIT_REFUSALS, limit.as_str(), move || {
                limit.refused()
            });
        }
        #[cfg(feature = "jwt")]
        for (result, fetched) in jwt::FETCHES {
            metrics.read(&readings::KEY_FETCHES, result, fetched);
        }
    }
}
