//! Values as they are stored: JSON objects that this release and the next can share.
//!
//! An object has the fields of what is kept, `format` and `readers`. `format` is the newest release's that wrote it;
//! `readers` is the oldest format whose readers understand it. To add a field, add it at the top level of the object with a
//! default, and raise `FORMAT`: older replicas keep it when they write the object anew. What older replicas would
//! misunderstand raises `readers` too, and they refuse it then.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

/// The format that this release writes.
const FORMAT: u32 = 1;

const FORMAT_FIELD: &str = "format";
const READERS_FIELD: &str = "readers";

type Fields = BTreeMap<Box<str>, Box<RawValue>>;

/// All fields of a value as it was read, those that this release does not know among them.
#[derive(Default)]
pub(crate) struct AsRead(Fields);

/// What is stored, and what goes back with it when it is written anew. `None` when it cannot be read by this release.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> Option<(T, AsRead)> {
    let fields: Fields = serde_json::from_slice(text).ok()?;
    let number = |name: &str| fields.get(name)?.get().parse::<u32>().ok();
    number(FORMAT_FIELD)?;
    if number(READERS_FIELD)? > FORMAT {
        return None;
    }
    Some((serde_json::from_slice(text).ok()?, AsRead(fields)))
}

/// The text of a value, with what `before` had beside it.
///
/// # Errors
/// When it is no JSON object.
pub(crate) fn write<T: Serialize>(value: &T, before: AsRead) -> serde_json::Result<Vec<u8>> {
    let mut fields = before.0;
    let known: Fields = serde_json::from_str(to_raw_value(value)?.get())?;
    fields.extend(known);
    for name in [FORMAT_FIELD, READERS_FIELD] {
        if !fields.contains_key(name) {
            fields.insert(name.into(), to_raw_value(&FORMAT)?);
        }
    }
    serde_json::to_vec(&fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Kept {
        count: u32,
    }

    #[test]
    fn fields_of_the_next_format_are_kept() {
        let text = write(&Kept { count: 1 }, AsRead::default()).unwrap();
        let (kept, _) = read::<Kept>(&text).unwrap();
        assert_eq!(kept, Kept { count: 1 });
        let next = json!({ "format": 2, "readers": 1, "count": 7, "colour": { "a": [1] } });
        let (mut kept, rest) = read::<Kept>(next.to_string().as_bytes()).unwrap();
        kept.count += 1;
        let written: Value = serde_json::from_slice(&write(&kept, rest).unwrap()).unwrap();
        assert_eq!(
            written,
            json!({ "format": 2, "readers": 1, "count": 8, "colour": { "a": [1] } })
        );
        for strange in [
            r#"{"format":3,"readers":2,"count":1}"#,
            r#"{"count":1}"#,
            r#"{"format":1,"readers":1}"#,
            "[]",
            "",
        ] {
            assert!(read::<Kept>(strange.as_bytes()).is_none(), "{strange}");
        }
    }
}
