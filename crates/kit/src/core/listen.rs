//! `subscriptions/listen`: the stream on which modern clients hear of changes
//! (`basic/patterns/subscriptions`).

use std::pin::pin;

use bytes::Bytes;
use rmcp::model::TASKS_EXTENSION_ID;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::component::{Interests, Mailbox, News, is_uri, normalize};
use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::middleware::server_info;
use crate::protocol::SERVER_INFO;
use crate::wire::{self, Id, RpcError};

use super::server::Inner;

/// Where a notification says which subscription it is for.
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// URIs, or tasks, that one subscription may name.
const MAX_NAMES: usize = 256;

/// Bytes of a URI that is remembered.
pub(super) const MAX_URI: usize = 2048;

/// The params of the request, and of its acknowledgement.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Params {
    notifications: Filter,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    #[serde(skip_serializing_if = "is_false")]
    tools_list_changed: bool,
    #[serde(skip_serializing_if = "is_false")]
    prompts_list_changed: bool,
    #[serde(skip_serializing_if = "is_false")]
    resources_list_changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_subscriptions: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_ids: Option<Vec<String>>,
}

// serde wants a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

/// Serves one subscription until its client goes away, its place is needed or the server ends.
pub(super) async fn serve(inner: &Inner, ctx: Ctx, params: Params) -> Result<Bytes> {
    let mut honoured = honour(inner, &ctx, params.notifications)?;
    let place = inner.subscriptions.open(ctx.caller(), ctx.connection())?;
    let over = place.over();
    if let Some(ids) = honoured.task_ids.take() {
        let mut own = Vec::new();
        for id in ids {
            if inner.tasks.get(ctx.principal(), &id).await.is_ok() {
                own.push(id);
            }
        }
        honoured.task_ids = Some(own);
    }
    let interests = Interests {
        tools: honoured.tools_list_changed,
        prompts: honoured.prompts_list_changed,
        resources: honoured.resources_list_changed,
        uris: named(&honoured.resource_subscriptions, |uri| {
            normalize(uri).into()
        }),
        tasks: named(&honoured.task_ids, str::to_owned),
    };
    let components = ctx.components();
    let mut interests = interests;
    // What is hidden is as what is not there: nothing is heard of it.
    let seen = components.seen_with(ctx.permit());
    interests.uris.retain(|uri| !seen.hides(uri));
    drop(seen);
    let bus = &components.bus;
    // Before the acknowledgement: nothing that happens after it is missed.
    let mailbox = bus.listen(ctx.principal().clone(), interests);
    // Moved, not borrowed: the subscription keeps its interests only.
    let acknowledged =
        serde_json::to_value(honoured).map(|honoured| json!({ "notifications": honoured }))?;
    tell(
        &ctx,
        over,
        "notifications/subscriptions/acknowledged",
        acknowledged,
    )
    .await;
    let mut ended = pin!(ctx.permit().ended());
    loop {
        let news = tokio::select! {
            biased;
            () = &mut ended => break,
            news = next(&mailbox, over) => news,
        };
        let Some(news) = news else { break };
        match news {
            News::Changed(kind) => tell(&ctx, over, kind.list_changed(), json!({})).await,
            News::Updated(uri) => {
                tell(
                    &ctx,
                    over,
                    "notifications/resources/updated",
                    json!({ "uri": uri }),
                )
                .await;
            }
            News::Task(task) => {
                let task = serde_json::to_value(task.detailed())?;
                tell(&ctx, over, "notifications/tasks", task).await;
            }
        }
    }
    let end = json!({
        "resultType": "complete",
        "_meta": { SUBSCRIPTION_ID: ctx.id(), SERVER_INFO: server_info(&inner.facts) },
    });
    Ok(serde_json::to_vec(&end)?.into())
}

async fn next(mailbox: &Mailbox, over: &CancellationToken) -> Option<News> {
    tokio::select! {
        // However much there is to tell.
        biased;
        () = over.cancelled() => None,
        news = mailbox.next() => Some(news),
    }
}

async fn tell(ctx: &Ctx, over: &CancellationToken, method: &str, mut params: Value) {
    let id: &Id = ctx.id();
    params["_meta"] = json!({ SUBSCRIPTION_ID: id });
    // A client that does not read must not hold up the end, its own or the server's.
    tokio::select! {
        () = ctx.outbox().send(wire::notification(method, &params)) => {}
        () = over.cancelled() => {}
    }
}

/// What of the wishes can be granted; the rest is left out of the acknowledgement.
fn honour(inner: &Inner, ctx: &Ctx, wanted: Filter) -> Result<Filter> {
    let exposed = inner.exposed();
    if wanted.task_ids.is_some() && !ctx.takes_tasks() {
        return Err(Error::missing_capability(
            "Only a client that declares the tasks extension can listen for tasks.",
            json!({ "extensions": { TASKS_EXTENSION_ID: {} } }),
        ));
    }
    for (member, names) in [
        ("resourceSubscriptions", &wanted.resource_subscriptions),
        ("taskIds", &wanted.task_ids),
    ] {
        if names.as_ref().is_some_and(|names| names.len() > MAX_NAMES) {
            return Err(RpcError::invalid_params(format!(
                "\"notifications.{member}\" can have {MAX_NAMES} entries; open another subscription for more."
            ))
            .into());
        }
    }
    let uris = wanted.resource_subscriptions.iter().flatten();
    if uris
        .into_iter()
        .any(|uri| !is_uri(uri) || uri.len() > MAX_URI)
    {
        return Err(RpcError::invalid_params(
            format!(
                "\"notifications.resourceSubscriptions\" must hold absolute URIs of at most {MAX_URI} bytes, without blanks and control characters."
            ),
        )
        .into());
    }
    Ok(Filter {
        tools_list_changed: wanted.tools_list_changed && exposed.tools,
        prompts_list_changed: wanted.prompts_list_changed && exposed.prompts,
        resources_list_changed: wanted.resources_list_changed && exposed.resources,
        resource_subscriptions: wanted.resource_subscriptions.filter(|_| exposed.resources),
        task_ids: wanted.task_ids,
    })
}

fn named<T>(names: &Option<Vec<String>>, read: impl Fn(&str) -> T) -> std::collections::HashSet<T>
where
    T: Eq + std::hash::Hash,
{
    names.iter().flatten().map(|name| read(name)).collect()
}
