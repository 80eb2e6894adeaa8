//! Forms: each field from `--answer`, else on the terminal.

use std::io;
use std::sync::{Arc, Weak};

use rmcp::model::{ElicitResult, ElicitationAction};
use serde_json::{Map, Value};

use super::User;
use crate::client::coerce::{coerce, plain};
use crate::output::visible;

/// Bytes of a line that somebody types.
const MAX_LINE: u64 = 1 << 20;

/// Times that a field is asked for again.
const MAX_TRIES: usize = 5;

impl User {
    /// Fills in a form. `order` are its fields as the server has them.
    pub(super) async fn form(
        &self,
        message: &str,
        schema: &Value,
        order: &[String],
    ) -> ElicitResult {
        let none = Map::new();
        let fields = schema["properties"].as_object().unwrap_or(&none);
        let fields = order.iter().filter(|name| fields.contains_key(*name));
        let fields: Vec<_> = fields.map(|name| Field::of(name, schema)).collect();
        let mut content = Map::new();
        let mut open = Vec::new();
        for field in &fields {
            self.asked(field.name);
            match self.given(field, schema) {
                Some(Ok(value)) => {
                    content.insert(field.name.to_owned(), value);
                }
                Some(Err(must)) => {
                    self.say(&format!(
                        "{}: declined: --answer {} {must}",
                        self.0.name, field.name
                    ));
                    return ElicitResult::new(ElicitationAction::Decline);
                }
                None => open.push(field),
            }
        }
        let answered = !content.is_empty();
        // Who has answered something on the command line is asked only for what must not be missing.
        open.retain(|field| !answered || field.required);
        let complete = answered && open.is_empty();
        if complete {
            return accepted(content);
        }
        if !self.0.is_terminal {
            let names: Vec<_> = open.iter().map(|field| field.describe()).collect();
            let what = match names.is_empty() {
                true => visible(message).into_owned(),
                false => format!("{} ({})", visible(message), names.join(", ")),
            };
            let name = open.first().map_or("NAME", |field| field.name);
            self.declined(&what, &format!("--answer {}=VALUE", visible(name)));
            return ElicitResult::new(ElicitationAction::Decline);
        }
        self.say(&format!(
            "The server asks: {}\n  Ctrl-D declines.",
            visible(message)
        ));
        for field in open {
            match field.ask(schema).await {
                Some(Some(value)) => {
                    content.insert(field.name.to_owned(), value);
                }
                Some(None) => {}
                None => return ElicitResult::new(ElicitationAction::Decline),
            }
        }
        if fields.is_empty() {
            let said = ask("Agreed? (y or n) ").await;
            if !said.is_some_and(|said| said.trim().eq_ignore_ascii_case("y")) {
                return ElicitResult::new(ElicitationAction::Decline);
            }
        }
        accepted(content)
    }

    /// The answer to a field on the command line, the last one if there are several; all of them where the field takes many.
    fn given(&self, field: &Field<'_>, root: &Value) -> Option<Result<Value, String>> {
        let answers = self.0.args.answer.iter();
        let answers = answers.filter(|(name, _)| name == field.name);
        let answers: Vec<_> = answers.map(|(_, text)| text).collect();
        let last = answers.last()?;
        if field.schema["type"] == "array" && answers.len() > 1 {
            let items = &field.schema["items"];
            let all: Result<Vec<_>, _> = answers
                .iter()
                .map(|text| coerce(text, items, root))
                .collect();
            return Some(all.map(Value::Array));
        }
        Some(coerce(last, field.schema, root))
    }
}

fn accepted(content: Map<String, Value>) -> ElicitResult {
    ElicitResult::new(ElicitationAction::Accept).with_content(content.into())
}

/// One field of a form.
struct Field<'a> {
    name: &'a str,
    schema: &'a Value,
    required: bool,
}

impl<'a> Field<'a> {
    fn of(name: &'a str, schema: &'a Value) -> Self {
        let required = schema["required"].as_array();
        Self {
            name,
            schema: &schema["properties"][name],
            required: required.is_some_and(|required| required.iter().any(|it| it == name)),
        }
    }

    /// `size (a whole number, 5 if left out)`, in short.
    fn describe(&self) -> String {
        let kind = self.schema["type"].as_str().unwrap_or("any");
        let values = ["enum", "enumNames"]
            .iter()
            .find_map(|key| self.schema[key].as_array());
        let values = values.map(|values| values.iter().map(plain).collect::<Vec<_>>().join("|"));
        let titled = crate::client::coerce::alternatives(self.schema).map(|all| {
            let values = all.iter().map(|one| plain(&one["const"]));
            values.collect::<Vec<_>>().join("|")
        });
        let kind = values.or(titled).unwrap_or_else(|| kind.to_owned());
        let optional = if self.required { "" } else { "?" };
        let default = match &self.schema["default"] {
            Value::Null => String::new(),
            default => format!(" = {}", plain(default)),
        };
        visible(&format!("{}{optional}: {kind}{default}", self.name)).into_owned()
    }

    /// Asks for it on the terminal, until the answer will do. Inner none: it was left out. Outer none: no more answers.
    async fn ask(&self, root: &Value) -> Option<Option<Value>> {
        let description = self.schema["description"].as_str();
        let description = description.map(|text| format!("  {}\n", visible(text)));
        let mut question = format!("{}{}: ", description.unwrap_or_default(), self.describe());
        for _ in 0..MAX_TRIES {
            let text = ask(&question).await?;
            if text.is_empty() && !self.schema["default"].is_null() {
                return Some(Some(self.schema["default"].clone()));
            }
            if text.is_empty() && !self.required {
                return Some(None);
            }
            match coerce(&text, self.schema, root) {
                Ok(value) => return Some(Some(value)),
                Err(must) => question = format!("  It {}.\n{}: ", visible(&must), self.describe()),
            }
        }
        None
    }
}

/// Asks on the terminal. None at the end of the input. When nobody waits for the answer any more, what is typed next is left
/// to whoever reads it.
pub(super) async fn ask(question: &str) -> Option<String> {
    let question = question.to_owned();
    let waits = Arc::new(());
    let still = Arc::downgrade(&waits);
    let line = tokio::task::spawn_blocking(move || {
        use std::io::{BufRead as _, Read as _, Write as _};
        let mut stderr = io::stderr().lock();
        stderr.write_all(question.as_bytes())?;
        stderr.flush()?;
        drop(stderr);
        let mut line = String::new();
        if is_typed(&still) {
            io::stdin().lock().take(MAX_LINE).read_line(&mut line)?;
        }
        io::Result::Ok(line)
    });
    let line = line.await.ok()?.ok()?;
    drop(waits);
    let text = line.strip_suffix('\n')?;
    Some(text.trim_end_matches('\r').to_owned())
}

/// Waits for a line on the terminal; false if nobody waits for it any more.
#[cfg(unix)]
fn is_typed(still: &Weak<()>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let stdin = io::stdin();
    let pause = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    while still.strong_count() > 0 {
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&pause)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            // The read says what is wrong.
            Ok(_) | Err(_) => return true,
        }
    }
    false
}

#[cfg(not(unix))]
fn is_typed(_: &Weak<()>) -> bool {
    true
}
