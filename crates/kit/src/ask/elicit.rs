//! Asking the user (elicitation, form mode).

use rmcp::model::{
    ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema, JsonObject,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::component::Arguments;
use crate::component::schema::{self, Compiled};
use crate::context::Ctx;
use crate::error::{Error, Result};

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

impl Ctx {
    /// Asks the user for a `T`: a number, string or boolean, or a flat struct of such members.
    ///
    /// The answer is read leniently (`"2.5"` is a number) and checked against the bounds that `T`
    /// declares. Never ask for passwords or keys this way: the client sees them.
    ///
    /// # Errors
    /// The client cannot ask its user, does not answer in time, or answers something else; all of
    /// them are errors that the caller of the tool can read.
    pub async fn elicit<T: JsonSchema + DeserializeOwned>(
        &self,
        message: impl Into<String>,
    ) -> Result<Elicited<T>> {
        if !supports_forms(self) {
            return Err(Error::missing_capability(
                "The client does not support elicitation, so its user cannot be asked.",
                json!({ "elicitation": { "form": {} } }),
            ));
        }
        let (schema, wrapped) = schema::form::<T>();
        let requested_schema: ElicitationSchema =
            serde_json::from_value(Value::Object(schema.clone())).map_err(|error| {
                Error::internal(format!("a user cannot be asked for this type: {error}"))
            })?;
        let params = ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: message.into(),
            requested_schema,
        };
        let result: ElicitResult = self.ask("elicitation/create", &params).await?;
        match result.action {
            ElicitationAction::Accept => {
                read(schema, wrapped, result.content).map(Elicited::Accepted)
            }
            ElicitationAction::Decline => Ok(Elicited::Declined),
            _ => Ok(Elicited::Cancelled),
        }
    }
}

/// `elicitation: {}` means forms; naming only `url` means no forms.
fn supports_forms(ctx: &Ctx) -> bool {
    ctx.peer()
        .capabilities
        .elicitation
        .as_ref()
        .is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
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
    let compiled = Compiled::new(&schema).map_err(Error::internal)?;
    let mut answer = Arguments::from(values);
    answer.strip_unknown(&compiled.plan);
    answer.coerce(&compiled.plan);
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
