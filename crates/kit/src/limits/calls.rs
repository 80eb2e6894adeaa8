//! The bounds of calls.

use std::time::Duration;

use super::{BudgetLimits, ConcurrencyLimits};

/// Bounds of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallLimits {
    /// Time one request may take, without the time the client takes to answer questions.
    /// Default 30 s; a component can set its own.
    pub timeout: Duration,
    /// Time the client has to answer a question (elicitation, sampling). Default 10 min.
    pub ask_timeout: Duration,
    /// Time after which a question of a legacy session over HTTP ends that nobody can hear: the
    /// response that carries it is not read. A client that resumes the response before that keeps its
    /// question. Default 60 s.
    pub ask_unread: Duration,
    /// Questions that one legacy session, or stdio process, is asked at a time. A call that asks one
    /// more is told that it was not asked. Default 16.
    pub questions_per_session: usize,
    /// Questions of one caller that wait for legacy clients. Default 256.
    pub questions_per_caller: usize,
    /// Questions that wait for legacy clients in all. A call that waits takes no place among those
    /// in flight; once it is answered it goes on in any case, so there can be this many more of them
    /// than [`CallLimits::in_flight`] for a moment. Default 1,024.
    pub questions: usize,
    /// Rounds of questions that one call of a modern client may have; each of them may take
    /// [`CallLimits::ask_timeout`]. Default 8.
    pub ask_rounds: usize,
    /// Bytes of what such a call carries from round to round. Default 64 KiB.
    pub ask_state_bytes: usize,
    /// Subscriptions (`subscriptions/listen`) of one caller. Default 128.
    pub subscriptions_per_caller: usize,
    /// Subscriptions open in all. A caller never has more than are left for others; they take nothing
    /// from calls. Default 512.
    pub subscriptions: usize,
    /// Time that a subscription lasts at least. When there is no place for another, the oldest one
    /// that has lasted so long ends with its result, which tells its client to come back, unless its
    /// caller has no more of them than the one who comes. Default 60 s.
    pub subscription_turn: Duration,
    /// Requests in flight on one connection. Default 256.
    pub in_flight_per_connection: usize,
    /// Requests in flight of one caller: of one address, and on loopback of one connection or
    /// session. Default 256.
    pub in_flight_per_caller: usize,
    /// Requests in flight in all, without those that wait for their client and without
    /// subscriptions. A caller never has more than are left for others. Default 1,024.
    pub in_flight: usize,
    /// Blocking handlers ([`Tool::blocking`](crate::Tool::blocking)) that run at a time, with those whose call has ended. A
    /// call for which there is no place waits for one within its time. Default 64.
    pub blocking: usize,
    /// Blocking handlers of one caller. Default 32.
    pub blocking_per_caller: usize,
    /// Bytes of one result. Default 1 MiB.
    pub result_bytes: usize,
    /// Time after which a call that reports no progress says that it goes on, if its client sent a
    /// progress token, and again after each such time: clients that wait for a time without progress
    /// wait on. Zero switches it off. Default 15 s.
    pub heartbeat: Duration,
    /// What the calls of one principal may cost. Default: no limit.
    pub budget: BudgetLimits,
    /// How many calls run at a time, and how many wait in turn. Default: no limit.
    pub concurrency: ConcurrencyLimits,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            ask_timeout: Duration::from_secs(600),
            ask_unread: Duration::from_secs(60),
            questions_per_session: 16,
            questions_per_caller: 256,
            questions: 1024,
            ask_rounds: 8,
            ask_state_bytes: 64 << 10,
            subscriptions_per_caller: 128,
            subscriptions: 512,
            subscription_turn: Duration::from_secs(60),
            in_flight_per_connection: 256,
            in_flight_per_caller: 256,
            in_flight: 1024,
            blocking: 64,
            blocking_per_caller: 32,
            result_bytes: 1 << 20,
            heartbeat: Duration::from_secs(15),
            budget: BudgetLimits::default(),
            concurrency: ConcurrencyLimits::default(),
        }
    }
}
