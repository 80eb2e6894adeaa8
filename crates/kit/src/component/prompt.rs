//! Prompts.

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::model::{
    GetPromptResult, JsonObject, Prompt as Definition, PromptArgument, PromptMessage, Role,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, HandlerError, Result};
use crate::wire::WireLimits;

use super::arguments::Arguments;
use super::completion::{Completers, completion_builders};
use super::handler::{Handler, Run, finish, refuse, with_state};
use super::schema::{self, Compiled};
use super::{Settings, common_builders};
use crate::label::Label;
use crate::protocol::Kind;

/// Bytes of one argument, unless a prompt says otherwise.
const ARGUMENT_BYTES: usize = 64 << 10;

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
/// let prompt: Prompt = Prompt::new("haiku", haiku).description("Asks for a haiku.");
/// ```
///
/// `S` is the state that the handler takes and that is still missing: see [`Prompt::with`].
pub struct Prompt<S = ()> {
    pub(crate) definition: Definition,
    pub(crate) settings: Settings,
    pub(crate) completers: Completers,
    /// Bytes of one argument.
    pub(crate) argument_bytes: usize,
    schema: JsonObject,
    /// The schema, made ready when the prompt is added to a server.
    compiled: Option<Compiled>,
    pub(crate) label: Arc<Label>,
    pub(crate) run: Run<S, Arguments, GetPromptResult>,
}

