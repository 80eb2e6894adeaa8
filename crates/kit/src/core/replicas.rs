//! What this replica hears of the others: `store::bus` carries it, and `docs/architecture.md` draws it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::component::{Components, News};
use crate::connection::{AskOutcome, Connection, asked_by};
use crate::principal::Principal;
use crate::protocol::Kind;
use crate::store::bus::{Answer, Owner, Said, SharedSession};
use crate::store::{Bus, BusListener};
use crate::tasks::Tasks;
use crate::wire::{Id, Outcome};

use super::method::MAX_REQUEST_ID;

/// Time after a gap before clients are told to look again, and up to so much more, no two replicas' alike: what other
/// replicas have missed is told together with it.
const GAP: Duration = Duration::from_millis(300);

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
}

/// Legacy sessions that are in memory, some of which may be gone.
#[derive(Default)]
struct Sessions {
    by_name: HashMap<SharedSession, Weak<Connection>>,
    /// How many of them there were when those that are gone were last swept out.
    swept: usize,
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
        });
        let listener: Weak<Self> = Arc::downgrade(&replicas);
        replicas.bus.attach(listener);
        replicas
    }

    /// A legacy session that other replicas may serve as well, with the nonce of its id, is in memory from here on.
    pub(crate) fn join(&self, connection: &Arc<Connection>, nonce: u128) {
        let owner = Owner::of(connection.principal());
        let session = SharedSession { owner, nonce };
        connection.share(session, self.bus.replica());
        let mut sessions = self.sessions();
        // Each time they have doubled, so that none costs more than a few looks.
        if sessions.by_name.len() > 2 * sessions.swept {
            sessions.by_name.retain(|_, weak| weak.strong_count() > 0);
            sessions.swept = sessions.by_name.len();
            sessions.by_name.shrink_to(4 * sessions.swept);
        }
        sessions.by_name.insert(session, Arc::downgrade(connection));
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
            self.tell(None, Said::Cancelled { session, request });
        }
    }

    /// Hands an answer of a client to the replica that has asked; `false` when that is none, or this one.
    pub(super) fn answered(
        &self,
        connection: &Connection,
        question: u64,
        outcome: &Outcome<'_>,
    ) -> bool {
        let asker = asked_by(question).filter(|asker| *asker != self.bus.replica());
        let (Some(session), Some(asker)) = (connection.shared(), asker) else {
            return false;
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
        self.tell(Some(asker), said);
        true
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

    async fn look_again(&self) {
        let exposed = self.components.current().exposed;
        let kinds = [
            (exposed.tools, Kind::Tool),
            (exposed.resources, Kind::Resource),
            (exposed.prompts, Kind::Prompt),
        ];
        let kinds: Vec<_> = kinds
            .into_iter()
            .filter_map(|(there, kind)| there.then_some(kind))
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
            Said::Changed { list } => self.components.bus.publish(&News::Changed(list.into())),
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
            Said::Task { .. } | Said::Missed | Said::Unknown => {}
        }
    }

    fn missed(&self) {
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
