//! What this replica hears of the others: `store::bus` carries it, and `docs/architecture.md` draws it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::component::{Components, News};
use crate::connection::{AskOutcome, Connection, asked_by};
use crate::limits::{Permit, Shares};
use crate::metrics::Metrics;
use crate::metrics::readings::BUS_MESSAGES;
use crate::principal::Principal;
use crate::protocol::Kind;
use crate::store::bus::{Answer, Owner, SESSIONS, Said, SharedSession};
use crate::store::{Bus, BusListener};
use crate::tasks::Tasks;
use crate::wire::{Code, Id, Outcome, RpcError};

use super::method::MAX_REQUEST_ID;

/// Time after a gap before clients are told to look again, and up to so much more, no two replicas' alike: what other
/// replicas have missed is told together with it.
const GAP: Duration = Duration::from_millis(300);

/// Places of messages for clients that wait to be published: those of one caller must not keep others' waiting.
const PLACES: usize = 512;

/// Places that one caller can have, and never more than are left for others.
const PLACES_PER_CALLER: usize = 128;

/// Bytes of subscriptions that are told in one message, and those of one session more.
const AT_A_TIME: usize = 64 << 10;

/// Bytes of a message that take a place.
const PLACE: usize = 16 << 10;

/// When to bring an answer again that could not be passed on.
const AWAY: Duration = Duration::from_secs(2);

const UNHEARD: &str =
    "The replica that has asked cannot be told at the moment; send the same answer again later.";

/// The other replicas, as far as this one has to do with them.
pub(crate) struct Replicas {
    this: Weak<Self>,
    bus: Arc<dyn Bus>,
    components: Arc<Components>,
    tasks: Tasks,
    /// Whether clients are about to be told to look again.
    gap: AtomicBool,
    changed: Mutex<ChangedTasks>,
    sessions: Mutex<Sessions>,
    places: Shares,
    /// Messages for which there was no place.
    refused: AtomicU64,
    /// Rings when another one may have told of tokens.
    tokens: Notify,
}

/// A message with its places, until it is published or dropped.
struct Placed {
    message: Bytes,
    _places: Vec<Permit>,
}

impl AsRef<[u8]> for Placed {
    fn as_ref(&self) -> &[u8] {
        &self.message
    }
}

/// Legacy sessions that are in memory, some of which may be gone.
#[derive(Default)]
struct Sessions {
    by_name: HashMap<SharedSession, Weak<Connection>>,
    /// How many of them there were when those that are gone were last swept out.
    swept: usize,
}

impl Sessions {
    fn sweep(&mut self) {
        self.by_name.retain(|_, weak| weak.strong_count() > 0);
        self.swept = self.by_name.len();
        self.by_name.shrink_to(2 * self.swept);
    }
}

/// Tasks that were changed at another replica and that somebody here listens for.
#[derive(Default)]
struct ChangedTasks {
    tasks: HashSet<(Principal, String)>,
    /// Whether somebody looks them up.
    looks: bool,
}