impl<S: 'static> Prompt<S> {
    /// A prompt called `name` that runs `handler`: see [`Handler`]. Its arguments are the members of
    /// the struct that the handler takes. They are strings on the wire,
    /// and read leniently (`"7"` is 7) and checked against the bounds that their types declare.
    pub fn new<H, M, K>(name: impl Into<Cow<'static, str>>, handler: H) -> Self
    where
        H: Handler<M, S>,
        H::Args: DeserializeOwned + JsonSchema + Send + 'static,
        H::Value: IntoPrompt + Send + 'static,
        H::Error: HandlerError<K>,
        H::Future: Send + 'static,
    {
        let label = Label::new(Kind::Prompt, name);
        let of_run = Arc::clone(&label);
        let schema = schema::input::<H::Args>();
        let arguments = arguments(&schema);
        Self {
            definition: Definition::new(
                label.name.clone(),
                None::<String>,
                (!arguments.is_empty()).then_some(arguments),
            ),
            settings: Settings::default(),
            completers: Completers::default(),
            argument_bytes: ARGUMENT_BYTES,
            schema,
            compiled: None,
            label,
            run: Box::new(
                move |ctx, state, arguments| match arguments.parse::<H::Args>() {
                    Ok(arguments) => {
                        finish(handler.call(ctx, state, arguments), |value: H::Value| {
                            Ok(value.into_prompt())
                        })
                    }
                    Err(_) => refuse(Error::invalid_params(format!(
                        "The arguments of the prompt '{}' do not fit.",
                        of_run.name
                    ))),
                },
            ),
        }
    }

    /// Hands the handler its state: a clone of it for each call.
    pub fn with(self, state: S) -> Prompt
    where
        S: Clone + Send + Sync,
    {
        self.map_run(|run| with_state(run, state))
    }

    fn map_run(
        self,
        map: impl FnOnce(Run<S, Arguments, GetPromptResult>) -> Run<(), Arguments, GetPromptResult>,
    ) -> Prompt {
        Prompt {
            definition: self.definition,
            settings: self.settings,
            completers: self.completers,
            argument_bytes: self.argument_bytes,
            schema: self.schema,
            compiled: self.compiled,
            label: self.label,
            run: map(self.run),
        }
    }

    common_builders!(Prompt);

    completion_builders!();

    /// Bytes that one argument may have, also while it is completed. Default 64 KiB. A bound of one
    /// of them, in characters, is declared where the argument is: `#[schemars(length(max = 80))]`.
    pub fn argument_bytes(mut self, bytes: usize) -> Self {
        self.argument_bytes = bytes;
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

    /// The JSON Schema of its arguments: their types and bounds, of which clients are told no more than
    /// names and descriptions.
    pub fn schema(&self) -> &JsonObject {
        &self.schema
    }

    pub(crate) fn prepare(mut self) -> Result<Self, String> {
        let compiled = Compiled::new(&self.schema)?;
        if ["anyOf", "oneOf", "allOf"]
            .iter()
            .any(|keyword| self.schema.contains_key(*keyword))
        {
            return Err(
                "its arguments have to be a struct, whose members are the arguments".into(),
            );
        }
        if let Some(name) = compiled.plan.unreachable() {
            return Err(format!(
                "no text can be read as the type of its argument '{name}', and arguments of prompts \
                 are text; use a string, a number, a boolean, an enum, or a struct or list (which \
                 are read as JSON)"
            ));
        }
        self.compiled = Some(compiled);
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

    /// Reads arguments as their types and checks them: strings within their bound, none missing.
    pub(crate) fn check(&self, given: JsonObject) -> Result<Arguments> {
        let mut arguments = Arguments::from(given);
        let Some(compiled) = &self.compiled else {
            return Ok(arguments);
        };
        arguments.strip_unknown(&compiled.plan);
        arguments.values.retain(|name, value| match value {
            // As if it were left out, also where it must not be.
            Value::Null => false,
            // What clients send for a field that its user left empty.
            Value::String(text) if text.is_empty() => compiled
                .plan
                .member(name)
                .is_none_or(|node| node.empty_text),
            _ => true,
        });
        for (name, value) in &arguments.values {
            // They are strings on the wire, but what is of the right type can be understood.
            let bytes = match value {
                Value::String(text) => text.len(),
                Value::Array(_) | Value::Object(_) => value.to_string().len(),
                _ => continue,
            };
            if bytes > self.argument_bytes {
                return Err(Error::invalid_params(format!(
                    "The prompt argument '{name}' can have at most {} bytes.",
                    self.argument_bytes
                )));
            }
        }
        let missing = |name: &&str| !arguments.values.contains_key(*name);
        if let Some(name) = schema::required(&self.schema).find(missing) {
            let sentence = format!("The prompt argument '{name}' is required.");
            return Err(Error::invalid_params(sentence));
        }
        arguments.coerce(&compiled.plan, &WireLimits::default());
        let values = Value::Object(std::mem::take(&mut arguments.values));
        if let Some(complaint) = compiled.complain(&values) {
            return Err(Error::invalid_params(format!(
                "Invalid arguments for the prompt '{}': {complaint}.",
                self.name()
            )));
        }
        if let Value::Object(values) = values {
            arguments.values = values;
        }
        Ok(arguments)
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

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::Ctx;

    #[derive(Deserialize, JsonSchema)]
    struct Args {
        #[schemars(length(max = 20))]
        text: String,
        number: Option<u8>,
        list: Option<Vec<i32>>,
    }

    fn check(given: Value) -> Result<Args, String> {
        let render = async |_: Ctx, args: Args| -> crate::Result<String> { Ok(args.text) };
        let prompt = Prompt::new("p", render).argument_bytes(30);
        let prompt = prompt.prepare().unwrap_or_else(|why| panic!("{why}"));
        let given = given.as_object().cloned().unwrap_or_default();
        match prompt.check(given) {
            Ok(arguments) => arguments.parse().map_err(|error| error.to_string()),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    #[test]
    fn arguments_are_read_as_their_types() {
        let args = check(json!({ "text": "x", "number": "7", "list": "[1,\"2\"]", "more": "x" }));
        let args = args.unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((&*args.text, args.number), ("x", Some(7)));
        assert_eq!(args.list, Some(vec![1, 2]));
        let nulls = check(json!({ "text": "x", "number": null, "list": null }));
        assert!(nulls.is_ok_and(|args| args.number.is_none() && args.list.is_none()));
    }

    #[test]
    fn a_refusal_names_the_argument_and_its_bound() {
        for (given, words) in [
            (json!({}), ["'text'", "required"]),
            (json!({ "text": null }), ["'text'", "required"]),
            (json!({ "text": 5 }), ["'text'", "string"]),
            // Bytes of any argument, and characters of this one.
            (
                json!({ "text": "\u{e9}".repeat(16) }),
                ["'text'", "30 bytes"],
            ),
            (
                json!({ "text": "x".repeat(21) }),
                ["'text'", "20 characters"],
            ),
            (json!({ "text": "x", "number": "300" }), ["'number'", "255"]),
            (json!({ "text": "x", "list": "[1" }), ["'list'", "array"]),
        ] {
            let why = check(given.clone()).err().unwrap_or_default();
            assert!(
                words.iter().all(|word| why.contains(word)),
                "{given}: {why}"
            );
        }
        assert!(check(json!({ "text": "\u{e9}".repeat(15) })).is_ok());
    }
}
