//! What the calls of a principal may cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rmcp::model::MetaObject;
use serde_json::{Value, json};

use crate::context::Ctx;
use crate::error::Error;
use crate::error::Result;
use crate::limits::{Budget, BudgetLimits, Exceeded, Limit, Spent};
use crate::metrics::{Metrics, readings};
use crate::store::{BudgetStore, Spending};
use crate::wire::RpcError;

use super::{Middleware, Next, Request, RequestKind, Response, ResponseFuture, tool_error};

/// The member of `_meta` that has the error of a tool with an output schema: the official TypeScript client holds structured
/// content against the schema in errors too, and would show its user that complaint instead of the sentence.
const ERROR: &str = "server-kit/error";

pub(super) struct SpendBudget {
    /// What is counted in this process: all, or what cannot be counted together at the moment.
    local: Budget,
    shared: Option<Shared>,
}

struct Shared {
    store: Arc<dyn BudgetStore>,
    limits: BudgetLimits,
    /// Calls that were counted here although they should have been counted there.
    counted_here: Arc<AtomicU64>,
}

impl SpendBudget {
    /// `None` when nothing is limited. With a store the budgets are those of all replicas.
    pub(super) fn new(
        limits: &BudgetLimits,
        store: Option<Arc<dyn BudgetStore>>,
        metrics: &[Metrics],
    ) -> Option<Self> {
        let local = Budget::new(limits)?;
        let shared = store.map(|store| Shared {
            store,
            limits: limits.clone(),
            counted_here: Arc::default(),
        });
        if let Some(shared) = &shared {
            for metrics in metrics {
                let count = Arc::clone(&shared.counted_here);
                metrics.read(&readings::BUDGETS_LOCAL, "", move || {
                    count.load(Ordering::Relaxed)
                });
            }
        }
        Some(Self { local, shared })
    }
}

impl Shared {
    /// Spends of the budgets of all replicas; where these cannot be counted, of this replica's part of them.
    async fn spend(
        &self,
        local: &Budget,
        ctx: &Ctx,
        tool: Option<&str>,
        cost: u32,
    ) -> std::result::Result<(), Spent> {
        let own = tool.and_then(|name| Some((name, *self.limits.tools.get(name)?)));
        let own = own.map(|(name, rate)| (Limit::ToolBudget, Spending { name, rate, cost }));
        let all = self.limits.per_principal.map(|rate| {
            let name = "";
            (Limit::Budget, Spending { name, rate, cost })
        });
        let (limits, spendings): (Vec<_>, Vec<_>) = own.into_iter().chain(all).unzip();
        if spendings.is_empty() || cost == 0 {
            return Ok(());
        }
        match self.store.spend(ctx.principal(), &spendings).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(overspent)) => {
                let limit = limits.get(overspent.index).copied();
                let limit = limit.unwrap_or(Limit::Budget);
                limit.count();
                let exceeded = overspent.exceeded;
                Err(Spent { limit, exceeded })
            }
            Err(_) => {
                self.counted_here.fetch_add(1, Ordering::Relaxed);
                // As if each replica had its part of the bucket.
                let part = cost.saturating_mul(self.store.replicas().max(1));
                local.spend(ctx.principal(), tool, part)
            }
        }
    }
}

impl Middleware for SpendBudget {
    fn on_request<'a>(&'a self, request: Request, next: Next<'a>) -> ResponseFuture<'a> {
        let Some(settings) = request.kind.settings() else {
            return next.run(request);
        };
        let cost = settings.cost;
        // Who is anonymous has no budget.
        if let Some(shared) = &self.shared
            && request.ctx.principal().subject().is_some()
        {
            return Box::pin(async move {
                let spent = {
                    let tool = tool_of(&request.kind);
                    shared.spend(&self.local, &request.ctx, tool, cost).await
                };
                match spent {
                    Ok(()) => next.run(request).await,
                    Err(spent) => refuse(&request.kind, &spent),
                }
            });
        }
        let spent = self
            .local
            .spend(request.ctx.principal(), tool_of(&request.kind), cost);
        match spent {
            Ok(()) => next.run(request),
            Err(spent) => Box::pin(std::future::ready(refuse(&request.kind, &spent))),
        }
    }
}

fn tool_of(kind: &RequestKind) -> Option<&str> {
    match kind {
        RequestKind::Tool(call) => Some(&*call.name),
        _ => None,
    }
}

fn refuse(kind: &RequestKind, spent: &Spent) -> Result<Response> {
    let Exceeded { rate, .. } = spent.exceeded;
    let seconds = spent.exceeded.retry_after_seconds();
    let RequestKind::Tool(call) = kind else {
        let sentence = format!("The rate limit of {rate} is reached; try again in {seconds} s.");
        return Err(Error::from(RpcError::rate_limited(sentence, seconds)));
    };
    let of = match spent.limit {
        Limit::ToolBudget => format!(" for '{}'", call.name),
        _ => String::new(),
    };
    let sentence = format!("The rate limit of {rate}{of} is reached; try again in {seconds} s.");
    let error = json!({
        "type": "rate_limited",
        "limit": rate.to_string(),
        "retry_after_seconds": seconds,
    });
    let mut response = tool_error(sentence);
    if let Response::Tool(result) = &mut response {
        let tool = call.tool();
        match tool.is_some_and(|tool| tool.definition().output_schema.is_some()) {
            true => result.meta = Some(meta(error)),
            false => result.structured_content = Some(json!({ "error": error })),
        }
    }
    Ok(response)
}

fn meta(error: Value) -> MetaObject {
    MetaObject::from(serde_json::Map::from_iter([(ERROR.to_owned(), error)]))
}
