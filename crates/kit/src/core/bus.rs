//! What happens to components, told to the clients that want to know: one bus for both eras.
//!
//! Nobody waits for a listener. A legacy client that does not read its stream misses notifications;
//! a `subscriptions/listen` that falls behind is ended, so that its client listens and looks again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use crate::component::Kind;
use crate::principal::Principal;
use crate::tasks::TaskRecord;
use crate::wire;

use super::connection::Connection;

/// News that may wait for one listener.
const QUEUE: usize = 64;

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

struct Listener {
    principal: Principal,
    interests: Interests,
    queue: mpsc::Sender<News>,
}

/// Who listens.
#[derive(Default)]
pub(crate) struct Bus {
    listeners: Mutex<Vec<Listener>>,
    legacy: Mutex<Vec<Weak<Connection>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that is done under these locks can panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bus {
    /// News from here on; they end when the listener is too slow.
    pub(super) fn listen(
        &self,
        principal: Principal,
        interests: Interests,
    ) -> mpsc::Receiver<News> {
        let (queue, news) = mpsc::channel(QUEUE);
        let mut listeners = lock(&self.listeners);
        listeners.retain(|listener| !listener.queue.is_closed());
        listeners.push(Listener {
            principal,
            interests,
            queue,
        });
        news
    }

    /// Remembers a legacy client that has introduced itself.
    pub(super) fn remember(&self, connection: &Arc<Connection>) {
        let mut legacy = lock(&self.legacy);
        // Those that are gone are swept out each time the list has doubled.
        if legacy.len().is_power_of_two() {
            legacy.retain(|weak| weak.strong_count() > 0);
        }
        legacy.push(Arc::downgrade(connection));
    }

    /// Tells everybody who wants to know.
    pub(crate) fn publish(&self, news: &News) {
        lock(&self.listeners).retain(|listener| {
            if !listener.interests.include(news, &listener.principal) {
                return !listener.queue.is_closed();
            }
            // Dropping the queue ends the subscription.
            listener.queue.try_send(news.clone()).is_ok()
        });
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
        let mut connections = Vec::new();
        lock(&self.legacy).retain(|weak| match weak.upgrade() {
            Some(connection) => {
                connections.push(connection);
                true
            }
            None => false,
        });
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

    #[test]
    fn a_slow_listener_is_ended_and_holds_up_nobody() {
        let bus = Bus::default();
        let mut slow = bus.listen(Principal::ANONYMOUS, tools());
        let mut quick = bus.listen(Principal::ANONYMOUS, tools());
        for _ in 0..=QUEUE {
            bus.publish(&News::Changed(Kind::Tool));
            assert!(quick.try_recv().is_ok());
        }
        for _ in 0..QUEUE {
            assert!(slow.try_recv().is_ok());
        }
        assert_eq!(
            slow.try_recv().err(),
            Some(mpsc::error::TryRecvError::Disconnected)
        );
        assert_eq!(lock(&bus.listeners).len(), 1);
    }

    #[test]
    fn everybody_hears_what_they_asked_for() {
        let bus = Bus::default();
        let mut listener = bus.listen(
            Principal::ANONYMOUS,
            Interests {
                resources: true,
                uris: ["data://a".to_owned()].into(),
                ..Interests::default()
            },
        );
        for (news, heard) in [
            (News::Changed(Kind::Tool), false),
            (News::Changed(Kind::Prompt), false),
            (News::Changed(Kind::Resource), true),
            (News::Changed(Kind::Template), true),
            (News::Updated("data://a".into()), true),
            (News::Updated("data://b".into()), false),
        ] {
            bus.publish(&news);
            assert_eq!(listener.try_recv().is_ok(), heard);
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
        let mut hers = bus.listen(alice.clone(), interests());
        let mut others = bus.listen(Principal::ANONYMOUS, interests());
        let minute = std::time::Duration::from_secs(60);
        let task = Arc::new(TaskRecord::new(alice, "t".into(), minute, minute));
        bus.publish(&News::Task(task));
        assert!(hers.try_recv().is_ok());
        assert!(others.try_recv().is_err());
    }
}
