//! The end of the pipeline: the component itself.

use std::sync::Arc;

use bytes::Bytes;
use rmcp::model::{JsonObject, ReadResourceResult};

use crate::component::{Arguments, BoxFuture, Found, PreparedTool, Prompt, ReadTarget};
use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::middleware::{Endpoint, Request, RequestKind, Response, ResponseFuture, soften};

use super::drive::{Driven, drive};
use super::server::Inner;
use super::task::{self, Beginning};

impl Endpoint for Arc<Inner> {
    fn run(&self, request: Request) -> ResponseFuture<'_> {
        let Request { ctx, kind } = request;
        match kind {
            RequestKind::Tool(call) => match call.tool {
                Some(prepared) => Box::pin(self.call(ctx, prepared, call.arguments)),
                None => refuse(Error::invalid_params(
                    "No such tool; tools/list names them.",
                )),
            },
            RequestKind::Resource(read) => match read.found {
                Some(found) => Box::pin(self.read(ctx, read.uri, found)),
                None => refuse(Error::resource_not_found(read.uri)),
            },
            RequestKind::Prompt(get) => match get.prompt {
                Some(prompt) => Box::pin(self.get(ctx, prompt, get.arguments)),
                None => refuse(Error::invalid_params(
                    "No such prompt; prompts/list names them.",
                )),
            },
            RequestKind::List(list, cursor) => {
                let page = self.components.seen_with(ctx.permit()).pages.page(
                    list,
                    ctx.era(),
                    cursor.as_deref(),
                );
                ready(page.map(encoded).map_err(Error::from))
            }
            RequestKind::Protocol(call) => {
                let work = (call.run)(ctx);
                Box::pin(async move { work.await.map(encoded) })
            }
        }
    }
}

impl Inner {
    /// Takes up the rounds of questions that this request continues.
    async fn open(&self, ctx: &Ctx) -> Result<()> {
        match ctx.rounds() {
            // Rare and large, so it has a place of its own.
            Some(_) => Box::pin(self.sealed.open(ctx)).await,
            None => Ok(()),
        }
    }

    async fn call(
        self: &Arc<Self>,
        ctx: Ctx,
        prepared: Arc<PreparedTool>,
        arguments: Arguments,
    ) -> Result<Response> {
        self.open(&ctx).await?;
        let beginning = match task::beginning(&ctx, &prepared) {
            Ok(beginning) => beginning,
            Err(error) => return soften(error, &ctx, Some(&prepared.tool.label)),
        };
        let label = &prepared.tool.label;
        let work = (prepared.tool.run)(ctx.clone(), (), arguments);
        if let Beginning::Task = beginning {
            return Box::pin(self.begin_task(ctx, prepared, work)).await;
        }
        let done = match drive(&ctx, label, work).await {
            Driven::Done(done) => done,
            Driven::Asked => {
                return self
                    .sealed
                    .close(&ctx)
                    .map(Response::InputRequired)
                    .or_else(|error| soften(error, &ctx, Some(label)));
            }
            Driven::Task(work) => return Box::pin(self.begin_task(ctx, prepared, work)).await,
        };
        let result = match done {
            Ok(result) => result,
            Err(error) => return soften(error, &ctx, Some(label)),
        };
        #[cfg(debug_assertions)]
        if !result.is_error {
            check_output(&prepared, result.structured.as_ref())?;
        }
        Ok(Response::Tool(result.into_wire()))
    }

    async fn read(&self, ctx: Ctx, uri: String, found: Found) -> Result<Response> {
        self.open(&ctx).await?;
        let target = |mime_type: &Option<String>| ReadTarget {
            uri: uri.clone(),
            mime_type: mime_type.clone(),
        };
        let (work, hint, label): (BoxFuture<'static, _>, _, _) = match found {
            Found::Resource(resource) => {
                let target = target(&resource.definition.mime_type);
                let work = (resource.run)(ctx.clone(), (), target);
                (work, resource.settings.hint, Arc::clone(&resource.label))
            }
            Found::Template(prepared, variables) => {
                let variables = prepared.check(variables)?;
                let template = &prepared.template;
                let target = target(&template.definition.mime_type);
                let work = (template.run)(ctx.clone(), (), (target, variables));
                (work, template.settings.hint, Arc::clone(&template.label))
            }
        };
        match drive(&ctx, &label, work).await {
            Driven::Done(contents) => match contents? {
                // "Nothing there" is an error on the wire (`server/resources#error-handling`).
                contents if contents.is_empty() => Err(Error::resource_not_found(uri)),
                contents => Ok(Response::Resource(ReadResourceResult::new(contents), hint)),
            },
            Driven::Asked | Driven::Task(_) => self.sealed.close(&ctx).map(Response::InputRequired),
        }
    }

    async fn get(&self, ctx: Ctx, prompt: Arc<Prompt>, arguments: JsonObject) -> Result<Response> {
        let arguments = prompt.check(arguments)?;
        self.open(&ctx).await?;
        let work = (prompt.run)(ctx.clone(), (), arguments);
        match drive(&ctx, &prompt.label, work).await {
            Driven::Done(result) => {
                let mut result = result?;
                if result.description.is_none() {
                    result
                        .description
                        .clone_from(&prompt.definition.description);
                }
                Ok(Response::Prompt(result))
            }
            Driven::Asked | Driven::Task(_) => self.sealed.close(&ctx).map(Response::InputRequired),
        }
    }
}

fn encoded(json: Bytes) -> Response {
    Response::Encoded {
        json,
        is_error: false,
    }
}

fn ready<'a>(outcome: Result<Response>) -> ResponseFuture<'a> {
    Box::pin(std::future::ready(outcome))
}

fn refuse<'a>(error: Error) -> ResponseFuture<'a> {
    ready(Err(error))
}

#[cfg(debug_assertions)]
fn check_output(
    prepared: &crate::component::PreparedTool,
    structured: Option<&serde_json::Value>,
) -> Result<()> {
    let Some(schema) = &prepared.output else {
        return Ok(());
    };
    let complaint = match structured {
        Some(value) => schema.complain(value),
        None => Some("structured content is missing".into()),
    };
    match complaint {
        Some(complaint) => Err(Error::internal(format!(
            "the tool '{}' breaks its output schema: {complaint}",
            prepared.tool.name()
        ))),
        None => Ok(()),
    }
}
