//! Writing JSON.

use std::collections::HashSet;

use malachite_bigint::BigInt;
use rustpython_vm::builtins::{PyInt, PyStr, PyTuple};
use rustpython_vm::{AsObject as _, PyObject, PyObjectRef, VirtualMachine};

use super::{Fault, Form, Types, form, member};
use crate::limits::size;
use crate::run::{Kind, Limit};
use crate::wire::RunError;

/// How deep values may be nested: readers of JSON give up at about 128.
const MAX_DEPTH: usize = 100;

/// Integers that every reader of JSON gets exactly (RFC 8259 §6).
const EXACT: std::ops::RangeInclusive<i64> = -((1 << 53) - 1)..=(1 << 53) - 1;

/// A key that `serde_json` has for itself: an object with it is read as something else.
const RESERVED: &str = "$serde_json::private::RawValue";

/// Writes JSON, and stops at its limit: values share their parts, and can be exponentially larger
/// written than they are.
pub(super) struct Writer<'a> {
    pub(super) out: String,
    pub(super) limit: usize,
    strict: bool,
    /// Ids of what holds the value that is being written.
    around: Vec<usize>,
    types: &'a Types,
    vm: &'a VirtualMachine,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        limit: usize,
        strict: bool,
        types: &'a Types,
        vm: &'a VirtualMachine,
    ) -> Self {
        Self {
            out: String::new(),
            limit,
            strict,
            around: Vec::new(),
            types,
            vm,
        }
    }

    fn push(&mut self, text: &str) -> Result<(), Fault> {
        if text.len() > self.limit - self.out.len() {
            return Err(too_large(self.limit).into());
        }
        self.out.push_str(text);
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), Fault> {
        // Checked before, since escaping only makes it longer.
        if text.len() > self.limit - self.out.len() {
            return Err(too_large(self.limit).into());
        }
        self.push(&serde_json::Value::from(text).to_string())
    }

    pub(super) fn value(&mut self, value: &PyObject, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(RunError::new(
                Kind::Limit(Limit::Value),
                format!(
                    "The value is nested deeper than {MAX_DEPTH} levels, which is the limit; return it flatter."
                ),
            )
            .into());
        }
        let value = &member(value, self.types, self.vm)?;
        let form = form(value, self.types, self.vm)?;
        let again = match form {
            Form::Array(_) | Form::Set(_) => "[...]",
            Form::Object(_) => "{...}",
            _ => return self.leaf(form),
        };
        if self.around.contains(&value.get_id()) {
            return self.string(again);
        }
        self.around.push(value.get_id());
        match form {
            Form::Array(items) => self.array(&items, depth)?,
            Form::Set(items) => self.array(&in_order(items), depth)?,
            Form::Object(members) => self.object(&members, depth)?,
            _ => {}
        }
        self.around.pop();
        Ok(())
    }

    fn leaf(&mut self, form: Form) -> Result<(), Fault> {
        match form {
            Form::Bool(flag) => self.push(if flag { "true" } else { "false" }),
            Form::Int(integer) => match integer.downcast_ref::<PyInt>() {
                Some(integer) => self.integer(integer.as_bigint()),
                None => Ok(()),
            },
            Form::Float(number) => self.float(number),
            Form::Text(text) | Form::Repr(text) | Form::Quoted(text) => self.string(&text),
            _ => self.push("null"),
        }
    }

    fn integer(&mut self, integer: &BigInt) -> Result<(), Fault> {
        // Ten bits are three digits at least, and digits take their time.
        if integer.bits() / 10 * 3 > (self.limit - self.out.len()) as u64 {
            return Err(too_large(self.limit).into());
        }
        let exact = i64::try_from(integer).is_ok_and(|integer| EXACT.contains(&integer));
        match self.strict && !exact {
            true => self.push(&format!("\"{integer}\"")),
            false => self.push(&integer.to_string()),
        }
    }

    pub(super) fn array(&mut self, items: &[PyObjectRef], depth: usize) -> Result<(), Fault> {
        self.push("[")?;
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.push(",")?;
            }
            self.value(item, depth + 1)?;
        }
        self.push("]")
    }

    pub(super) fn object(
        &mut self,
        members: &[(PyObjectRef, PyObjectRef)],
        depth: usize,
    ) -> Result<(), Fault> {
        // Strings are different from each other already.
        let mut names = members
            .iter()
            .any(|(key, _)| key.downcast_ref::<PyStr>().is_none())
            .then(HashSet::new);
        self.push("{")?;
        for (at, (key, value)) in members.iter().enumerate() {
            if at > 0 {
                self.push(",")?;
            }
            let name = self.key(key, depth)?;
            if self.strict && name == RESERVED {
                return Err(RunError::new(
                    Kind::Exception,
                    format!("The key '{RESERVED}' cannot be written as JSON; use another one."),
                )
                .into());
            }
            self.string(&name)?;
            self.push(":")?;
            self.value(value, depth + 1)?;
            if let Some(names) = &mut names
                && !names.insert(name)
            {
                return Err(self.same_keys(&members[..at], key, depth)?.into());
            }
        }
        self.push("}")
    }

    /// Says that a key is the same as one before it once they are text.
    fn same_keys(
        &self,
        before: &[(PyObjectRef, PyObjectRef)],
        key: &PyObject,
        depth: usize,
    ) -> Result<RunError, Fault> {
        let name = self.key(key, depth)?;
        let shown = |key: &PyObject| -> Result<String, Fault> {
            let mut shown = key.repr(self.vm)?.to_string_lossy().into_owned();
            shown.truncate(shown.floor_char_boundary(100));
            Ok(shown)
        };
        let mut other = shown(key)?;
        for (first, _) in before {
            if self.key(first, depth)? == name {
                other = shown(first)?;
                break;
            }
        }
        Ok(RunError::new(
            Kind::Exception,
            format!(
                "ValueError: the keys {other} and {} of a dict are the same in JSON; use keys of one type",
                shown(key)?
            ),
        ))
    }

    /// A dict's key as text: `1`, `true`, `None`, and `1,2` for a tuple.
    fn key(&self, key: &PyObject, depth: usize) -> Result<String, Fault> {
        let key = &member(key, self.types, self.vm)?;
        if let Some(tuple) = key.downcast_ref::<PyTuple>() {
            if depth > MAX_DEPTH {
                return Err(too_large(self.limit).into());
            }
            let mut names = Vec::new();
            for part in tuple.as_slice() {
                names.push(self.key(part, depth + 1)?);
            }
            return Ok(names.join(","));
        }
        let name = match form(key, self.types, self.vm)? {
            Form::Null => "None".to_owned(),
            Form::Bool(flag) => flag.to_string(),
            Form::Text(text) | Form::Quoted(text) => text,
            Form::Int(integer) => match integer.downcast_ref::<PyInt>() {
                Some(integer) if integer.as_bigint().bits() / 10 * 3 <= self.limit as u64 => {
                    integer.as_bigint().to_string()
                }
                _ => return Err(too_large(self.limit).into()),
            },
            _ => key.str(self.vm)?.to_string_lossy().into_owned(),
        };
        Ok(name)
    }

    fn float(&mut self, number: f64) -> Result<(), Fault> {
        if number.is_finite() {
            return self.push(&serde_json::Value::from(number).to_string());
        }
        self.push(match number {
            _ if number.is_nan() => "\"NaN\"",
            _ if number > 0.0 => "\"Infinity\"",
            _ => "\"-Infinity\"",
        })
    }
}

/// The elements of a set: sorted where they are all integers or all strings, so that equal sets
/// are equal text.
fn in_order(mut items: Vec<PyObjectRef>) -> Vec<PyObjectRef> {
    let integer = |item: &PyObjectRef| {
        let integer = item.downcast_ref::<PyInt>();
        integer.map(|integer| integer.as_bigint().clone())
    };
    let string = |item: &PyObjectRef| {
        let string = item.downcast_ref::<PyStr>();
        string.map(|string| string.as_wtf8().to_owned())
    };
    if items.iter().all(|item| integer(item).is_some()) {
        items.sort_by_cached_key(integer);
    } else if items.iter().all(|item| string(item).is_some()) {
        items.sort_by_cached_key(string);
    }
    items
}

pub(super) fn too_large(limit: usize) -> RunError {
    RunError::new(
        Kind::Limit(Limit::Value),
        format!(
            "The value is larger than {}, which is the limit; return less of it.",
            size(limit)
        ),
    )
}
