//! What the client hears of a call's progress: what the handler reports, and a sign of life while it
//! reports nothing.
//!
//! `progress` has to increase with every notification, in all revisions. A heartbeat adds next to
//! nothing to what was said last, so that a handler that goes on with the smallest of steps is still
//! heard: what it reports then goes out as it is, or just above the last heartbeat.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tokio::time::Instant;

use crate::wire::{self, Id};

use super::Ctx;

/// What a heartbeat adds. Clients show it nowhere, and the coarsest of number types can tell it.
const STEP: f64 = 1e-6;

/// The progress of one request whose client wants to hear of it.
pub(super) struct Progress {
    token: Id,
    state: Mutex<State>,
}

struct State {
    /// What the handler has reported last.
    reported: f64,
    total: Option<f64>,
    /// What the client was told last.
    told: f64,
    /// When it was told that.
    at: Option<Instant>,
}

impl State {
    /// What the client is told instead of `progress`, so that it hears of an increase.
    fn increase(&mut self, progress: f64) -> Option<f64> {
        let least = match self.told + STEP {
            more if more > self.told => more,
            _ => self.told.next_up(),
        };
        let told = match progress > self.told {
            true => progress,
            false => least,
        };
        if !told.is_finite() {
            return None;
        }
        self.told = told;
        self.at = Some(Instant::now());
        Some(told)
    }
}

impl Progress {
    pub(super) fn new(token: Id) -> Self {
        Self {
            token,
            state: Mutex::new(State {
                reported: f64::NEG_INFINITY,
                total: None,
                told: f64::NEG_INFINITY,
                at: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned lock still guards sound state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The notification for what the handler reports, unless it is no increase.
    fn report(&self, progress: f64, total: Option<f64>, message: Option<&str>) -> Option<Bytes> {
        let progress = {
            let mut state = self.state();
            if !progress.is_finite() || progress <= state.reported {
                return None;
            }
            state.reported = progress;
            state.total = total;
            state.increase(progress)?
        };
        Some(self.notification(progress, total, message))
    }

    /// The notification for a handler that reports nothing.
    fn beat(&self, message: &str) -> Option<Bytes> {
        let (progress, total) = {
            let mut state = self.state();
            let progress = match state.at {
                None => state.increase(0.0)?,
                Some(_) => state.increase(f64::NEG_INFINITY)?,
            };
            // Past the end is no progress.
            (progress, state.total.filter(|total| progress <= *total))
        };
        Some(self.notification(progress, total, Some(message)))
    }

    fn notification(&self, progress: f64, total: Option<f64>, message: Option<&str>) -> Bytes {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Params<'a> {
            progress_token: &'a Id,
            progress: f64,
            #[serde(skip_serializing_if = "Option::is_none")]
            total: Option<f64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            message: Option<&'a str>,
        }
        let params = Params {
            progress_token: &self.token,
            progress,
            total,
            message,
        };
        wire::notification("notifications/progress", &params)
    }
}

impl Ctx {
    /// Reports progress, if the client asked for it. `progress` must grow from call to call; a
    /// value that does not, or is not finite, is dropped (specification `patterns/progress`).
    ///
    /// A handler that reports nothing for a while is reported to go on, without its doing
    /// ([`CallLimits::heartbeat`](crate::CallLimits::heartbeat)).
    ///
    /// Of a task the message becomes its status message.
    pub async fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) {
        if let Some(task) = self.task() {
            if let Some(message) = message {
                task.set_message(message).await;
            }
            return;
        }
        let told = self.0.progress.as_ref();
        if let Some(said) = told.and_then(|told| told.report(progress, total, message)) {
            self.0.outbox.send(said).await;
        }
    }

    /// Whether the client wants to hear of progress.
    pub(crate) fn wants_progress(&self) -> bool {
        self.0.progress.is_some()
    }

    /// When the client was told of progress last; `None` before the first time.
    pub(crate) fn progress_told(&self) -> Option<Instant> {
        self.0.progress.as_ref()?.state().at
    }

    /// The message that the request goes on; `None` where nobody would hear it.
    pub(crate) fn heartbeat(&self) -> Option<Bytes> {
        if self.task().is_some() || self.is_unread() {
            return None;
        }
        self.0.progress.as_ref()?.beat(match self.is_asking() {
            true => "Waiting for an answer of the client.",
            false => "Still working.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(message: Option<Bytes>) -> Option<(f64, Option<f64>)> {
        let message: serde_json::Value = serde_json::from_slice(&message?).unwrap();
        let params = &message["params"];
        assert_eq!(params["progressToken"], 7);
        Some((
            params["progress"].as_f64().unwrap(),
            params["total"].as_f64(),
        ))
    }

    #[tokio::test]
    async fn what_the_client_hears_increases_and_no_report_is_lost() {
        let progress = Progress::new(Id::number(7));
        let mut heard = Vec::new();
        let steps: [(Option<f64>, bool); 11] = [
            (None, true),
            (None, true),
            (Some(0.0), true),
            (Some(0.0), false),
            (Some(-1.0), false),
            (Some(f64::NAN), false),
            (Some(f64::INFINITY), false),
            (Some(1e-9), true),
            (None, true),
            (Some(5.0), true),
            (None, true),
        ];
        for (report, is_heard) in steps {
            let said = params(match report {
                Some(value) => progress.report(value, Some(5.0), None),
                None => progress.beat("Still working."),
            });
            assert_eq!(said.is_some(), is_heard, "{report:?}");
            heard.extend(said);
        }
        assert!(heard.windows(2).all(|two| two[0].0 < two[1].0), "{heard:?}");
        assert_eq!(heard[0], (0.0, None));
        // As it was reported, with its total; beyond that there is none.
        assert_eq!(heard[heard.len() - 2], (5.0, Some(5.0)));
        assert_eq!(heard[heard.len() - 1].1, None);
        assert!(heard[3].0 < 1e-5, "{heard:?}");
    }

    #[tokio::test]
    async fn the_largest_numbers_increase_too() {
        let progress = Progress::new(Id::number(7));
        for value in [-1e300, 1e17, f64::MAX.next_down()] {
            let before = params(progress.report(value, None, None)).unwrap().0;
            assert_eq!(before, value);
            assert!(params(progress.beat("Still working.")).unwrap().0 > value);
        }
        // There is nothing above.
        assert_eq!(params(progress.beat("Still working.")), None);
    }
}
