//! Requests during which the server may ask back. In the legacy era it does so by requests of its own; in 2026-07-28 it
//! answers with what it needs, and is asked again with that (multi round-trip requests).

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest, ErrorData,
    GetPromptRequest, GetPromptRequestParams, GetPromptResult, InputRequest, InputRequiredResult,
    InputResponses, ReadResourceRequest, ReadResourceRequestParams, ReadResourceResult,
    ServerResult,
};
use serde::Serialize;
use serde_json::Value;

use super::{Connection, INTERRUPTED};
use crate::client::failure;
use crate::{Error, Result};

/// Rounds of questions that one request may have.
const MAX_ROUNDS: usize = 20;

/// Makes a method that sends a request until it is answered.
macro_rules! rounds {
    ($(#[$meta:meta])* $name:ident: $params:ty, $request:ident, $result:ident) => {
        $(#[$meta])*
        ///
        /// # Errors
        /// As of [`Connection::request`], or that the server does not stop asking.
        pub(crate) async fn $name(&self, mut params: $params) -> Result<$result> {
            for _ in 0..MAX_ROUNDS {
                let request = ClientRequest::$request($request::new(params.clone()));
                match self.request(request).await? {
                    ServerResult::$result(result) => return Ok(result),
                    ServerResult::InputRequiredResult(asked) => {
                        let answered = tokio::select! {
                            answered = self.answer(asked) => answered?,
                            () = self.stop.wait() => return Err(Error::printed(INTERRUPTED)),
                        };
                        (params.input_responses, params.request_state) = answered;
                    }
                    other => return self.other(&other),
                }
            }
            Err(Error::other(format!("{} does not stop asking.", self.target)))
        }
    };
}

impl Connection {
    rounds! {
        /// Calls a tool.
        call: CallToolRequestParams, CallToolRequest, CallToolResult
    }
    rounds! {
        /// Reads a resource.
        read: ReadResourceRequestParams, ReadResourceRequest, ReadResourceResult
    }
    rounds! {
        /// Gets a prompt.
        prompt: GetPromptRequestParams, GetPromptRequest, GetPromptResult
    }

    fn other<T>(&self, result: &ServerResult) -> Result<T> {
        Err(match result {
            ServerResult::CreateTaskResult(_) => Error::other(format!(
                "{} made a task of it, though it was not told that tasks are understood.",
                self.target
            )),
            _ => failure::unexpected(&self.target),
        })
    }

    /// Answers what the server needs, one question after the other.
    async fn answer(
        &self,
        asked: InputRequiredResult,
    ) -> Result<(Option<InputResponses>, Option<String>)> {
        let questions = asked.input_requests.unwrap_or_default();
        if questions.is_empty() && asked.request_state.is_none() {
            return Err(failure::unexpected(&self.target));
        }
        let mut answers = InputResponses::new();
        for (name, question) in questions {
            let answer = match question {
                InputRequest::Elicitation(asked) => value(self.user.elicit(asked.params).await),
                InputRequest::CreateMessage(asked) => {
                    let sampled = self.user.sample(&asked.params);
                    sampled.map_err(|error| refuse(&error)).and_then(value)
                }
                InputRequest::ListRoots(_) => value(self.user.roots()),
                _ => Err(failure::unexpected(&self.target)),
            };
            answers.insert(name, answer?);
        }
        let answers = (!answers.is_empty()).then_some(answers);
        Ok((answers, asked.request_state))
    }
}

/// What the user does not answer cannot be sent: the request ends.
fn refuse(error: &ErrorData) -> Error {
    Error::other(error.message.to_string())
}

fn value(answer: impl Serialize) -> Result<Value> {
    Ok(serde_json::to_value(answer)?)
}
