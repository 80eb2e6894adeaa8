//! Resources at a family of URIs.

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::model::{JsonObject, ResourceContents, ResourceTemplate as Definition};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, HandlerError, Result};
use crate::wire::WireLimits;

use super::arguments::Arguments;
use super::completion::{Completers, completion_builders};
use super::handler::{Handler, Run, finish, refuse, with_state};
use super::resource::{IntoContents, ReadTarget};
use super::schema::{self, Compiled};
use super::uri_template::UriTemplate;
use super::{CacheHint, Settings, common_builders};
use crate::label::Label;
use crate::protocol::Kind;

/// A resource template: an RFC 6570 URI template whose variables are typed.
///
/// ```
/// use pymcp_kit::{Ctx, ResourceTemplate, Result};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Vars {
///     #[schemars(range(min = 1))]
///     number: u32,
/// }
///
/// async fn square(_: Ctx, vars: Vars) -> Result<String> {
///     Ok((u64::from(vars.number).pow(2)).to_string())
/// }
///
/// let template: ResourceTemplate =
///     ResourceTemplate::new("data://square/{number}", "square", square);
/// ```
///
/// `S` is the state that the handler takes and that is still missing: see [`ResourceTemplate::with`].
pub struct ResourceTemplate<S = ()> {
    pub(crate) definition: Definition,
    pub(crate) settings: Settings,
    pub(crate) variables: JsonObject,
    pub(crate) completers: Completers,
    pub(crate) label: Arc<Label>,
    pub(crate) run: Run<S, (ReadTarget, Arguments), Vec<ResourceContents>>,
}

impl<S: 'static> ResourceTemplate<S> {
    /// A template with a name for programs, read by `handler`: see [`Handler`]. The members of the
    /// struct that the handler takes are the template's variables; they are read leniently (`"007"`
    /// is 7) and checked against the bounds that their types declare.
    pub fn new<H, M, K>(
        uri_template: impl Into<Cow<'static, str>>,
        name: impl Into<Cow<'static, str>>,
        handler: H,
    ) -> Self
    where
        H: Handler<M, S>,
        H::Args: DeserializeOwned + JsonSchema + Send + 'static,
        H::Value: IntoContents + Send + 'static,
        H::Error: HandlerError<K>,
        H::Future: Send + 'static,
    {
        let label = Label::new(Kind::Template, uri_template);
        Self {
            definition: Definition::new(label.name.clone(), name.into()),
            settings: Settings::default(),
            variables: schema::input::<H::Args>(),
            completers: Completers::default(),
            label,
            run: Box::new(move |ctx, state, (target, variables)| {
                match variables.parse::<H::Args>() {
                    Ok(variables) => finish(
                        handler.call(ctx, state, variables),
                        move |value: H::Value| Ok(value.into_contents(target)),
                    ),
                    Err(_) => refuse(Error::invalid_params(
                        "A variable of the resource's URI is out of range.",
                    )),
                }
            }),
        }
    }

    /// Hands the handler its state: a clone of it for each call.
    pub fn with(self, state: S) -> ResourceTemplate
    where
        S: Clone + Send + Sync,
    {
        self.map_run(|run| with_state(run, state))
    }

    fn map_run(
        self,
        map: impl FnOnce(
            Run<S, (ReadTarget, Arguments), Vec<ResourceContents>>,
        ) -> Run<(), (ReadTarget, Arguments), Vec<ResourceContents>>,
    ) -> ResourceTemplate {
        ResourceTemplate {
            definition: self.definition,
            settings: self.settings,
            variables: self.variables,
            completers: self.completers,
            label: self.label,
            run: map(self.run),
        }
    }

    common_builders!(ResourceTemplate);

    completion_builders!();

    /// The URI template.
    pub fn uri_template(&self) -> &str {
        &self.definition.uri_template
    }

    /// What clients are told of it.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The JSON Schema of its variables: their types and bounds, of which clients are told nothing.
    pub fn schema(&self) -> &JsonObject {
        &self.variables
    }

    /// Whom it is for, how important it is, and when it was last changed.
    pub fn annotations(mut self, annotations: rmcp::model::Annotations) -> Self {
        self.definition.annotations = Some(annotations);
        self
    }

    /// The MIME type of the contents.
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.definition.mime_type = Some(mime_type.into());
        self
    }

    /// How long modern clients may keep what they read, and whether it is the same for everybody.
    pub fn cache_hint(mut self, hint: CacheHint) -> Self {
        self.settings.hint = hint;
        self
    }
}

impl ResourceTemplate {
    pub(crate) fn has_variable(&self, name: &str) -> bool {
        self.variables
            .get("properties")
            .and_then(Value::as_object)
            .is_some_and(|variables| variables.contains_key(name))
    }
}

/// A registered template.
pub(crate) struct PreparedTemplate {
    pub(crate) template: ResourceTemplate,
    matcher: UriTemplate,
    variables: Compiled,
}

impl PreparedTemplate {
    pub(crate) fn new(template: ResourceTemplate) -> Result<Self, String> {
        let matcher = UriTemplate::parse(template.uri_template())?;
        if let Some(name) = template
            .completers
            .stranger(|name| template.has_variable(name))
        {
            return Err(format!(
                "it completes '{name}', which is none of its variables"
            ));
        }
        let variables = Compiled::new(&template.variables)?;
        if let Some(name) = matcher.variables().find(|name| !variables.plan.has(name)) {
            return Err(format!(
                "the variable '{name}' is no member of the arguments"
            ));
        }
        if let Some(name) = variables.plan.unreachable() {
            return Err(format!(
                "no text can be read as the type of its variable '{name}', and a URI is text; use a \
                 string, a number, a boolean or an enum"
            ));
        }
        if let Some(name) = schema::required(&template.variables)
            .find(|name| !matcher.variables().any(|v| v == *name))
        {
            return Err(format!(
                "the argument '{name}' is no variable of the template"
            ));
        }
        Ok(Self {
            template,
            matcher,
            variables,
        })
    }

    /// The variables of `uri`, when it matches: as text, not yet checked.
    pub(crate) fn match_uri(&self, uri: &str) -> Option<Arguments> {
        let variables = self.matcher.match_uri(uri)?;
        let values: JsonObject = variables
            .into_iter()
            .map(|(name, text)| (name, Value::String(text)))
            .collect();
        Some(values.into())
    }

    /// Reads the variables as their types and checks them.
    pub(crate) fn check(&self, mut variables: Arguments) -> Result<Arguments> {
        variables.coerce(&self.variables.plan, &WireLimits::default());
        let values = Value::Object(std::mem::take(&mut variables.values));
        if let Some(complaint) = self.variables.complain(&values) {
            return Err(Error::invalid_params(format!(
                "Invalid resource URI: {complaint}."
            )));
        }
        let Value::Object(values) = values else {
            unreachable!()
        };
        variables.values = values;
        Ok(variables)
    }
}
