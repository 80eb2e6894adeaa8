//! Prompts.

use rmcp::model::{
    GetPromptResult, JsonObject, Prompt as Definition, PromptArgument, PromptMessage, Role,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::Ctx;
use crate::error::{Error, Result};

use super::completion::{Completers, Completion, Typing};
use super::schema;
use super::{Handler, Settings, common_builders};

/// A prompt: messages for a model, made from named texts.
///
/// ```
/// use pymcp_kit::{Ctx, Prompt, Result};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Args {
///     /// What to write about.
///     topic: String,
/// }
///
/// async fn haiku(_: Ctx, args: Args) -> Result<String> {
///     Ok(format!("Write a haiku about {}.", args.topic))
/// }
///
/// Prompt::new("haiku", haiku).description("Asks for a haiku.");
/// ```
pub struct Prompt {
    pub(crate) definition: Definition,
    pub(crate) settings: Settings,
    pub(crate) completers: Completers,
    pub(crate) handler: Handler<JsonObject, GetPromptResult>,
}

impl Prompt {
    /// A prompt called `name`. The members of `A` are its arguments; they are strings on the wire,
    /// so `A` has `String` and `Option<String>` members.
    pub fn new<A, R, F, Fut>(name: &'static str, handler: F) -> Self
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        R: IntoPrompt + Send + 'static,
        F: Fn(Ctx, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R>> + Send + 'static,
    {
        let arguments = arguments(&schema::input::<A>());
        Self {
            definition: Definition::new(
                name,
                None::<String>,
                (!arguments.is_empty()).then_some(arguments),
            ),
            settings: Settings::default(),
            completers: Completers::default(),
            handler: Box::new(move |ctx, arguments| {
                match serde_json::from_value::<A>(Value::Object(arguments)) {
                    Ok(arguments) => {
                        let render = handler(ctx, arguments);
                        Box::pin(async move { Ok(render.await?.into_prompt()) })
                    }
                    Err(_) => Box::pin(async move {
                        Err(Error::invalid_params(format!(
                            "The arguments of the prompt '{name}' do not fit."
                        )))
                    }),
                }
            }),
        }
    }

    common_builders!();

    /// Suggests values for an argument while the user types: see [`Completion`].
    pub fn complete<F, Fut>(mut self, argument: impl Into<String>, complete: F) -> Self
    where
        F: Fn(Ctx, Typing) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Completion>> + Send + 'static,
    {
        self.completers.add(argument.into(), complete);
        self
    }

    /// The name clients get it by.
    pub fn name(&self) -> &str {
        &self.definition.name
    }

    /// What clients are told of it.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    pub(crate) fn prepare(mut self) -> Result<Self, String> {
        self.definition
            .meta
            .get_or_insert_with(|| self.settings.meta());
        match self.completers.stranger(|name| self.has_argument(name)) {
            Some(name) => Err(format!(
                "it completes '{name}', which is none of its arguments"
            )),
            None => Ok(self),
        }
    }

    pub(crate) fn has_argument(&self, name: &str) -> bool {
        let declared = self.definition.arguments.iter().flatten();
        declared.into_iter().any(|argument| argument.name == name)
    }

    /// Refuses unknown shapes before the handler sees them: every value a string, none missing.
    pub(crate) fn check(&self, given: &JsonObject) -> Result<()> {
        if let Some((name, _)) = given.iter().find(|(_, value)| !value.is_string()) {
            return Err(Error::invalid_params(format!(
                "The prompt argument '{name}' must be a string."
            )));
        }
        let declared = self.definition.arguments.as_deref().unwrap_or_default();
        match declared
            .iter()
            .find(|a| a.required == Some(true) && !given.contains_key(&a.name))
        {
            Some(missing) => Err(Error::invalid_params(format!(
                "The prompt argument '{}' is required.",
                missing.name
            ))),
            None => Ok(()),
        }
    }
}

fn arguments(schema: &JsonObject) -> Vec<PromptArgument> {
    let required: Vec<&str> = schema::required(schema).collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let argument = |(name, property): (&String, &Value)| {
        let mut argument =
            PromptArgument::new(name).with_required(required.contains(&name.as_str()));
        argument.description = property
            .get("description")
            .and_then(Value::as_str)
            .map(str::to_owned);
        argument
    };
    properties.into_iter().flatten().map(argument).collect()
}

/// What a prompt may return: one text from the user, messages, or the whole result.
pub trait IntoPrompt {
    /// The result.
    fn into_prompt(self) -> GetPromptResult;
}

impl IntoPrompt for String {
    fn into_prompt(self) -> GetPromptResult {
        vec![PromptMessage::new_text(Role::User, self)].into_prompt()
    }
}

impl IntoPrompt for Vec<PromptMessage> {
    fn into_prompt(self) -> GetPromptResult {
        GetPromptResult::new(self)
    }
}

impl IntoPrompt for GetPromptResult {
    fn into_prompt(self) -> GetPromptResult {
        self
    }
}
