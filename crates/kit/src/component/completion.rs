//! Suggestions for the arguments of prompts and the variables of resource templates.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::context::Ctx;
use crate::error::{HandlerError, Result};

use super::BoxFuture;
use super::handler::{Handler, Run, finish, with_state};

/// Suggestions that one answer may hold (`server/utilities/completion`).
const MAX_VALUES: usize = 100;

/// What the user has typed so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompletionRequest {
    /// In the argument that is being completed.
    pub value: String,
    /// In the other arguments: for suggestions that depend on them.
    pub arguments: BTreeMap<String, String>,
}

/// Suggestions, the best first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Completion {
    values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    has_more: bool,
}

impl Completion {
    /// These suggestions; the first 100 of them leave the server.
    pub fn of<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Self {
        let mut values = values.into_iter().map(Into::into);
        let first: Vec<String> = values.by_ref().take(MAX_VALUES).collect();
        let total = first.len() + values.count();
        Self {
            has_more: total > first.len(),
            values: first,
            total: Some(total),
        }
    }

    /// Those of the candidates that fit what was typed, whatever the case of the letters: first
    /// those that start with it, then those that hold it, then those that hold its letters in order.
    pub fn matching<T: AsRef<str>>(typed: &str, candidates: impl IntoIterator<Item = T>) -> Self {
        let typed = typed.to_lowercase();
        let mut fitting: Vec<(u8, String)> = candidates
            .into_iter()
            .filter_map(|candidate| {
                let candidate = candidate.as_ref();
                Some((
                    rank(&typed, &candidate.to_lowercase())?,
                    candidate.to_owned(),
                ))
            })
            .collect();
        // Stable: those that fit equally well stay in their order.
        fitting.sort_by_key(|(rank, _)| *rank);
        Self::of(fitting.into_iter().map(|(_, candidate)| candidate))
    }

    /// How many there are in all, when there are more than are handed out.
    pub fn total(mut self, total: usize) -> Self {
        self.has_more = total > self.values.len();
        self.total = Some(total);
        self
    }

    /// The suggestions.
    pub fn values(&self) -> &[String] {
        &self.values
    }
}

fn rank(typed: &str, candidate: &str) -> Option<u8> {
    if candidate.starts_with(typed) {
        return Some(0);
    }
    if candidate.contains(typed) {
        return Some(1);
    }
    let mut letters = candidate.chars();
    let in_order = typed
        .chars()
        .all(|wanted| letters.any(|letter| letter == wanted));
    in_order.then_some(2)
}

/// The completions of one component, by argument.
#[derive(Default)]
pub(crate) struct Completers(HashMap<String, Run<(), CompletionRequest, Completion>>);

impl Completers {
    pub(crate) fn add<S, H, M, K>(&mut self, argument: String, state: S, complete: H)
    where
        S: Clone + Send + Sync + 'static,
        H: Handler<M, S, Args = CompletionRequest, Value = Completion>,
        H::Error: HandlerError<K>,
        H::Future: Send + 'static,
    {
        let run: Run<S, CompletionRequest, Completion> =
            Box::new(move |ctx, state, typing| finish(complete.call(ctx, state, typing), Ok));
        self.0.insert(argument, with_state(run, state));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The arguments for which something is suggested, in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The first completed argument that the component does not have.
    pub(crate) fn stranger(&self, has: impl Fn(&str) -> bool) -> Option<&str> {
        self.names().find(|name| !has(name))
    }

    /// `None` when nothing is suggested for this argument.
    pub(crate) fn complete(
        &self,
        ctx: Ctx,
        argument: &str,
        typing: CompletionRequest,
    ) -> Option<BoxFuture<'static, Result<Completion>>> {
        Some(self.0.get(argument)?(ctx, (), typing))
    }
}

/// Builder methods of every kind of component that completes something.
macro_rules! completion_builders {
    () => {
        /// Suggests values for an argument, or a variable, while the user types: `complete` is an
        /// `async fn(Ctx, CompletionRequest) -> Result<Completion>`; see [`Completion`](crate::Completion).
        pub fn complete<H, M, K>(self, argument: impl Into<String>, complete: H) -> Self
        where
            H: Handler<
                    M,
                    (),
                    Args = $crate::component::CompletionRequest,
                    Value = $crate::component::Completion,
                >,
            H::Error: HandlerError<K>,
            H::Future: Send + 'static,
        {
            self.complete_with(argument, (), complete)
        }

        /// The same with state, a clone of it for each call:
        /// `async fn(Ctx, State, CompletionRequest) -> Result<Completion>`.
        pub fn complete_with<T, H, M, K>(
            mut self,
            argument: impl Into<String>,
            state: T,
            complete: H,
        ) -> Self
        where
            T: Clone + Send + Sync + 'static,
            H: Handler<
                    M,
                    T,
                    Args = $crate::component::CompletionRequest,
                    Value = $crate::component::Completion,
                >,
            H::Error: HandlerError<K>,
            H::Future: Send + 'static,
        {
            self.completers.add(argument.into(), state, complete);
            self
        }
    };
}
pub(super) use completion_builders;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_fit_comes_first() {
        let all = ["Rust", "Ruby", "TypeScript", "Crystal", "Go"];
        assert_eq!(Completion::matching("ru", all).values(), ["Rust", "Ruby"]);
        assert_eq!(
            Completion::matching("r", all).values(),
            ["Rust", "Ruby", "TypeScript", "Crystal"]
        );
        assert_eq!(Completion::matching("tp", all).values(), ["TypeScript"]);
        assert_eq!(Completion::matching("", all).values().len(), 5);
        assert!(Completion::matching("x", all).values().is_empty());
    }

    #[test]
    fn no_more_than_a_hundred_leave() {
        let many = Completion::of((0..250).map(|n| n.to_string()));
        assert_eq!(many.values().len(), 100);
        assert_eq!(
            serde_json::to_value(&many).unwrap()["total"],
            serde_json::json!(250)
        );
        assert!(many.has_more);
        assert!(!Completion::of(["a"]).has_more);
        assert!(Completion::of(["a"]).total(7).has_more);
    }
}
