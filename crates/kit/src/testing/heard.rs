//! What a server told besides its answers.

use serde_json::Value;

/// How far a request has come (`notifications/progress`).
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// How much is done; grows from one to the next.
    pub progress: f64,
    /// How much there is to do, if that is known.
    pub total: Option<f64>,
    /// What is being done, if that was said.
    pub message: Option<String>,
}

/// The log messages among these: level and text, or the whole data where it is not text with extras.
pub(super) fn logs(messages: &[Value]) -> Vec<(String, Value)> {
    let log = |message: &Value| {
        let params = &message["params"];
        let data = params["data"].get("msg").unwrap_or(&params["data"]);
        let level = params["level"].as_str().unwrap_or_default();
        (level.to_owned(), data.clone())
    };
    of(messages, "notifications/message").map(log).collect()
}

/// The progress among these.
pub(super) fn progress(messages: &[Value]) -> Vec<Progress> {
    let progress = |message: &Value| {
        let params = &message["params"];
        Progress {
            progress: params["progress"].as_f64().unwrap_or_default(),
            total: params["total"].as_f64(),
            message: params["message"].as_str().map(str::to_owned),
        }
    };
    of(messages, "notifications/progress")
        .map(progress)
        .collect()
}

/// The messages with this method.
pub(super) fn of<'a>(messages: &'a [Value], method: &'a str) -> impl Iterator<Item = &'a Value> {
    messages
        .iter()
        .filter(move |message| message["method"] == method)
}
