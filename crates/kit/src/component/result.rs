//! What a tool may return.

use std::sync::Arc;

use rmcp::model::{CallToolResult, ContentBlock, JsonObject, MetaObject};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Result;

use super::schema;

/// A tool's result, said by hand: for content that is no single value.
///
/// Anything that is `Serialize + JsonSchema` can be returned directly and needs none of this.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolResult {
    /// What the model reads.
    pub content: Vec<ContentBlock>,
    /// What a program reads; an object for clients before 2026-07-28.
    pub structured: Option<Value>,
    /// Members of the result's `_meta`.
    pub meta: JsonObject,
    /// Whether the call failed, for something the caller can mend. Use
    /// [`Error::user`](crate::Error::user) unless there is more to say than one text.
    pub is_error: bool,
}

impl ToolResult {
    /// A result of one text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            content: vec![ContentBlock::text(text)],
            ..Self::default()
        }
    }

    /// A result of these contents: texts, images, audio, resources, links.
    pub fn content(content: impl IntoIterator<Item = ContentBlock>) -> Self {
        Self {
            content: content.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Adds a content, behind those before it: a [`ContentBlock`], an [`Image`](crate::Image), an
    /// [`Audio`](crate::Audio), a [`File`](crate::File).
    pub fn and(mut self, content: impl Into<ContentBlock>) -> Self {
        self.content.push(content.into());
        self
    }

    /// Adds structured content; it should be an object.
    pub fn structured(mut self, value: Value) -> Self {
        self.structured = Some(value);
        self
    }

    /// Adds a member to `_meta`. Keys of your own need a prefix such as `com.example/`.
    pub fn meta(mut self, key: impl Into<String>, value: Value) -> Self {
        self.meta.insert(key.into(), value);
        self
    }

    /// Says that the call failed; the content says why, and structured content is not sent: clients
    /// would show it instead of the sentence, or look in it for what the output schema promises.
    pub fn error(mut self) -> Self {
        self.is_error = true;
        self
    }

    pub(crate) fn into_wire(self) -> CallToolResult {
        let mut result = CallToolResult::success(self.content);
        result.result_type = None;
        result.structured_content = self.structured.filter(|_| !self.is_error);
        result.is_error = Some(self.is_error);
        result.meta = (!self.meta.is_empty()).then(|| MetaObject::from(self.meta));
        result
    }
}

/// Several images, say: `images.into_iter().collect()`.
impl<C: Into<ContentBlock>> FromIterator<C> for ToolResult {
    fn from_iter<I: IntoIterator<Item = C>>(contents: I) -> Self {
        Self::content(contents.into_iter().map(Into::into))
    }
}

/// Types that a tool can return.
///
/// Implemented for every `Serialize + JsonSchema` type: the value becomes structured content with
/// an output schema (objects as they are, anything else as `{"result": …}`) and text (a string as
/// it is, nothing for `null`, JSON otherwise).
pub trait IntoToolResult {
    /// The schema of the structured content, if it has one, and whether the value is wrapped.
    fn output_schema() -> Option<(Arc<JsonObject>, bool)>;

    /// The result; `wrapped` is what [`IntoToolResult::output_schema`] said.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    fn into_tool_result(self, wrapped: bool) -> Result<ToolResult>;
}

impl IntoToolResult for ToolResult {
    fn output_schema() -> Option<(Arc<JsonObject>, bool)> {
        None
    }

    fn into_tool_result(self, _: bool) -> Result<ToolResult> {
        Ok(self)
    }
}

impl<T: Serialize + JsonSchema> IntoToolResult for T {
    fn output_schema() -> Option<(Arc<JsonObject>, bool)> {
        let (schema, wrapped) = schema::output::<T>();
        Some((Arc::new(schema), wrapped))
    }

    fn into_tool_result(self, wrapped: bool) -> Result<ToolResult> {
        let value = serde_json::to_value(&self)?;
        let text = match &value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let mut result = ToolResult::content(text.map(ContentBlock::text));
        result.structured = Some(match wrapped {
            true => json!({ "result": value }),
            false => value,
        });
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_a_sentence_and_no_structured_content() {
        let told = || ToolResult::text("No.").structured(json!({ "result": [] }));
        let wire = serde_json::to_value(told().error().into_wire()).unwrap_or_default();
        assert_eq!(wire["content"][0]["text"], "No.");
        assert_eq!(
            (&wire["isError"], wire.get("structuredContent")),
            (&json!(true), None)
        );
        let wire = serde_json::to_value(told().into_wire()).unwrap_or_default();
        assert!(wire["structuredContent"].is_object());
    }
}
