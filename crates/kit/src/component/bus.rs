//! What happens to components, told to the clients that want to know: one bus for both eras.
//!
//! What is true of all replicas is told to theirs as well ([`Bus::announce`]); what is heard of them comes by
//! [`Bus::publish`].
//!
//! Nobody waits for a listener. A legacy client that does not read its stream misses notifications;
//! for a `subscriptions/listen` that reads slowly, news of the same thing become one.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::Notify;

use crate::connection::Connection;
use crate::principal::Principal;
use crate::protocol::Kind;
use crate::store;
use crate::store::bus::{Owner, Said};
use crate::tasks::TaskRecord;
use crate::wire;

/// Messages that a legacy client is sent at a time of many, fewer than wait for it.
const AT_A_TIME: usize = 32;

/// Time to read them.
const READING: Duration = Duration::from_millis(100);

/// Something that clients may want to know.
#[derive(Clone)]
pub(crate) enum News {
    /// The list of these components is another one.
    Changed(Kind),
    /// The resource at this (normalised) URI has changed.
    Updated(String),
    /// A task has changed.
    Task(Arc<TaskRecord>),
}

/// Which news a `subscriptions/listen` is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Interests {
    /// Tools, by `notifications/tools/list_changed`.
    pub(crate) tools: bool,
    /// Prompts, likewise.
    pub(crate) prompts: bool,
    /// Resources and templates, likewise.
    pub(crate) resources: bool,
    /// Normalised URIs.
    pub(crate) uris: HashSet<String>,
    /// Ids of the caller's tasks.
    pub(crate) tasks: HashSet<String>,
}

impl Interests {
    fn include(&self, news: &News, principal: &Principal) -> bool {
        match news {
            News::Changed(Kind::Tool) => self.tools,
            News::Changed(Kind::Prompt) => self.prompts,
            News::Changed(Kind::Resource | Kind::Template) => self.resources,
            News::Updated(uri) => self.uris.contains(uri),
            News::Task(task) => task.owner == *principal && self.tasks.contains(&*task.id),
        }
    }
}

impl News {
    /// Whether both are about the same thing, so that the later one says it all.
    fn replaces(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Changed(one), Self::Changed(other)) => {
                one.list_changed() == other.list_changed()
            }
            (Self::Updated(one), Self::Updated(other)) => one == other,
            (Self::Task(one), Self::Task(other)) => one.id == other.id,
            _ => false,
        }
    }
}

/// One listener, who holds it for as long as it listens.
pub(crate) struct Mailbox {
    principal: Principal,
    interests: Interests,
    /// At most one piece of news for each interest.
    waiting: Mutex<VecDeque<News>>,
    arrived: Notify,
}

impl Mailbox {
    /// The next piece of news.
    pub(crate) async fn next(&self) -> News {
        loop {
            if let Some(news) = lock(&self.waiting).pop_front() {
                return news;
            }
            self.arrived.notified().await;
        }
    }

    fn put(&self, news: &News) {
        let mut waiting = lock(&self.waiting);
        match waiting.iter_mut().find(|earlier| news.replaces(earlier)) {
            // Changes of a task may be told in another order than they were made.
            Some(News::Task(earlier)) => {
                if let News::Task(task) = news
                    && task.version > earlier.version
                {
                    *earlier = Arc::clone(task);
                }
            }
            Some(_) => {}
            None => waiting.push_back(news.clone()),
        }
        drop(waiting);
        self.arrived.notify_one();
    }
}

/// Who listens.
#[derive(Default)]
pub(crate) struct Bus {
    listeners: Mutex<Vec<Weak<Mailbox>>>,
    legacy: Mutex<Legacy>,
    /// How other replicas are told, where there are any.
    replicas: OnceLock<Arc<dyn store::Bus>>,
}

/// Legacy clients, some of which may be gone.
#[derive(Default)]
struct Legacy {
    connections: Vec<Weak<Connection>>,
    /// How many of them there were when those that are gone were last swept out.
    swept: usize,
}

impl Legacy {
    fn sweep(&mut self) {
        self.connections.retain(|weak| weak.strong_count() > 0);
        self.swept = self.connections.len();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under these locks can panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bus {
    /// News from here on, for as long as the mailbox is held.
    pub(crate) fn listen(&self, principal: Principal, interests: Interests) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox {
            principal,
            interests,
            waiting: Mutex::default(),
            arrived: Notify::new(),
        });
        let mut listeners = lock(&self.listeners);
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(Arc::downgrade(&mailbox));
        mailbox
    }

