//! What a request came to.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The answer to a request: a result or an error. What looks at it panics, with the whole answer, when it is
/// something else.
#[derive(Clone, PartialEq)]
pub struct Reply(pub(super) Value);

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Reply {
    /// The JSON-RPC response as it came.
    pub fn message(&self) -> &Value {
        &self.0
    }

    /// The result.
    ///
    /// # Panics
    /// When it is a JSON-RPC error.
    #[track_caller]
    pub fn result(&self) -> &Value {
        self.0
            .get("result")
            .unwrap_or_else(|| panic!("an error instead of a result: {}", self.0))
    }

    /// The code and message of a JSON-RPC error.
    ///
    /// # Panics
    /// When it is a result, one that says `isError` included.
    #[track_caller]
    pub fn error(&self) -> (i64, &str) {
        super::message::error(&self.0)
    }

    /// The first text in it: of a tool's content, a resource's contents or a prompt's messages.
    ///
    /// # Panics
    /// When there is none, or it is an error of either kind.
    #[track_caller]
    pub fn text(&self) -> &str {
        assert!(!self.is_error(), "an error instead of a result: {}", self.0);
        self.first_text()
    }

    /// The text of a tool's result that is an error (`isError`).
    ///
    /// # Panics
    /// When it is no such result.
    #[track_caller]
    pub fn error_text(&self) -> &str {
        assert!(self.is_error(), "no error of a tool: {}", self.0);
        self.first_text()
    }

    #[track_caller]
    fn first_text(&self) -> &str {
        let result = self.result();
        let found = [
            &result["content"][0]["text"],
            &result["contents"][0]["text"],
            &result["messages"][0]["content"]["text"],
        ];
        found
            .iter()
            .find_map(|text| text.as_str())
            .unwrap_or_else(|| panic!("no text: {}", self.0))
    }

    /// Whether it is a tool's result that is an error (`isError`), which its caller can mend.
    pub fn is_error(&self) -> bool {
        self.0["result"]["isError"] == true
    }

    /// A tool's `structuredContent`.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn structured(&self) -> &Value {
        self.result()
            .get("structuredContent")
            .unwrap_or_else(|| panic!("no structured content: {}", self.0))
    }

    /// A tool's `structuredContent` as a type; a value that is no object comes from its member `result`.
    ///
    /// # Panics
    /// When it is not of this type.
    #[track_caller]
    pub fn value<T: DeserializeOwned>(&self) -> T {
        let structured = self.structured();
        let whole = serde_json::from_value(structured.clone());
        let inner = || serde_json::from_value(structured["result"].clone());
        whole
            .or_else(|error| inner().map_err(|_| error))
            .unwrap_or_else(|error| panic!("{error}: {}", self.0))
    }
}
