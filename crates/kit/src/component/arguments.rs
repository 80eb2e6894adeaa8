//! The arguments of one call, put right as far as the schema says how.

use std::collections::{BTreeMap, HashMap};

use num_bigint::BigInt;
use num_traits::FromPrimitive;
use rmcp::model::JsonObject;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use crate::wire::{self, WireLimits};

use super::plan::{Node, Plan};

/// How deep arguments lie in a message: in the object of that name, in `params`.
const ARGUMENTS: usize = 2;

/// Digits of the longest integer that is read; Python's own limit for reading one from text.
const MAX_DIGITS: usize = 4300;

/// Arguments by name.
///
/// JSON numbers are kept as `serde_json` reads them, which rounds integers beyond 64 bits; their
/// digits are kept beside, and [`super::Integer`] gets those.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arguments {
    pub(crate) values: JsonObject,
    /// Decimal digits of integers that do not fit a JSON number here, by argument name.
    pub(crate) exact: Vec<(String, String)>,
    /// The text of arguments that may hold anything and hold such integers somewhere, by name. A
    /// handler that takes a [`RawValue`] gets this text.
    pub(crate) verbatim: Vec<(String, String)>,
}

impl From<JsonObject> for Arguments {
    fn from(values: JsonObject) -> Self {
        Self {
            values,
            ..Self::default()
        }
    }
}

impl Arguments {
    /// Arguments as they came; `params` is the text they were read from, in which integers that
    /// were rounded are looked up again.
    pub(crate) fn read(values: JsonObject, plan: &Plan, params: &str) -> Self {
        let mut arguments = Self::from(values);
        let rounded = |name: &String, value: &Value| {
            plan.member(name).is_some_and(|node| match value {
                Value::Number(_) => node.integer && is_rounded(value),
                // Where the schema says what is inside, it is put right, and the text is not it.
                _ => node.is_free() && holds_rounded(value),
            })
        };
        let names: Vec<String> = arguments
            .values
            .iter()
            .filter(|(name, value)| rounded(name, value))
            .map(|(name, _)| name.clone())
            .collect();
        if !names.is_empty() {
            arguments.recover_digits(names, params);
        }
        arguments
    }

    fn recover_digits(&mut self, names: Vec<String>, params: &str) {
        #[derive(serde::Deserialize)]
        struct Params<'a> {
            #[serde(borrow)]
            arguments: HashMap<String, &'a RawValue>,
        }
        let Ok(params) = serde_json::from_str::<Params<'_>>(params) else {
            return;
        };
        for name in names {
            let Some(raw) = params.arguments.get(&name).copied() else {
                continue;
            };
            let literal = raw.get();
            if literal.starts_with(['[', '{']) {
                self.verbatim.push((name, literal.to_owned()));
                continue;
            }
            let digits = literal.strip_prefix('-').unwrap_or(literal);
            if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
                self.exact.push((name, literal.to_owned()));
            }
        }
    }

    /// Removes arguments that the tool does not have, and returns their names.
    pub(crate) fn strip_unknown(&mut self, plan: &Plan) -> Vec<String> {
        if plan.is_open() || self.values.keys().all(|name| plan.has(name)) {
            return Vec::new();
        }
        let unknown: Vec<String> = self
            .values
            .keys()
            .filter(|name| !plan.has(name))
            .cloned()
            .collect();
        self.values.retain(|name, _| plan.has(name));
        self.exact.retain(|(name, _)| plan.has(name));
        self.verbatim.retain(|(name, _)| plan.has(name));
        unknown
    }

    /// Reads `"5"`, `12.0`, `"yes"` and their like as what the schema wants, JSON in a string as what
    /// it says where no string may stand, and `null` as nothing where a member may be left out.
    pub(crate) fn coerce(&mut self, plan: &Plan, limits: &WireLimits) {
        let Self {
            values,
            exact,
            verbatim,
        } = self;
        let mut coercion = Coercion::new(plan, limits);
        values.retain(|name, value| {
            let Some(member) = plan.root().members.get(name) else {
                return true;
            };
            if plan.is_absent(member, value) {
                return false;
            }
            if exact.iter().any(|(held, _)| held == name) {
                return true;
            }
            let node = plan.node(member.node);
            if let Some(text) = coercion.unquote(value, node, ARGUMENTS)
                && node.is_free()
                && holds_rounded(value)
            {
                verbatim.push((name.clone(), text));
            }
            if let Some(digits) = coercion.coerce(value, node, ARGUMENTS) {
                exact.push((name.clone(), digits));
            }
            true
        });
    }

    /// The arguments as the handler's type.
    pub(crate) fn parse<T: DeserializeOwned>(mut self) -> Result<T, serde_json::Error> {
        for (name, digits) in self.exact {
            self.values.insert(name, Value::String(digits));
        }
        if self.verbatim.is_empty() {
            return serde_json::from_value(Value::Object(self.values));
        }
        // Read from text again, because a `Value` can't hold the digits.
        let mut members = BTreeMap::new();
        for (name, value) in &self.values {
            members.insert(name.as_str(), serde_json::value::to_raw_value(value)?);
        }
        for (name, text) in &self.verbatim {
            members.insert(name, RawValue::from_string(text.clone())?);
        }
        serde_json::from_str(&serde_json::to_string(&members)?)
    }
}

