//! What happens to components, told to the clients that want to know: one bus for both eras.
//!
//! Nobody waits for a listener. A legacy client that does not read its stream misses notifications;
//! for a `subscriptions/listen` that reads slowly, news of the same thing become one.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::Notify;

use crate::connection::Connection;
use crate::principal::Principal;
use crate::protocol::Kind;
use crate::tasks::TaskRecord;
use crate::wire;

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

    /// Tells everybody who wants to know.
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
        let message = match news {
            News::Changed(kind) => wire::notification(kind.list_changed(), &json!({})),
            News::Updated(uri) => {
                wire::notification("notifications/resources/updated", &json!({ "uri": uri }))
            }
            // Legacy clients know no such tasks.
            News::Task(_) => return,
        };
        let wanted = |connection: &Connection| match news {
            News::Updated(uri) => connection.is_subscribed(uri),
            _ => true,
        };
        self.tell_legacy(&message, wanted);
    }

    fn tell_legacy(&self, message: &Bytes, wanted: impl Fn(&Connection) -> bool) {
        let connections: Vec<_> = {
            let mut legacy = lock(&self.legacy);
            legacy.sweep();
            let all = legacy.connections.iter();
            all.filter_map(Weak::upgrade).collect()
        };
        for connection in connections.iter().filter(|connection| wanted(connection)) {
            connection.push(message.clone());
        }
    }
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