    /// Remembers a legacy client that has introduced itself.
    pub(crate) fn remember(&self, connection: &Arc<Connection>) {
        let mut legacy = lock(&self.legacy);
        // Each time the list has doubled, so that none costs more than a few looks.
        if legacy.connections.len() > 2 * legacy.swept {
            legacy.sweep();
        }
        legacy.connections.push(Arc::downgrade(connection));
    }

    /// Gives back what is kept of legacy clients that are gone.
    pub(crate) fn sweep(&self) {
        let mut legacy = lock(&self.legacy);
        legacy.sweep();
        let there = legacy.connections.len();
        legacy.connections.shrink_to(2 * there);
    }

    /// Has news that are true of all replicas told by this bus.
    pub(crate) fn reach(&self, replicas: Arc<dyn store::Bus>) {
        // There is one server, and it has one.
        let _ = self.replicas.set(replicas);
    }

    /// Tells everybody who wants to know, also at other replicas. What tells of tasks tells theirs by itself.
    pub(crate) fn announce(&self, news: &News) {
        self.publish(news);
        let said = match news {
            News::Changed(kind) => Said::Changed {
                list: (*kind).into(),
            },
            News::Updated(uri) => Said::Updated { uri: uri.clone() },
            News::Task(_) => return,
        };
        if let Some(replicas) = self.replicas.get() {
            replicas.publish(None, said.write(replicas.replica()));
        }
    }

    /// Tells everybody here, and legacy clients of this replica that listen at another one: for what is true of this one alone.
    pub(crate) fn publish_own(&self, news: &News) {
        self.publish(news);
        let (Some(replicas), Some(message)) = (self.replicas.get(), message(news)) else {
            return;
        };
        let there = self.there();
        let unheard = there.iter().filter(|connection| !connection.is_heard());
        let sessions: Vec<_> = unheard
            .filter_map(|connection| connection.shared())
            .collect();
        for sessions in sessions.chunks(store::bus::SESSIONS) {
            let said = Said::Push {
                sessions: sessions.to_vec(),
                message: String::from_utf8_lossy(&message).into_owned(),
            };
            replicas.publish(None, said.write(replicas.replica()));
        }
    }

    /// Whose task this is, if they listen for it here.
    pub(crate) fn listens_for_task(&self, owner: Owner, id: &str) -> Option<Principal> {
        let listeners = lock(&self.listeners);
        let mut there = listeners.iter().filter_map(Weak::upgrade);
        let found = there.find(|listener| {
            listener.interests.tasks.contains(id) && Owner::of(&listener.principal) == owner
        });
        found.map(|listener| listener.principal.clone())
    }

    /// The tasks that somebody listens for, and whose they are.
    pub(crate) fn tasks_listened_for(&self) -> Vec<(Principal, String)> {
        let listeners = lock(&self.listeners);
        let there = listeners.iter().filter_map(Weak::upgrade);
        let tasks = there.flat_map(|listener| {
            let ids = listener.interests.tasks.iter().cloned();
            let own = ids.map(|id| (listener.principal.clone(), id));
            own.collect::<Vec<_>>()
        });
        tasks.collect()
    }

    /// Tells everybody to look again at what they want to know of, since news may have been missed. Answers which tasks
    /// somebody listens for.
    pub(crate) async fn look_again(&self, kinds: &[Kind]) -> Vec<(Principal, String)> {
        let lists: Vec<_> = kinds.iter().map(|kind| News::Changed(*kind)).collect();
        let mut tasks = Vec::new();
        let listeners: Vec<_> = lock(&self.listeners)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for listener in &listeners {
            let Interests {
                uris, tasks: own, ..
            } = &listener.interests;
            let updated = uris.iter().map(|uri| News::Updated(uri.clone()));
            for news in lists.iter().cloned().chain(updated) {
                if listener.interests.include(&news, &listener.principal) {
                    listener.put(&news);
                }
            }
            let own = own
                .iter()
                .map(|id| (listener.principal.clone(), id.clone()));
            tasks.extend(own);
        }
        drop(listeners);
        let lists: Vec<_> = lists.iter().filter_map(message).collect();
        let mut told = 0;
        let mut all: Vec<_> = self.there();
        while !all.is_empty() {
            all.retain(|connection| {
                if !connection.is_heard() {
                    return false;
                }
                let uris = connection.subscribed();
                let updated = uris.into_iter().map(News::Updated);
                let updated = updated.filter_map(|news| message(&news));
                let all = lists.iter().cloned().chain(updated);
                let mut rest = all.skip(told).peekable();
                rest.by_ref()
                    .take(AT_A_TIME)
                    .for_each(|message| connection.push(message));
                rest.peek().is_some()
            });
            told += AT_A_TIME;
            tokio::time::sleep(READING).await;
        }
        tasks
    }

