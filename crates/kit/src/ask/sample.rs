//! Using the client's model (sampling).

// Sampling is deprecated since 2026-07-28 and removed a year later at the earliest; clients of
// today still have it, and `Ctx` is the only way to it here.
#![allow(deprecated)]

use rmcp::model::{
    ContextInclusion, CreateMessageRequestParams, CreateMessageResult, Role, SamplingMessage,
    SamplingMessageContentBlock, Tool, ToolChoice,
};
use serde_json::json;

use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::protocol::PeerInfo;

use super::{Asked, Question};

/// A question to the client's model.
#[derive(Debug, Clone)]
pub struct Sample(CreateMessageRequestParams);

impl Sample {
    /// Asks about one text; the model may answer with up to `max_tokens` tokens.
    pub fn text(text: impl Into<String>, max_tokens: u32) -> Self {
        let content = SamplingMessageContentBlock::text(text);
        Self(CreateMessageRequestParams::new(
            vec![SamplingMessage::new(Role::User, content)],
            max_tokens,
        ))
    }

    /// Asks with everything that the protocol has.
    pub fn new(params: CreateMessageRequestParams) -> Self {
        Self(params)
    }

    /// Tells the model what its task is.
    pub fn system(mut self, prompt: impl Into<String>) -> Self {
        self.0.system_prompt = Some(prompt.into());
        self
    }

    /// Tools that the model may ask to be used: it then answers with the calls it wants, which the
    /// handler makes and hands back in the next question. Bound the number of such turns.
    pub fn tools(mut self, tools: Vec<Tool>) -> Self {
        self.0.tools = Some(tools);
        self
    }

    /// Whether the model has to use a tool.
    pub fn tool_choice(mut self, choice: ToolChoice) -> Self {
        self.0.tool_choice = Some(choice);
        self
    }

    /// How freely it may choose its words: 0 to 1.
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.0.temperature = Some(temperature);
        self
    }
}

/// What the client's model answered. It is untrusted text.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled(pub CreateMessageResult);

impl Sampled {
    /// The texts of the answer, a line each; `None` when it has no text.
    pub fn text(&self) -> Option<String> {
        let texts: Vec<&str> = self
            .0
            .message
            .content
            .iter()
            .filter_map(|block| Some(block.as_text()?.text.as_str()))
            .collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    }

    /// The name of the model.
    pub fn model(&self) -> &str {
        &self.0.model
    }
}

impl Question for Sample {
    type Reply = CreateMessageResult;
    type Answer = Sampled;

    fn asked(&self, client: &PeerInfo) -> Result<Asked> {
        let can = &client.capabilities;
        if !can.sampling {
            return Err(Error::missing_capability(
                "The client does not support sampling, so its model cannot be used.",
                json!({ "sampling": {} }),
            ));
        }
        if (self.0.tools.is_some() || self.0.tool_choice.is_some()) && !can.sampling_tools {
            return Err(Error::missing_capability(
                "The client does not support tools in sampling.",
                json!({ "sampling": { "tools": {} } }),
            ));
        }
        let shared = |scope: &ContextInclusion| *scope != ContextInclusion::None;
        if self.0.include_context.as_ref().is_some_and(shared) && !can.sampling_context {
            return Err(Error::missing_capability(
                "The client does not share the context of other servers in sampling.",
                json!({ "sampling": { "context": {} } }),
            ));
        }
        self.0.validate().map_err(Error::internal)?;
        Ok(Asked {
            method: "sampling/createMessage",
            // By way of text: a tree would make 0.8999999761581421 of the temperature 0.9.
            params: serde_json::from_str(&serde_json::to_string(&self.0)?)?,
        })
    }

    fn read(self, reply: CreateMessageResult) -> Result<Sampled> {
        Ok(Sampled(reply))
    }
}

impl Ctx {
    /// Asks the client's model; the user of the client may look at the question and refuse.
    ///
    /// # Errors
    /// As [`Ctx::ask`].
    pub async fn sample(&self, question: Sample) -> Result<Sampled> {
        self.ask(question).await
    }
}
