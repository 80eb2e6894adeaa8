//! `completion/complete`: suggestions while the user types.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::component::{Completers, Completion, PreparedTemplate, Prompt, Typing};
use crate::core::server::Server;
use crate::error::Error;
use crate::middleware::Target;
use crate::wire::RpcError;

use super::{Incoming, no_such_method, result};

pub(super) fn complete(server: &Server, incoming: &Incoming<'_>) -> Result<Target, RpcError> {
    #[derive(Deserialize)]
    struct Argument {
        name: String,
        value: String,
    }
    #[derive(Default, Deserialize)]
    struct Context {
        #[serde(default)]
        arguments: BTreeMap<String, String>,
    }
    #[derive(Deserialize)]
    struct Params {
        r#ref: Reference,
        argument: Argument,
        #[serde(default)]
        context: Context,
    }
    if server.inner().capabilities.completions.is_none() {
        return Err(no_such_method());
    }
    let params: Params = incoming.typed()?;
    let server = server.clone();
    Ok(incoming.served(move |ctx| async move {
        let subject = Completed::find(&server, params.r#ref)?;
        let argument = params.argument;
        if !subject.has(&argument.name) {
            return Err(Error::invalid_params(
                "\"argument.name\" is none of those that \"ref\" has.",
            ));
        }
        let typing = Typing {
            value: argument.value,
            arguments: params.context.arguments,
        };
        let work = subject
            .completers()
            .complete(ctx.clone(), &argument.name, typing);
        let completion = match work {
            Some(work) => work.await?,
            None => Completion::default(),
        };
        result(&ctx, serde_json::json!({ "completion": completion }))
    }))
}

/// How a client names what it completes.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Reference {
    #[serde(rename = "ref/prompt")]
    Prompt { name: String },
    #[serde(rename = "ref/resource")]
    Resource { uri: String },
}

/// What a completion is for.
enum Completed {
    Prompt(Arc<Prompt>),
    Template(Arc<PreparedTemplate>),
}

impl Completed {
    fn find(server: &Server, reference: Reference) -> Result<Self, RpcError> {
        let components = server.inner().components();
        match reference {
            Reference::Prompt { name } => {
                let prompt = components.registry.prompts.get(&name).cloned();
                prompt.map(Self::Prompt).ok_or_else(|| {
                    RpcError::invalid_params("No such prompt; prompts/list names them.")
                })
            }
            Reference::Resource { uri } => {
                let template = components.registry.find_template(&uri);
                template.map(Self::Template).ok_or_else(|| {
                    RpcError::invalid_params(
                        "\"ref.uri\" is no resource template; resources/templates/list names them.",
                    )
                })
            }
        }
    }

    fn has(&self, argument: &str) -> bool {
        match self {
            Self::Prompt(prompt) => prompt.has_argument(argument),
            Self::Template(prepared) => prepared.template.has_variable(argument),
        }
    }

    fn completers(&self) -> &Completers {
        match self {
            Self::Prompt(prompt) => &prompt.completers,
            Self::Template(prepared) => &prepared.template.completers,
        }
    }
}
