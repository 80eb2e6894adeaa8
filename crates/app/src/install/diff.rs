//! Two entries of the same name, line by line. Values that may be secrets are not shown.

use serde_json::{Value, json};

use super::client::Client;
use super::format::{Fields, Slot};

/// How an entry differs from the one that is wanted, written as the client has them: lines that would go after `-`, lines
/// that would come after `+`.
///
/// # Errors
/// The format cannot have a value.
pub(crate) fn difference(
    client: &Client,
    slot: &Slot,
    before: &Value,
    wanted: &Value,
) -> Result<String, String> {
    let written = |entry: &Value, other: &Value, which: &str| {
        let entry = hidden(client, entry, other, which);
        match entry {
            Value::Object(fields) => slot.written(&fields),
            // It is no entry of a server at all.
            other => slot.written(&Fields::from_iter([("?".to_owned(), other)])),
        }
    };
    let old = written(before, wanted, "as it is")?;
    let new = written(wanted, before, "as given")?;
    Ok(lines(&old, &new))
}

/// The entry without the values of its variables and headers.
fn hidden(client: &Client, entry: &Value, other: &Value, which: &str) -> Value {
    let mut shown = entry.clone();
    for field in client.fields.secret() {
        let Some(Value::Object(values)) = shown.get_mut(field) else {
            continue;
        };
        for (name, value) in values.iter_mut() {
            let same = other.get(field).and_then(|values| values.get(name)) == Some(value);
            *value = match same {
                true => json!("(hidden)"),
                false => json!(format!("(hidden, {which})")),
            };
        }
    }
    shown
}

fn lines(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let pairs = || old.iter().zip(&new);
    let head = pairs().take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - head;
    let ends = old.iter().rev().zip(new.iter().rev());
    let tail = ends.take(most).take_while(|(a, b)| a == b).count();
    let mut text = String::new();
    let mut add = |mark: char, lines: &[&str]| {
        for line in lines {
            text.extend([mark, ' ']);
            text.push_str(line);
            text.push('\n');
        }
    };
    add(' ', &old[..head]);
    add('-', &old[head..old.len() - tail]);
    add('+', &new[head..new.len() - tail]);
    add(' ', &old[old.len() - tail..]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::client::named;

    #[test]
    fn lines_that_change_are_marked_and_secrets_stay_hidden() {
        let client = named("cursor").unwrap();
        let before = json!({"command": "/old", "args": [], "env": {"A": "s1", "B": "s2"}});
        let wanted = json!({"command": "/new", "env": {"A": "s1", "B": "s3"}});
        let text = difference(client, &client.slot("z"), &before, &wanted).unwrap();
        for line in [
            "-       \"command\": \"/old\",",
            "+       \"command\": \"/new\",",
            "-         \"B\": \"(hidden, as it is)\"",
            "+         \"B\": \"(hidden, as given)\"",
        ] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
        assert!(!text.contains("\"s"), "{text}");
        let odd = difference(client, &client.slot("z"), &json!(5), &wanted).unwrap();
        assert!(odd.contains("5"), "{odd}");
    }
}