impl Replicas {
    /// Listens from here on.
    pub(super) fn new(bus: Arc<dyn Bus>, components: &Arc<Components>, tasks: &Tasks) -> Arc<Self> {
        components.bus.reach(Arc::clone(&bus));
        let replicas = Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            bus,
            components: Arc::clone(components),
            tasks: tasks.clone(),
            gap: AtomicBool::new(false),
            changed: Mutex::default(),
            sessions: Mutex::default(),
            places: Shares::new(PLACES, PLACES_PER_CALLER),
            refused: AtomicU64::new(0),
            tokens: Notify::new(),
        });
        let listener: Weak<Self> = Arc::downgrade(&replicas);
        replicas.bus.attach(listener);
        replicas
    }

    /// Has metrics say what it did not pass on, since a caller had too much on its way.
    pub(super) fn measure(self: &Arc<Self>, metrics: &[Metrics]) {
        self.places.measure("bus", metrics);
        for metrics in metrics {
            let replicas = Arc::downgrade(self);
            metrics.read(&BUS_MESSAGES, "refused", move || {
                let replicas = replicas.upgrade();
                replicas.map_or(0, |all| all.refused.load(Ordering::Relaxed))
            });
        }
    }

    /// A legacy session that other replicas may serve as well, with the nonce of its id, is in memory from here on.
    pub(crate) fn join(&self, connection: &Arc<Connection>, nonce: u128) {
        let owner = Owner::of(connection.principal());
        let session = SharedSession { owner, nonce };
        connection.share(session, self.bus.replica());
        let mut sessions = self.sessions();
        // Each time they have doubled, so that none costs more than a few looks.
        if sessions.by_name.len() > 2 * sessions.swept {
            sessions.sweep();
        }
        sessions.by_name.insert(session, Arc::downgrade(connection));
    }

    /// Has other replicas look which tokens were revoked.
    pub(crate) fn tell_of_tokens(&self) {
        self.tell(None, Said::Tokens);
    }

    /// Completes when another one may have told of tokens.
    pub(crate) async fn hear_of_tokens(&self) {
        self.tokens.notified().await;
    }

    /// Whether what others tell arrives, as far as it is known.
    pub(crate) fn hears(&self) -> bool {
        self.bus.is_up()
    }

    /// Gives back what is kept of sessions that are gone.
    pub(super) fn sweep(&self) {
        self.sessions().sweep();
    }

    /// The session of this name and owner, if it is in memory.
    fn session(&self, session: SharedSession) -> Option<Arc<Connection>> {
        self.sessions().by_name.get(&session)?.upgrade()
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        // Nothing that is done under this lock can panic half-way.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has other replicas stop a request that is not in flight here.
    pub(super) fn cancelled(&self, connection: &Connection, id: &Id) {
        if let Some(session) = connection.shared() {
            let request = id.as_json().to_owned();
            self.tell_for(connection, None, Said::Cancelled { session, request });
        }
    }

    /// Hands an answer of a client to the replica that has asked; `false` when that is none, or this one.
    ///
    /// # Errors
    /// [`Code::BUSY`] when that replica cannot be told of it: an answer that is accepted is not to be lost.
    pub(super) fn answered(
        &self,
        connection: &Connection,
        question: u64,
        outcome: &Outcome<'_>,
    ) -> Result<bool, RpcError> {
        let asker = asked_by(question).filter(|asker| *asker != self.bus.replica());
        let (Some(session), Some(asker)) = (connection.shared(), asker) else {
            return Ok(false);
        };
        let answer = match outcome {
            Outcome::Result(result) => Answer::Result((*result).to_owned()),
            Outcome::Error(error) => Answer::Error((*error).to_owned()),
            Outcome::Malformed(_) | Outcome::Missing(_) => Answer::Malformed,
        };
        let said = Said::Answered {
            session,
            question,
            answer,
        };
        match self.tell_for(connection, Some(asker), said) {
            true => Ok(true),
            false => Err(RpcError::new(Code::BUSY, UNHEARD).with_retry_after(AWAY)),
        }
    }

    /// A stream of this session for what belongs to no request was opened here: whoever knows what it is subscribed to says so.
    pub(crate) fn listening(&self, connection: &Connection) {
        if let Some(session) = connection.shared() {
            let sessions = vec![session];
            self.tell_for(connection, None, Said::Listening { sessions });
        }
    }

    /// A session was subscribed to this here, or is no more: who has its stream has to know.
    pub(super) fn subscribed(&self, connection: &Connection, uri: String, on: bool) {
        // Nobody else needs to know while the stream is here; what others believe they know has to end all the same.
        if let Some(session) = connection.shared()
            && !(on && connection.is_heard())
        {
            let sessions = vec![(session, vec![uri])];
            self.tell_for(connection, None, Said::Subscribed { sessions, on });
        }
    }

    /// Tells a replica what these sessions are subscribed to, as far as it is known here.
    fn tell_subscriptions(&self, to: u32, sessions: Vec<SharedSession>) {
        let (mut known, mut bytes, on) = (Vec::new(), 0, true);
        for session in sessions {
            let uris = self.session(session).map(|known| known.subscribed());
            let Some(uris) = uris.filter(|uris| !uris.is_empty()) else {
                continue;
            };
            bytes += uris.iter().map(String::len).sum::<usize>();
            known.push((session, uris));
            if bytes > AT_A_TIME {
                let sessions = std::mem::take(&mut known);
                self.tell(Some(to), Said::Subscribed { sessions, on });
                bytes = 0;
            }
        }
        if !known.is_empty() {
            let sessions = known;
            self.tell(Some(to), Said::Subscribed { sessions, on });
        }
    }

    /// The sessions whose streams are open here.
    fn heard_here(&self) -> Vec<SharedSession> {
        let sessions = self.sessions();
        let there = sessions.by_name.iter();
        there
            .filter(|(_, weak)| weak.upgrade().is_some_and(|one| one.is_heard()))
            .map(|(session, _)| *session)
            .collect()
    }

    /// Tells what the client of this connection makes it tell; `false` when nobody hears it, as far as that is known here.
    fn tell_for(&self, connection: &Connection, to: Option<u32>, said: Said) -> bool {
        let message = said.write(self.bus.replica());
        let share = self.places.of(connection.caller());
        let places = (0..=message.len() / PLACE).map(|_| share.take());
        let places: Result<Vec<_>, _> = places.collect();
        match places {
            Ok(_places) => {
                let placed = Placed { message, _places };
                self.bus.publish(to, Bytes::from_owner(placed));
                self.bus.is_up()
            }
            Err(_) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    fn tell(&self, to: Option<u32>, said: Said) {
        self.bus.publish(to, said.write(self.bus.replica()));
    }

    /// A task has changed elsewhere: whoever listens for it here is told.
    fn task_changed(&self, owner: Owner, id: String) {
        if let Some(principal) = self.components.bus.listens_for_task(owner, &id) {
            self.look_up([(principal, id)]);
        }
    }

    /// Tells of these tasks as they are now. Several changes of one become one.
    fn look_up(&self, tasks: impl IntoIterator<Item = (Principal, String)>) {
        let mut changed = self.changed();
        changed.tasks.extend(tasks);
        if changed.looks || changed.tasks.is_empty() {
            return;
        }
        if let (Ok(runtime), Some(this)) = (Handle::try_current(), self.this.upgrade()) {
            changed.looks = true;
            runtime.spawn(async move {
                while let Some((owner, id)) = this.next() {
                    // Its owner is asked for, so nobody hears of somebody else's.
                    if let Ok(task) = this.tasks.get(&owner, &id).await {
                        this.components.bus.publish(&News::Task(task));
                    }
                }
            });
        }
    }

    fn next(&self) -> Option<(Principal, String)> {
        let mut changed = self.changed();
        let next = changed.tasks.iter().next().cloned();
        match &next {
            Some(next) => {
                changed.tasks.remove(next);
            }
            None => changed.looks = false,
        }
        next
    }

    fn changed(&self) -> MutexGuard<'_, ChangedTasks> {
        // Nothing that is done under this lock can panic half-way.
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exposes(&self, kind: Kind) -> bool {
        let exposed = self.components.current().exposed;
        match kind {
            Kind::Tool => exposed.tools,
            Kind::Resource | Kind::Template => exposed.resources,
            Kind::Prompt => exposed.prompts,
        }
    }

    async fn look_again(&self) {
        for sessions in self.heard_here().chunks(SESSIONS) {
            let sessions = sessions.to_vec();
            self.tell(None, Said::Listening { sessions });
        }
        let kinds = [Kind::Tool, Kind::Resource, Kind::Prompt];
        let kinds: Vec<_> = kinds
            .into_iter()
            .filter(|kind| self.exposes(*kind))
            .collect();
        let tasks = self.components.bus.look_again(&kinds).await;
        self.look_up(tasks);
    }
}

impl BusListener for Replicas {
    fn hear(&self, message: &[u8]) {
        let Some((from, said)) = Said::read(message) else {
            return;
        };
        if from == self.bus.replica() {
            return;
        }
        match said {
            // A replica of another release may have lists that this one has not.
            Said::Changed { list } if self.exposes(list.into()) => {
                self.components.bus.publish(&News::Changed(list.into()));
            }
            Said::Updated { uri } => self.components.bus.publish(&News::Updated(uri)),
            Said::Task {
                owner,
                id,
                shown: true,
                ..
            } => self.task_changed(owner, id),
            Said::Cancelled { session, request } => {
                if let Some(connection) = self.session(session)
                    && let Some(id) = Id::from_json(&request, MAX_REQUEST_ID)
                {
                    connection.cancel(&id);
                }
            }
            Said::Answered {
                session,
                question,
                answer,
            } => {
                if let Some(connection) = self.session(session) {
                    connection.resolve(question, || match answer {
                        Answer::Result(result) => AskOutcome::Result(result.into()),
                        Answer::Error(error) => AskOutcome::Error(error.into()),
                        Answer::Malformed => AskOutcome::Malformed,
                    });
                }
            }
            Said::Listening { sessions } => self.tell_subscriptions(from, sessions),
            Said::Subscribed { sessions, on } => {
                for (session, uris) in sessions {
                    let Some(connection) = self.session(session) else {
                        continue;
                    };
                    for uri in uris {
                        match on {
                            // As many as it may have anyway.
                            true => drop(connection.subscribe(&uri)),
                            false => connection.unsubscribe(&uri),
                        }
                    }
                }
            }
            Said::Reads {
                session,
                stream,
                reader,
                next,
                how,
            } => {
                let over = self.session(session).is_some_and(|connection| {
                    let streams = connection.streams();
                    !streams.reads_elsewhere(stream, (from, reader), next, how)
                });
                if over {
                    let wrote = Said::Wrote {
                        session,
                        stream,
                        reader,
                        next: 0,
                        until: None,
                        over,
                    };
                    self.tell(Some(from), wrote);
                }
            }
            Said::Wrote {
                session,
                stream,
                reader,
                next,
                until,
                over,
            } => {
                if let Some(connection) = self.session(session) {
                    let streams = connection.streams();
                    streams.written_elsewhere(stream, reader, next, until, over);
                }
            }
            Said::Push { sessions, message } => {
                let message = Bytes::from(message);
                let there = sessions.into_iter().filter_map(|name| self.session(name));
                there
                    .filter(|connection| connection.is_heard())
                    .for_each(|connection| connection.push(message.clone()));
            }
            Said::Tokens => self.tokens.notify_one(),
            Said::Changed { .. } | Said::Task { .. } | Said::Missed | Said::Unknown => {}
        }
    }

    /// Whoever looks up a task that it worked on lets that fail, of which its owner is told.
    fn left(&self) {
        self.look_up(self.components.bus.tasks_listened_for());
    }

    fn missed(&self) {
        self.tokens.notify_one();
        let (Ok(runtime), Some(this)) = (Handle::try_current(), self.this.upgrade()) else {
            return;
        };
        if !self.gap.swap(true, Ordering::AcqRel) {
            runtime.spawn(async move {
                let mut random = [0];
                // Without randomness all wait equally long.
                let _ = getrandom::fill(&mut random);
                sleep(GAP + GAP * u32::from(random[0]) / 255).await;
                this.gap.store(false, Ordering::Release);
                this.look_again().await;
            });
        }
    }
}

#[cfg(test)]
#[path = "replicas_tests.rs"]
mod tests;