/// Whether there is a rounded number anywhere inside.
fn holds_rounded(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(holds_rounded),
        Value::Object(members) => members.values().any(holds_rounded),
        other => is_rounded(other),
    }
}

fn is_rounded(value: &Value) -> bool {
    matches!(value, Value::Number(number) if number.is_f64() && number.as_f64().is_some_and(|n| n.abs() >= 9.2e18))
}

/// Values being put right, within what one message may hold.
struct Coercion<'p> {
    plan: &'p Plan,
    /// Nesting that a message may have.
    depth: usize,
    /// Values that JSON in strings may still add.
    nodes: usize,
}

impl<'p> Coercion<'p> {
    fn new(plan: &'p Plan, limits: &WireLimits) -> Self {
        Self {
            plan,
            depth: limits.depth,
            nodes: limits.nodes,
        }
    }

    /// Reads an object or a list that stands as JSON in a string, where no string may stand, and
    /// returns its text. What is no such JSON, or none that a message could hold, stays as it is.
    fn unquote(&mut self, value: &mut Value, node: &Node, depth: usize) -> Option<String> {
        let Value::String(text) = &*value else {
            return None;
        };
        let wanted = match text.trim_start().as_bytes().first()? {
            b'{' => node.object,
            b'[' => node.array,
            _ => false,
        };
        if node.string || !wanted {
            return None;
        }
        let left = self.depth.saturating_sub(depth);
        let tree = wire::tree(text, left, &mut self.nodes)?;
        match std::mem::replace(value, tree) {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Puts one value right in place. Returns the digits of an integer that does not fit a JSON
    /// number; the value then holds the nearest one, which is all that bounds need.
    fn coerce(&mut self, value: &mut Value, node: &Node, depth: usize) -> Option<String> {
        self.unquote(value, node, depth);
        match value {
            Value::Array(items) => {
                if let Some(place) = node.items {
                    let node = self.plan.node(place);
                    for item in items {
                        self.coerce(item, node, depth + 1);
                    }
                }
                None
            }
            Value::Object(members) => {
                members.retain(|name, value| {
                    let member = node.members.get(name);
                    if member.is_some_and(|member| self.plan.is_absent(member, value)) {
                        return false;
                    }
                    if let Some(place) = member.map(|member| member.node).or(node.others) {
                        self.coerce(value, self.plan.node(place), depth + 1);
                    }
                    true
                });
                None
            }
            scalar => coerce_scalar(scalar, node),
        }
    }
}

fn coerce_scalar(value: &mut Value, node: &Node) -> Option<String> {
    match value {
        Value::String(text) if !node.string => {
            let text = text.trim();
            if node.integer
                && let Some(integer) = integer_from_text(text)
            {
                return set_integer(value, &integer);
            }
            if node.number
                && let Some(number) = text.parse().ok().and_then(Number::from_f64)
            {
                *value = Value::Number(number);
            } else if node.boolean
                && let Some(flag) = boolean_from_text(text)
            {
                *value = Value::Bool(flag);
            }
        }
        Value::Bool(flag) if !node.boolean => {
            if node.integer {
                *value = Value::from(u8::from(*flag));
            } else if node.number {
                *value = Value::from(f64::from(u8::from(*flag)));
            }
        }
        Value::Number(number) if node.integer && !node.number && number.is_f64() => {
            let whole = number
                .as_f64()
                .filter(|n| n.fract() == 0.0)
                .and_then(BigInt::from_f64);
            if let Some(integer) = whole {
                return set_integer(value, &integer);
            }
        }
        Value::Number(number) if node.boolean && !node.integer && !node.number => {
            match number.as_f64() {
                Some(0.0) => *value = Value::Bool(false),
                Some(1.0) => *value = Value::Bool(true),
                _ => {}
            }
        }
        _ => {}
    }
    None
}

fn set_integer(value: &mut Value, integer: &BigInt) -> Option<String> {
    if let Ok(fits) = i64::try_from(integer) {
        *value = fits.into();
        return None;
    }
    if let Ok(fits) = u64::try_from(integer) {
        *value = fits.into();
        return None;
    }
    let digits = integer.to_string();
    // Beyond the range of a double the nearest one is its largest.
    let nearest = digits
        .parse::<f64>()
        .unwrap_or(f64::MAX)
        .clamp(f64::MIN, f64::MAX);
    *value = Number::from_f64(nearest).map(Value::Number)?;
    Some(digits)
}

/// `12`, `+12`, `1_2`, `12.0`, as Python reads them.
fn integer_from_text(text: &str) -> Option<BigInt> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let well_formed = whole
        .split('_')
        .all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()))
        && fraction.bytes().all(|b| b == b'0')
        && !digits.ends_with('.');
    if !well_formed || whole.len() > MAX_DIGITS {
        return None;
    }
    format!("{sign}{}", whole.replace('_', "")).parse().ok()
}

fn boolean_from_text(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
