//! Asking the user (elicitation, form mode).

use std::marker::PhantomData;
use std::sync::Arc;

use rmcp::model::{ElicitResult, ElicitationAction, JsonObject};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::component::Arguments;
use crate::component::form::{self, FormSchema, Made};
use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::protocol::PeerInfo;
use crate::wire::WireLimits;

use super::{Asked, Question};

/// What the user did with a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Elicited<T> {
    /// Answered it.
    Accepted(T),
    /// Said no: the handler may go on without.
    Declined,
    /// Dismissed it: the handler should stop.
    Cancelled,
}

/// Asks the user to fill in a form: a `T` is a number, string, boolean or enum without data, or a
/// flat struct of such members and lists of such enums.
///
/// A `T` that is something else cannot be asked for. Say `.asks::<T>()` at the component, and the
/// server is not built then; otherwise every question for a `T` fails, whatever the client can do.
///
/// The answer is read leniently (`"2.5"` is a number) and checked against the bounds that `T`
/// declares. Never ask for passwords or keys this way: the client sees them; [`Url`](super::Url) is
/// for those.
#[derive(Debug, Clone)]
pub struct Form<T> {
    message: String,
    schema: Made,
    answer: PhantomData<fn() -> T>,
}

impl<T: JsonSchema + 'static> Form<T> {
    /// A form that explains itself with `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            schema: form::of::<T>(),
            answer: PhantomData,
        }
    }
}

impl Form<JsonObject> {
    /// A form whose members are described by a schema (`client/elicitation#form-mode`), for choices
    /// that are known only when it is asked.
    pub fn schema(message: impl Into<String>, schema: JsonObject) -> Self {
        Self {
            message: message.into(),
            schema: FormSchema::new(schema, false)
                .map(Arc::new)
                .map_err(|why| format!("a user cannot be asked for this form: {why}").into()),
            answer: PhantomData,
        }
    }
}

impl<T: DeserializeOwned + Send> Question for Form<T> {
    type Reply = ElicitResult;
    type Answer = Elicited<T>;

    fn asked(&self, client: &PeerInfo) -> Result<Asked> {
        // First of all, so that the author hears of it in front of any client.
        let form = self.schema.as_ref().map_err(Error::internal)?;
        if !client.capabilities.forms {
            return Err(Error::missing_capability(
                "The client does not support elicitation, so its user cannot be asked.",
                json!({ "elicitation": { "form": {} } }),
            ));
        }
        Ok(Asked {
            method: "elicitation/create",
            params: json!({ "mode": "form", "message": self.message, "requestedSchema": form.schema }),
        })
    }

    fn read(self, reply: ElicitResult) -> Result<Elicited<T>> {
        match reply.action {
            ElicitationAction::Accept => {
                let form = self.schema.map_err(Error::internal)?;
                read(&form, reply.content).map(Elicited::Accepted)
            }
            ElicitationAction::Decline => Ok(Elicited::Declined),
            _ => Ok(Elicited::Cancelled),
        }
    }
}

impl Ctx {
    /// Asks the user for a `T`; see [`Form`].
    ///
    /// # Errors
    /// As [`Ctx::ask`].
    pub async fn elicit<T: JsonSchema + DeserializeOwned + Send + 'static>(
        &self,
        message: impl Into<String>,
    ) -> Result<Elicited<T>> {
        self.ask(Form::new(message)).await
    }
}

fn read<T: DeserializeOwned>(form: &FormSchema, content: Option<Value>) -> Result<T> {
    let Some(Value::Object(values)) = content else {
        return Err(Error::user("The answer to the elicitation has no content."));
    };
    let compiled = &form.compiled;
    let mut answer = Arguments::from(values);
    answer.strip_unknown(&compiled.plan);
    answer.coerce(&compiled.plan, &WireLimits::default());
    let values = Value::Object(answer.values);
    if let Some(complaint) = compiled.complain(&values) {
        return Err(Error::user(format!(
            "The answer to the elicitation does not fit: {complaint}."
        )));
    }
    let value = match (form.wrapped, values) {
        (true, Value::Object(mut values)) => values.remove("value").unwrap_or_default(),
        (_, values) => values,
    };
    serde_json::from_value(value)
        .map_err(|_| Error::user("The answer to the elicitation is out of range."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(content: Value) -> Result<f64> {
        read(&form::of::<f64>().unwrap(), Some(content))
    }

    #[test]
    fn answers_are_read_leniently_and_checked() {
        for (content, expected) in [
            (json!({"value": 2.5}), 2.5),
            (json!({"value": "2.5"}), 2.5),
            (json!({"value": true}), 1.0),
            (json!({"value": 2, "x": 1}), 2.0),
        ] {
            assert_eq!(number(content).ok(), Some(expected));
        }
        for content in [
            json!({}),
            json!({"value": null}),
            json!({"value": "nan"}),
            json!({"value": "x"}),
            json!(2.0),
        ] {
            assert!(number(content).is_err());
        }
        assert!(read::<f64>(&form::of::<f64>().unwrap(), None).is_err());
    }
}