    /// The legacy clients that are there.
    fn there(&self) -> Vec<Arc<Connection>> {
        let mut legacy = lock(&self.legacy);
        legacy.sweep();
        let all = legacy.connections.iter();
        all.filter_map(Weak::upgrade).collect()
    }

    /// Tells everybody here who wants to know.
    pub(crate) fn publish(&self, news: &News) {
        let listeners: Vec<_> = lock(&self.listeners)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for listener in listeners {
            if listener.interests.include(news, &listener.principal) {
                listener.put(news);
            }
        }
        let Some(message) = message(news) else {
            return;
        };
        let wanted = |connection: &Connection| match news {
            News::Updated(uri) => connection.is_subscribed(uri),
            _ => true,
        };
        self.tell_legacy(&message, wanted);
    }

    fn tell_legacy(&self, message: &Bytes, wanted: impl Fn(&Connection) -> bool) {
        for connection in self.there().iter().filter(|connection| wanted(connection)) {
            connection.push(message.clone());
        }
    }
}

/// What a legacy client is told; they know no tasks.
fn message(news: &News) -> Option<Bytes> {
    Some(match news {
        News::Changed(kind) => wire::notification(kind.list_changed(), &json!({})),
        News::Updated(uri) => {
            wire::notification("notifications/resources/updated", &json!({ "uri": uri }))
        }
        News::Task(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> Interests {
        Interests {
            tools: true,
            ..Interests::default()
        }
    }

    /// What waits, without waiting.
    fn heard(mailbox: &Mailbox) -> usize {
        std::mem::take(&mut *lock(&mailbox.waiting)).len()
    }

    #[test]
    fn news_of_the_same_thing_become_one_and_hold_up_nobody() {
        let bus = Bus::default();
        let slow = bus.listen(Principal::ANONYMOUS, tools());
        let gone = bus.listen(Principal::ANONYMOUS, tools());
        drop(gone);
        for _ in 0..1000 {
            bus.publish(&News::Changed(Kind::Tool));
        }
        assert_eq!(heard(&slow), 1);
        bus.listen(Principal::ANONYMOUS, tools());
        assert_eq!(
            lock(&bus.listeners).len(),
            2,
            "the one that left is swept out"
        );
    }

    /// However many are there when one comes and one goes: looking at all of them each time would
    /// let a flood of handshakes cost their product.
    #[test]
    fn clients_that_come_and_go_are_forgotten_and_looked_at_seldom() {
        for there in [0, 1, 63, 64, 65] {
            let bus = Bus::default();
            let connection = || Connection::new(Principal::ANONYMOUS);
            let stay: Vec<_> = (0..there).map(|_| connection()).collect();
            stay.iter().for_each(|connection| bus.remember(connection));
            let mut sweeps = 0;
            for _ in 0..1000 {
                let before = lock(&bus.legacy).connections.len();
                bus.remember(&connection());
                let after = lock(&bus.legacy).connections.len();
                sweeps += usize::from(after <= before);
                assert!(after <= 2 * there + 2, "{after} of {there}");
            }
            assert!(sweeps <= 1000 / there.max(1), "{sweeps} of {there}");
        }
    }

    #[test]
    fn everybody_hears_what_they_asked_for() {
        let bus = Bus::default();
        let listener = bus.listen(
            Principal::ANONYMOUS,
            Interests {
                resources: true,
                uris: ["data://a".to_owned()].into(),
                ..Interests::default()
            },
        );
        for (news, wanted) in [
            (News::Changed(Kind::Tool), false),
            (News::Changed(Kind::Prompt), false),
            (News::Changed(Kind::Resource), true),
            (News::Changed(Kind::Template), true),
            (News::Updated("data://a".into()), true),
            (News::Updated("data://b".into()), false),
        ] {
            bus.publish(&news);
            assert_eq!(heard(&listener) == 1, wanted);
        }
    }

    #[test]
    fn a_task_is_told_to_its_owner_only() {
        let bus = Bus::default();
        let interests = || Interests {
            tasks: ["t".to_owned()].into(),
            ..Interests::default()
        };
        let alice = Principal::authenticated("alice");
        let hers = bus.listen(alice.clone(), interests());
        let others = bus.listen(Principal::ANONYMOUS, interests());
        let minute = std::time::Duration::from_secs(60);
        let task = Arc::new(TaskRecord::new(alice, "t".into(), minute, minute));
        bus.publish(&News::Task(task));
        assert_eq!(heard(&hers), 1);
        assert_eq!(heard(&others), 0);
    }
}
