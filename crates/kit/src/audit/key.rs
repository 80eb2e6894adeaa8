//! The key under which values are hashed, and what a line says of arguments: their shape and keyed hashes, no value.

use std::cell::RefCell;
use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::build_error::BuildError;
use crate::canonical;

use super::digest::Digest;
use super::text::{cut, write};

/// Members and items of a shape, at any depth.
const MAX_NODES: usize = 48;
/// Items of a list that are looked at.
const MAX_ITEMS: usize = 256;
/// Objects and lists in one another.
const MAX_DEPTH: usize = 5;
/// Bytes of the name of a member.
const MAX_KEY: usize = 64;
/// Arguments that have a hash of their own.
const MAX_HASHED: usize = 16;
/// Bytes of memory that a thread keeps from call to call.
const KEPT_BYTES: usize = 4 << 10;
/// Stands for what there is no room for.
const MORE: &str = "…";

thread_local! {
    /// What is hashed, which is a caller's: it is overwritten by the next.
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Hashes values so that whoever has the key can search for one, and nobody else can guess them: HMAC-SHA-256 (RFC 2104).
#[derive(Clone)]
pub struct AuditKey(Hmac<Sha256>);

impl AuditKey {
    /// Bytes that a key must have at least.
    pub const MIN_BYTES: usize = 32;

    /// A key of these random bytes.
    ///
    /// # Errors
    /// There are fewer than [`AuditKey::MIN_BYTES`].
    pub fn new(bytes: &[u8]) -> Result<Self, BuildError> {
        let short = || {
            BuildError(format!(
                "A key for the audit log needs at least {} bytes.",
                Self::MIN_BYTES
            ))
        };
        if bytes.len() < Self::MIN_BYTES {
            return Err(short());
        }
        // A key of any length will do.
        let key = Hmac::new_from_slice(bytes).map_err(|_| short())?;
        Ok(Self(key))
    }

    /// The hash of a value as it stands in the lines: of its canonical JSON, in which the order of members does not matter.
    pub fn hash(&self, value: &Value) -> Digest {
        let mut text = Vec::new();
        canonical::value(value, &mut text);
        self.digest(&text)
    }

    /// What the lines say of which key they have, without saying anything of the key: 16 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        // No JSON begins with a letter that is none of `true`, `false` and `null`.
        let mut text = self.digest(b"key of the audit log").to_string();
        text.truncate(16);
        text
    }

    /// What a line says of the arguments of a call.
    pub fn arguments(&self, arguments: &Map<String, Value>) -> Arguments {
        TEXT.with_borrow_mut(|text| {
            // What panicked on this thread may have left something.
            text.clear();
            let said = self.say(arguments, text);
            text.clear();
            text.shrink_to(KEPT_BYTES);
            said
        })
    }

    fn say(&self, arguments: &Map<String, Value>, text: &mut Vec<u8>) -> Arguments {
        canonical::object(arguments, text);
        let mut out = Vec::with_capacity(384);
        out.extend_from_slice(b"{\"hash\":\"");
        out.extend_from_slice(&self.digest(text).hex());
        out.extend_from_slice(b"\",\"shape\":");
        let mut nodes = MAX_NODES;
        object(arguments, 1, &mut nodes, &mut out);
        out.extend_from_slice(b",\"values\":{");
        for (i, (name, value)) in arguments.iter().take(MAX_HASHED).enumerate() {
            text.clear();
            canonical::value(value, text);
            key(i, name, &mut out);
            out.push(b'"');
            out.extend_from_slice(&self.digest(text).hex());
            out.push(b'"');
        }
        out.extend_from_slice(b"}}");
        Arguments(out)
    }

    fn digest(&self, bytes: &[u8]) -> Digest {
        let mut mac = self.0.clone();
        mac.update(bytes);
        Digest::new(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditKey({})", self.fingerprint())
    }
}

/// What is known of arguments without knowing one of them; [`AuditKey::arguments`] makes it.
#[derive(Debug, Clone)]
pub struct Arguments(Vec<u8>);

impl Arguments {
    /// It is JSON already: to keep what was found and write it later would cost as much again.
    pub(super) fn as_json(&self) -> &[u8] {
        &self.0
    }
}

/// Writes the name of the next member, the `i`th.
fn key(i: usize, name: &str, out: &mut Vec<u8>) {
    if i > 0 {
        out.push(b',');
    }
    write(&cut(name, MAX_KEY), out);
    out.push(b':');
}

fn shape(value: &Value, depth: usize, nodes: &mut usize, out: &mut Vec<u8>) {
    let name = match value {
        Value::Object(members) if depth < MAX_DEPTH => {
            return object(members, depth + 1, nodes, out);
        }
        Value::Array(items) if depth < MAX_DEPTH => return list(items, depth + 1, nodes, out),
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
    };
    write(name, out);
}

fn object(members: &Map<String, Value>, depth: usize, nodes: &mut usize, out: &mut Vec<u8>) {
    out.push(b'{');
    for (i, (name, value)) in members.iter().enumerate() {
        if *nodes == 0 {
            key(i, MORE, out);
            write(MORE, out);
            break;
        }
        *nodes -= 1;
        key(i, name, out);
        shape(value, depth, nodes, out);
    }
    out.push(b'}');
}

/// The shapes of the items, one for those that follow one another and have the same.
fn list(items: &[Value], depth: usize, nodes: &mut usize, out: &mut Vec<u8>) {
    out.push(b'[');
    let mut last = 0..0;
    for (i, item) in items.iter().enumerate() {
        if *nodes == 0 || i == MAX_ITEMS {
            if !last.is_empty() {
                out.push(b',');
            }
            write(MORE, out);
            break;
        }
        let begin = out.len();
        let before = *nodes;
        *nodes -= 1;
        shape(item, depth, nodes, out);
        if out[last.clone()] == out[begin..] {
            out.truncate(begin);
            *nodes = before;
            continue;
        }
        let separator = usize::from(!last.is_empty());
        if separator == 1 {
            out.insert(begin, b',');
        }
        last = begin + separator..out.len();
    }
    out.push(b']');
}

impl JsonSchema for Arguments {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Arguments".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let digest = json_schema!({"type": "string", "pattern": "^[0-9a-f]{64}$"});
        json_schema!({
            "type": "object",
            "properties": {
                "hash": {
                    "description": "HMAC-SHA-256 of all arguments, as `audit hash '{…}'` prints it.",
                    "type": "string",
                    "pattern": "^[0-9a-f]{64}$",
                },
                "shape": {
                    "description": format!(
                        "The arguments with the JSON type in place of each value: string, integer, number, boolean, null; object or \
                         array below a depth of {MAX_DEPTH}; `…` for what comes after {MAX_NODES} members and items. Items of a list that follow one \
                         another and have the same shape are one."
                    ),
                    "type": "object",
                },
                "values": {
                    "description": format!(
                        "HMAC-SHA-256 of each of the first {MAX_HASHED} arguments, as `audit hash VALUE` prints it."
                    ),
                    "type": "object",
                    "additionalProperties": digest,
                },
            },
            "required": ["hash", "shape", "values"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key() -> AuditKey {
        AuditKey::new(&[7; 32]).unwrap()
    }

    fn of(arguments: &Value) -> Value {
        let arguments = key().arguments(arguments.as_object().unwrap());
        serde_json::from_slice(arguments.as_json()).unwrap()
    }

    #[test]
    fn arguments_are_types_and_hashes() {
        let arguments = json!({"name": "Ada", "n": 1, "x": 1.5, "on": true, "no": null,
            "tags": ["a", "b", 1, 2, "c"], "deep": {"a": [{"b": "c"}, {"b": "d"}, {"e": 1}]}});
        let said = of(&arguments);
        assert_eq!(
            said["shape"],
            json!({"name": "string", "n": "integer", "x": "number", "on": "boolean", "no": "null",
                "tags": ["string", "integer", "string"], "deep": {"a": [{"b": "string"}, {"e": "integer"}]}})
        );
        assert_eq!(said["hash"], json!(key().hash(&arguments)));
        assert_eq!(said["values"]["name"], json!(key().hash(&json!("Ada"))));
        assert!(!said.to_string().contains("Ada"));
        let other = AuditKey::new(&[8; 32]).unwrap();
        assert_ne!(other.hash(&arguments), key().hash(&arguments));
        assert_eq!(key().fingerprint().len(), 16);
        assert_ne!(other.fingerprint(), key().fingerprint());
        assert!(AuditKey::new(&[7; 31]).is_err());
    }

    /// RFC 4231, test case 2, whose key is too short for `AuditKey::new`; and what the digest is of.
    #[test]
    fn the_hash_is_hmac_sha256() {
        let key = AuditKey(Hmac::new_from_slice(b"Jefe").unwrap());
        assert_eq!(
            key.digest(b"what do ya want for nothing?").to_string(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(key.hash(&json!("a")), key.digest(b"\"a\""));
    }

    #[test]
    fn whatever_is_sent_what_is_said_is_short() {
        let wide: Map<_, _> = (0..1000)
            .map(|n| (format!("{n}\u{1}{}", "\u{202e}".repeat(1000)), json!("x")))
            .collect();
        let mut deep = json!("x");
        for _ in 0..100 {
            deep = json!({"a": [deep]});
        }
        let various: Vec<_> = (0..1000)
            .map(|n| json!({ n.to_string(): [n, n.to_string()] }))
            .collect();
        for arguments in [
            Value::Object(wide),
            json!({"deep": deep}),
            json!({"various": various}),
            json!({}),
            json!({"lists": [[], [[]], [[[]]]]}),
        ] {
            let said = of(&arguments);
            let length = said.to_string().len();
            assert!(said.is_object() && length < 8 << 10, "{length}: {said}");
        }
        let deep = of(&json!({"deep": deep}))["shape"].to_string();
        assert_eq!(deep, r#"{"deep":{"a":[{"a":["object"]}]}}"#);
        let various = of(&json!({"various": various}))["shape"].to_string();
        assert!(various.contains(r#","…"]"#), "{various}");
    }
}
