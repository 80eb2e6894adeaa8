//! Integers of any size, exact on both ends.

use std::borrow::Cow;
use std::fmt;

use num_bigint::BigInt;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest integer that every JSON client keeps exact: 2^53 − 1 (RFC 8259 §6).
const MAX_SAFE: i64 = (1 << 53) - 1;

/// An integer of any size.
///
/// As an argument it reads what the caller wrote, digit for digit, however long. As a result it is
/// a JSON number up to 2^53 − 1 in magnitude and a decimal string beyond, because most JSON readers
/// would round the number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Integer(pub BigInt);

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Into<BigInt>> From<T> for Integer {
    fn from(value: T) -> Self {
        Self(value.into())
    }
}

impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(&self.0) {
            Ok(small) if small.unsigned_abs() <= MAX_SAFE as u64 => serializer.serialize_i64(small),
            _ => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl de::Visitor<'_> for Digits {
            type Value = Integer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }

            fn visit_i64<E>(self, value: i64) -> Result<Integer, E> {
                Ok(value.into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Integer, E> {
                Ok(value.into())
            }

            fn visit_str<E: de::Error>(self, digits: &str) -> Result<Integer, E> {
                digits
                    .parse()
                    .map(Integer)
                    .map_err(|_| E::custom("not an integer"))
            }
        }
        deserializer.deserialize_any(Digits)
    }
}

impl JsonSchema for Integer {
    fn schema_name() -> Cow<'static, str> {
        "Integer".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        if generator.contract().is_serialize() {
            json_schema!({
                "type": ["integer", "string"],
                "pattern": "^-?[0-9]+$",
                "description": "An exact integer: a number up to 2^53 - 1, a decimal string beyond.",
            })
        } else {
            json_schema!({ "type": "integer" })
        }
    }
}
