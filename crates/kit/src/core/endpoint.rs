//! The end of the pipeline: the component itself.

use rmcp::model::ReadResourceResult;

use crate::component::{BoxFuture, Found};
use crate::error::{Error, Result};
use crate::middleware::{Flow, Invocation, List, Outcome, Target, soften};

use super::era::Era;
use super::server::Inner;

impl Inner {
    /// The end of the pipeline: the component itself.
    pub(crate) fn run(&self, call: Invocation) -> Flow<'_> {
        let Invocation { ctx, target } = call;
        match target {
            Target::Tool(call) => {
                let Some(prepared) = call.tool else {
                    return refuse(Error::invalid_params(
                        "No such tool; tools/list names them.",
                    ));
                };
                let era = ctx.era();
                let work = (prepared.tool.handler)(ctx, call.arguments);
                Box::pin(async move {
                    let result = match work.await {
                        Ok(result) => result,
                        Err(error) => return soften(error, era),
                    };
                    #[cfg(debug_assertions)]
                    check_output(&prepared, result.structured.as_ref())?;
                    Ok(Outcome::Tool(result.into_wire()))
                })
            }
            Target::Resource(read) => {
                let place = |mime: &Option<String>, uri: String| crate::component::Place {
                    uri,
                    mime_type: mime.clone(),
                };
                let (work, hint): (BoxFuture<'static, _>, _) = match read.found {
                    None => return refuse(Error::resource_not_found(read.uri)),
                    Some(Found::Resource(resource)) => {
                        let place = place(&resource.definition.mime_type, read.uri);
                        ((resource.handler)(ctx, place), resource.settings.hint)
                    }
                    Some(Found::Template(prepared, variables)) => {
                        let template = &prepared.template;
                        let place = place(&template.definition.mime_type, read.uri);
                        match prepared.check(variables) {
                            Ok(variables) => (
                                (template.handler)(ctx, (place, variables)),
                                template.settings.hint,
                            ),
                            Err(error) => return refuse(error),
                        }
                    }
                };
                Box::pin(async move {
                    Ok(Outcome::Resource(
                        ReadResourceResult::new(work.await?),
                        hint,
                    ))
                })
            }
            Target::Prompt(get) => {
                let Some(prompt) = get.prompt else {
                    return refuse(Error::invalid_params(
                        "No such prompt; prompts/list names them.",
                    ));
                };
                if let Err(error) = prompt.check(&get.arguments) {
                    return refuse(error);
                }
                let work = (prompt.handler)(ctx, get.arguments);
                let description = prompt.definition.description.clone();
                Box::pin(async move {
                    let mut result = work.await?;
                    result.description = result.description.or(description);
                    Ok(Outcome::Prompt(result))
                })
            }
            Target::List(list) => {
                let lists = match ctx.era() {
                    Era::Legacy => &self.legacy,
                    Era::Modern => &self.modern,
                };
                let json = match list {
                    List::Tools => &lists.tools,
                    List::Resources => &lists.resources,
                    List::Templates => &lists.templates,
                    List::Prompts => &lists.prompts,
                };
                ready(Ok(Outcome::Encoded {
                    json: json.clone(),
                    is_error: false,
                }))
            }
            Target::Protocol(call) => ready(
                (call.run)()
                    .map(|json| Outcome::Encoded {
                        json,
                        is_error: false,
                    })
                    .map_err(Error::from),
            ),
        }
    }
}

fn ready<'a>(outcome: Result<Outcome>) -> Flow<'a> {
    Box::pin(std::future::ready(outcome))
}

fn refuse<'a>(error: Error) -> Flow<'a> {
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
