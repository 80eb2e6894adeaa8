//! What a client says to the questions of a server.

use serde_json::{Value, json};

/// Stands for every question: [`Client::answer`](super::Client::answer) and its like take a part of the
/// question's text, and this is part of all.
pub const ANY: &str = "";

/// A question that the server asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: String,
    /// Its params, as they came.
    pub params: Value,
}

impl Asked {
    /// What a person or a model would read: the message of an elicitation, all texts of a sampling.
    pub fn text(&self) -> String {
        text(&self.params)
    }
}

type Rest = Box<dyn FnMut(&str, &Value) -> Option<Value> + Send>;

struct Line {
    method: &'static str,
    about: String,
    result: Value,
}

/// The answers, in the order in which they were scripted.
#[derive(Default)]
pub(super) struct Script {
    lines: Vec<Line>,
    rest: Option<Rest>,
}

pub(super) const ELICITATION: &str = "elicitation/create";
pub(super) const SAMPLING: &str = "sampling/createMessage";
pub(super) const ROOTS: &str = "roots/list";

impl Script {
    pub(super) fn add(&mut self, method: &'static str, about: &str, result: Value) {
        self.lines.push(Line {
            method,
            about: about.to_owned(),
            result,
        });
    }

    pub(super) fn otherwise(&mut self, answer: Rest) {
        self.rest = Some(answer);
    }

    /// The `result` for a question; `None` when nothing was scripted for it.
    pub(super) fn answer(&mut self, method: &str, params: &Value) -> Option<Value> {
        let text = text(params);
        let fits = |line: &Line| line.method == method && text.contains(&line.about);
        if let Some(found) = self.lines.iter().position(fits) {
            let about = &self.lines[found].about;
            let another = self.lines[found + 1..]
                .iter()
                .any(|line| line.method == method && line.about == *about);
            // The last one for a text answers from then on.
            return Some(match another {
                true => self.lines.remove(found).result,
                false => self.lines[found].result.clone(),
            });
        }
        self.rest.as_mut().and_then(|rest| rest(method, params))
    }
}

/// An accepted elicitation. What is no object is the value of a form with a single field.
pub(super) fn accepted(content: Value) -> Value {
    match content {
        Value::Null => json!({ "action": "accept" }),
        Value::Object(_) => json!({ "action": "accept", "content": content }),
        value => json!({ "action": "accept", "content": { "value": value } }),
    }
}

/// What the client's model said.
pub(super) fn sampled(text: &str) -> Value {
    json!({
        "role": "assistant",
        "model": "test-model",
        "stopReason": "endTurn",
        "content": { "type": "text", "text": text },
    })
}

/// All that there is to read in the params of a question.
fn text(params: &Value) -> String {
    if let Some(message) = params["message"].as_str() {
        return message.to_owned();
    }
    let mut texts: Vec<&str> = params["systemPrompt"].as_str().into_iter().collect();
    for message in params["messages"].as_array().into_iter().flatten() {
        let content = &message["content"];
        let blocks = content
            .as_array()
            .map_or(std::slice::from_ref(content), Vec::as_slice);
        texts.extend(blocks.iter().filter_map(|block| block["text"].as_str()));
    }
    texts.join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_their_order_and_the_last_one_stays() {
        let mut script = Script::default();
        for (about, value) in [("age", 1), ("age", 2), (ANY, 3)] {
            script.add(ELICITATION, about, accepted(json!(value)));
        }
        let mut ask = |text: &str| {
            let answer = script
                .answer(ELICITATION, &json!({ "message": text }))
                .unwrap();
            answer["content"]["value"].clone()
        };
        let said = ["Your age?", "And name?", "Your age?", "Your age?"].map(&mut ask);
        assert_eq!(said, [1, 3, 2, 2].map(|value| json!(value)));
        assert_eq!(script.answer(SAMPLING, &json!({})), None);
    }

    #[test]
    fn a_sampling_is_known_by_all_of_its_texts() {
        let asked = Asked {
            method: SAMPLING.to_owned(),
            params: json!({ "systemPrompt": "Be brief.", "messages": [
                { "role": "user", "content": { "type": "text", "text": "one" } },
                { "role": "user", "content": [{ "type": "text", "text": "two" }, { "type": "image" }] },
            ] }),
        };
        assert_eq!(asked.text(), "Be brief.\none\ntwo");
    }
}
