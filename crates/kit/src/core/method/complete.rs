//! `completion/complete`: suggestions while the user types.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};

use crate::auth::Permit;
use crate::component::{
    Completers, Completion, CompletionRequest, MAX_URI, PreparedTemplate, Prompt,
};
use crate::core::server::Server;
use crate::error::Error;
use crate::label::Label;
use crate::middleware::RequestKind;
use crate::wire::RpcError;

use super::{Incoming, no_such_method, result, shape};

pub(super) fn complete(server: &Server, incoming: &Incoming<'_>) -> Result<RequestKind, RpcError> {
    #[derive(Deserialize)]
    struct Argument {
        name: String,
        value: String,
    }
    #[derive(Default, Deserialize)]
    struct Context {
        arguments: Option<BTreeMap<String, String>>,
    }
    #[derive(Deserialize)]
    struct Params {
        r#ref: Named,
        argument: Argument,
        context: Option<Context>,
    }
    if !server.inner().exposed().completions {
        return Err(no_such_method());
    }
    let params: Params = incoming.typed()?;
    let reference = params.r#ref.read()?;
    let server = server.clone();
    Ok(incoming.served(move |ctx| async move {
        let subject = Completed::find(&server, ctx.permit(), reference)?;
        let argument = params.argument;
        if !subject.has(&argument.name) {
            return Err(Error::invalid_params(
                "\"argument.name\" is none of those that \"ref\" has.",
            ));
        }
        let most = subject.max_bytes();
        let too_long = |member: &str| {
            let sentence = format!("\"{member}\" can have at most {most} bytes.");
            Error::invalid_params(sentence)
        };
        if argument.value.len() > most {
            return Err(too_long("argument.value"));
        }
        let context = params.context.unwrap_or_default();
        let mut arguments = context.arguments.unwrap_or_default();
        if arguments
            .iter()
            .any(|(name, value)| name.len() + value.len() > most)
        {
            return Err(too_long("context.arguments"));
        }
        // Others would be kept for as long as the suggestions take.
        arguments.retain(|name, _| subject.has(name));
        ctx.is_for(subject.label());
        let typing = CompletionRequest {
            value: argument.value,
            arguments,
        };
        let work = subject
            .completers()
            .complete(ctx.clone(), &argument.name, typing);
        let completion = match work {
            Some(work) => subject.label().run(work).await?,
            None => Completion::default(),
        };
        result(&ctx, serde_json::json!({ "completion": completion }))
    }))
}

/// What a client completes.
enum Reference {
    Prompt { name: String },
    Resource { uri: String },
}

/// How it names that.
#[derive(Deserialize)]
struct Named {
    #[serde(deserialize_with = "of")]
    r#type: Of,
    name: Option<String>,
    uri: Option<String>,
}

impl Named {
    fn read(self) -> Result<Reference, RpcError> {
        let read = match self.r#type {
            Of::Prompt => self
                .name
                .map(|name| Reference::Prompt { name })
                .ok_or("name"),
            Of::Resource => self.uri.map(|uri| Reference::Resource { uri }).ok_or("uri"),
        };
        read.map_err(|missing| {
            RpcError::invalid_params(format!(
                "Invalid params for completion/complete: missing field \"ref.{missing}\"."
            ))
        })
    }
}

#[derive(Clone, Copy)]
enum Of {
    Prompt,
    Resource,
}

fn of<'de, D: Deserializer<'de>>(json: D) -> Result<Of, D::Error> {
    shape::one_of(json, &["ref/prompt", "ref/resource"], |word| match word {
        "ref/prompt" => Some(Of::Prompt),
        "ref/resource" => Some(Of::Resource),
        _ => None,
    })
}

/// What a completion is for.
enum Completed {
    Prompt(Arc<Prompt>),
    Template(Arc<PreparedTemplate>),
}

impl Completed {
    fn find(server: &Server, permit: &Permit, reference: Reference) -> Result<Self, RpcError> {
        let components = server.inner().components.seen_with(permit);
        match reference {
            Reference::Prompt { name } => {
                let prompt = components.prompt(&name, permit)?;
                prompt.map(Self::Prompt).ok_or_else(|| {
                    RpcError::invalid_params("No such prompt; prompts/list names them.")
                })
            }
            Reference::Resource { uri } => {
                let template = components.template(&uri, permit)?;
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

    /// Bytes that a value of it can have, and so what is typed of one.
    fn max_bytes(&self) -> usize {
        match self {
            Self::Prompt(prompt) => prompt.argument_bytes,
            Self::Template(_) => MAX_URI,
        }
    }

    fn label(&self) -> &Arc<Label> {
        match self {
            Self::Prompt(prompt) => &prompt.label,
            Self::Template(prepared) => &prepared.template.label,
        }
    }

    fn completers(&self) -> &Completers {
        match self {
            Self::Prompt(prompt) => &prompt.completers,
            Self::Template(prepared) => &prepared.template.completers,
        }
    }
}
