//! Asking the user (elicitation, form mode).

use std::marker::PhantomData;

use rmcp::model::{ElicitResult, ElicitationAction, ElicitationSchema, JsonObject};
use schemars::JsonSchema;
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::component::Arguments;
use crate::component::schema::{self, Compiled};
use crate::context::Ctx;
use crate::core::PeerInfo;
use crate::error::{Error, Result};
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

/// Asks the user to fill in a form: a `T` is a number, string or boolean, or a flat struct of such
/// members and lists of choices.
///
/// The answer is read leniently (`"2.5"` is a number) and checked against the bounds that `T`
/// declares. Never ask for passwords or keys this way: the client sees them; [`Url`](super::Url) is
/// for those.
#[derive(Debug, Clone)]
pub struct Form<T> {
    message: String,
    schema: JsonObject,
    wrapped: bool,
    answer: PhantomData<fn() -> T>,
}

impl<T: JsonSchema> Form<T> {
    /// A form that explains itself with `message`.
    pub fn new(message: impl Into<String>) -> Self {
        let (schema, wrapped) = schema::form::<T>();
        Self {
            message: message.into(),
            schema,
            wrapped,
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
            schema,
            wrapped: false,
            answer: PhantomData,
        }
    }
}

impl<T: DeserializeOwned + Send> Question for Form<T> {
    type Reply = ElicitResult;
    type Answer = Elicited<T>;

    fn asked(&self, client: &PeerInfo) -> Result<Asked> {
        if !client.capabilities.forms {
            return Err(Error::missing_capability(
                "The client does not support elicitation, so its user cannot be asked.",
                json!({ "elicitation": { "form": {} } }),
            ));
        }
        let schema = Value::Object(self.schema.clone());
        ElicitationSchema::deserialize(&schema).map_err(|error| {
            Error::internal(format!("a user cannot be asked for this type: {error}"))
        })?;
        Ok(Asked {
            method: "elicitation/create",
            params: json!({ "mode": "form", "message": self.message, "requestedSchema": schema }),
        })
    }

    fn read(self, reply: ElicitResult) -> Result<Elicited<T>> {
        match reply.action {
            ElicitationAction::Accept => {
                read(self.schema, self.wrapped, reply.content).map(Elicited::Accepted)
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
    pub async fn elicit<T: JsonSchema + DeserializeOwned + Send>(
        &self,
        message: impl Into<String>,
    ) -> Result<Elicited<T>> {
        self.ask(Form::new(message)).await
    }
}

fn read<T: DeserializeOwned>(
    schema: JsonObject,
    wrapped: bool,
    content: Option<Value>,
) -> Result<T> {
    let Some(Value::Object(values)) = content else {
        return Err(Error::user(
            "The answer to the question is no form content.",
        ));
    };
    let mut compiled = Compiled::form(&schema).map_err(Error::internal)?;
    // Forms do not say that they are closed, and what was not asked is nobody's business.
    compiled.plan.close();
    let mut answer = Arguments::from(values);
    answer.strip_unknown(&compiled.plan);
    answer.coerce(&compiled.plan, &WireLimits::default());
    let values = Value::Object(answer.values);
    if let Some(complaint) = compiled.complain(&values) {
        return Err(Error::user(format!(
            "The answer to the question does not fit: {complaint}."
        )));
    }
    let value = match (wrapped, values) {
        (true, Value::Object(mut values)) => values.remove("value").unwrap_or_default(),
        (_, values) => values,
    };
    serde_json::from_value(value)
        .map_err(|_| Error::user("The answer to the question is out of range."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(content: Value) -> Result<f64> {
        let (schema, wrapped) = schema::form::<f64>();
        read(schema, wrapped, Some(content))
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
        let (schema, wrapped) = schema::form::<f64>();
        assert!(read::<f64>(schema, wrapped, None).is_err());
    }
}
