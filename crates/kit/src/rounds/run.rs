//! The run of a handler, as far as what it waits for has to know of it: whether it is still wanted, whether it goes on
//! as a task, and who drives it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use tokio::sync::SetOnce;
use tokio_util::sync::CancellationToken;

use crate::tasks::TaskHandle;

/// What a request is besides an answer in the making: see `Ctx::start_task`.
const NO_TASK: u8 = 0;
const MAY_BECOME_TASK: u8 = 1;
const BECOMES_TASK: u8 = 2;

/// See the module.
#[derive(Default)]
pub(crate) struct Run {
    cancel: CancellationToken,
    task_state: AtomicU8,
    task: SetOnce<TaskHandle>,
    /// Whoever runs the handler and has to hear of what it waits for.
    driver: AtomicWaker,
}

impl Run {
    /// Ends it, with what it spawned.
    pub(crate) fn cancel(&self) {
        self.cancel.cancel();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    pub(crate) async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Asks for it to go on as a task, where it may, and waits until it does.
    pub(crate) async fn start_task(&self) {
        let may = self.task_state.compare_exchange(
            MAY_BECOME_TASK,
            BECOMES_TASK,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if may.is_ok() {
            self.wake_driver();
        }
        if self.task_state.load(Ordering::Acquire) == BECOMES_TASK {
            self.task.wait().await;
        }
    }

    /// The task that it has become.
    pub(crate) fn task(&self) -> Option<&TaskHandle> {
        self.task.get()
    }

    /// Completes when it has become a task.
    pub(crate) async fn becoming_task(&self) -> &TaskHandle {
        self.task.wait().await
    }

    /// Lets the handler turn it into a task.
    pub(crate) fn may_become_task(&self) {
        self.task_state.store(MAY_BECOME_TASK, Ordering::Release);
    }

    /// Whether the handler may do so.
    pub(crate) fn can_become_task(&self) -> bool {
        self.task_state.load(Ordering::Acquire) != NO_TASK
    }

    /// Whether the handler waits for it to become a task.
    pub(crate) fn becomes_task(&self) -> bool {
        self.task_state.load(Ordering::Acquire) == BECOMES_TASK && self.task().is_none()
    }

    pub(crate) fn set_task(&self, task: TaskHandle) {
        // There is one place that does this, once.
        let _ = self.task.set(task);
    }

    /// Remembers whom to wake when the handler waits for something new.
    pub(crate) fn register_driver(&self, waker: &Waker) {
        self.driver.register(waker);
    }

    pub(crate) fn wake_driver(&self) {
        self.driver.wake();
    }
}
