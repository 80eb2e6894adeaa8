//! One metric for each set of labels, of which there is a bounded number.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use prometheus_client::encoding::MetricEncoder;

use crate::telemetry::{Outcome, Served};

use super::histogram::Histogram;

/// Sets of labels that are kept apart; what comes after that counts as `other`.
pub const MAX_SERIES: usize = 2000;

/// What stands for all that is not known, or too much.
const OTHER: &str = "other";

/// The attributes of an operation (OpenTelemetry, semantic conventions for MCP), with names of Prometheus.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Operation<'a> {
    method: &'static str,
    tool: Option<Cow<'a, str>>,
    prompt: Option<Cow<'a, str>>,
    error: Option<ErrorType>,
    revision: &'static str,
    transport: &'static str,
}

/// `error.type`: a word, or the code of a JSON-RPC error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ErrorType {
    Word(&'static str),
    Code(i32),
}

impl<'a> Operation<'a> {
    pub(super) fn of(served: &Served<'a>) -> Self {
        // A name that is no component's is the client's word.
        let named = |method: &str, kind: &str| {
            (served.method == method).then(|| {
                let component = served.component.filter(|component| component.kind == kind);
                Cow::Borrowed(component.map_or(OTHER, |component| component.name))
            })
        };
        Self {
            method: served.method,
            tool: named("tools/call", "tool"),
            prompt: named("prompts/get", "prompt"),
            error: match (served.outcome, served.code) {
                (Outcome::Error, Some(code)) => Some(ErrorType::Code(code)),
                (outcome, _) if outcome.is_failure() => Some(ErrorType::Word(outcome.as_str())),
                _ => None,
            },
            revision: served.revision,
            transport: served.transport.network(),
        }
    }

    /// What it counts as where there are too many: a set of which there are few.
    fn surplus(self) -> Operation<'static> {
        let other = |name: Option<Cow<'_, str>>| name.map(|_| Cow::Borrowed(OTHER));
        Operation {
            method: self.method,
            tool: other(self.tool),
            prompt: other(self.prompt),
            error: self.error.map(|_| ErrorType::Word(OTHER)),
            revision: self.revision,
            transport: self.transport,
        }
    }

    fn owned(self) -> Operation<'static> {
        let owned = |name: Option<Cow<'_, str>>| name.map(|name| Cow::Owned(name.into_owned()));
        Operation {
            method: self.method,
            tool: owned(self.tool),
            prompt: owned(self.prompt),
            error: self.error,
            revision: self.revision,
            transport: self.transport,
        }
    }

    fn labels(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let error = self.error.map(|error| match error {
            ErrorType::Word(word) => Cow::Borrowed(word),
            ErrorType::Code(code) => Cow::Owned(code.to_string()),
        });
        [
            ("mcp_method_name", Some(Cow::Borrowed(self.method))),
            ("gen_ai_tool_name", self.tool.as_deref().map(Cow::Borrowed)),
            (
                "gen_ai_prompt_name",
                self.prompt.as_deref().map(Cow::Borrowed),
            ),
            ("error_type", error),
            ("mcp_protocol_version", Some(Cow::Borrowed(self.revision))),
            ("network_transport", Some(Cow::Borrowed(self.transport))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// The histograms of all operations.
#[derive(Debug, Default)]
pub(super) struct Operations(RwLock<HashMap<Operation<'static>, Histogram>>);

impl Operations {
    /// Counts one. There is a lock, which is taken for reading and never waited at but when a set of labels is new.
    pub(super) fn served(&self, served: &Served<'_>) {
        let operation = Operation::of(served);
        let full = {
            let series = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = look_up(&series, &operation) {
                return found.observe(served.duration);
            }
            series.len() >= MAX_SERIES
        };
        let operation = match full {
            true => operation.surplus(),
            false => operation.owned(),
        };
        let mut series = self.0.write().unwrap_or_else(PoisonError::into_inner);
        series
            .entry(operation)
            .or_default()
            .observe(served.duration);
    }

    pub(super) fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let series = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for (operation, histogram) in &*series {
            let labels = operation.labels();
            histogram.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.read().unwrap().len()
    }
}

/// Looks up what lives shorter than the keys.
fn look_up<'m, 'a>(
    series: &'m HashMap<Operation<'a>, Histogram>,
    operation: &Operation<'a>,
) -> Option<&'m Histogram> {
    series.get(operation)
}
