//! Python to JSON.
//!
//! | Python | text | in a dict's structure |
//! | --- | --- | --- |
//! | `str` | as it is (quoted inside others) | string |
//! | `int` | its digits | number; a decimal string beyond ±(2^53 − 1) |
//! | `float` | `2.0`; `"NaN"`, `"Infinity"`, `"-Infinity"` | the same |
//! | `list`, `tuple`, named tuple, `deque`, view of a dict | array; nothing for an empty list or tuple | array |
//! | `set`, `frozenset` | array, sorted if it is all integers or all strings | array |
//! | `dict`, dataclass instance | object; keys as text | object |
//! | `bytes`, `bytearray` | the text where it is UTF-8, else Base64 | string |
//! | member of an enum | its value | its value |
//! | dates, times, durations | quoted: ISO 8601 | string |
//! | `Decimal`, `Fraction`, `UUID`, paths, addresses, time zones, types, functions | quoted: what `str()` gives | string |
//! | exceptions | their message | string |
//! | generators and other iterators | an error that says `list(...)` | the same |
//! | anything else | what `repr()` gives | string |
//!
//! What holds itself is written as `"[...]"` or `"{...}"` where it comes again.

mod types;
mod writer;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustpython_vm::builtins::{
    PyBaseException, PyBaseExceptionRef, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt,
    PyList, PySet, PyStr, PyTuple, PyType, PyTypeRef,
};
use rustpython_vm::{AsObject as _, PyObject, PyObjectRef, VirtualMachine};
use serde_json::value::RawValue;

pub(super) use self::types::Types;
use self::writer::{Writer, too_large};
use super::iso;
use crate::run::{Kind, Value};
use crate::wire::RunError;

/// Why there is no JSON.
pub(super) enum Fault {
    /// A method of an object raised it.
    Raised(PyBaseExceptionRef),
    /// There can be none.
    Refused(RunError),
}

impl From<PyBaseExceptionRef> for Fault {
    fn from(error: PyBaseExceptionRef) -> Self {
        Self::Raised(error)
    }
}

impl From<RunError> for Fault {
    fn from(error: RunError) -> Self {
        Self::Refused(error)
    }
}

/// The value of a run.
pub(super) fn render(
    value: &PyObject,
    limit: usize,
    types: &Types,
    vm: &VirtualMachine,
) -> Result<Value, Fault> {
    types.learn(vm);
    let write = |strict| {
        let mut writer = Writer::new(limit, strict, types, vm);
        writer.value(value, 0)?;
        Ok::<_, Fault>(writer.out)
    };
    let text = match top(value, types, vm)? {
        Top::Nothing => None,
        Top::Text(text) if text.len() <= limit => Some(text),
        Top::Text(_) => return Err(too_large(limit).into()),
        Top::Json => Some(write(false)?),
    };
    let object = match value.downcast_ref::<PyDict>().is_some() || is_dataclass(value, vm) {
        true => Some(raw(write(true)?)?),
        false => None,
    };
    Ok(Value {
        text,
        object,
        ..Value::default()
    })
}

/// How a value is shown that isn't inside another.
enum Top {
    Nothing,
    Text(String),
    Json,
}

fn top(value: &PyObject, types: &Types, vm: &VirtualMachine) -> Result<Top, Fault> {
    let value = &member(value, types, vm)?;
    let empty = |length: usize| match length {
        0 => Top::Nothing,
        _ => Top::Json,
    };
    if vm.is_none(value) {
        return Ok(Top::Nothing);
    }
    if let Some(list) = value.downcast_ref::<PyList>() {
        return Ok(empty(list.borrow_vec().len()));
    }
    if let Some(tuple) = value.downcast_ref::<PyTuple>() {
        return Ok(empty(tuple.len()));
    }
    Ok(match form(value, types, vm)? {
        Form::Text(text) | Form::Repr(text) => Top::Text(text),
        _ => Top::Json,
    })
}

/// The value of a member of an enum; everything else as it is.
fn member(value: &PyObject, types: &Types, vm: &VirtualMachine) -> Result<PyObjectRef, Fault> {
    match is(value, types.enumeration.get()) {
        true => Ok(value.get_attr("value", vm)?),
        false => Ok(value.to_owned()),
    }
}

fn is(value: &PyObject, class: Option<&PyTypeRef>) -> bool {
    class.is_some_and(|class| value.fast_isinstance(class))
}

fn is_dataclass(value: &PyObject, vm: &VirtualMachine) -> bool {
    let fields = vm.ctx.intern_str("__dataclass_fields__");
    value.downcast_ref::<PyType>().is_none() && value.class().get_attr(fields).is_some()
}

/// What a value is to JSON.
enum Form {
    Null,
    Bool(bool),
    Int(PyObjectRef),
    Float(f64),
    /// Shown as it is, where it isn't inside another.
    Text(String),
    /// As that, but for what Python would show of it.
    Repr(String),
    /// Always quoted.
    Quoted(String),
    Array(Vec<PyObjectRef>),
    Set(Vec<PyObjectRef>),
    Object(Vec<(PyObjectRef, PyObjectRef)>),
}

fn form(value: &PyObject, types: &Types, vm: &VirtualMachine) -> Result<Form, Fault> {
    let text = |text: rustpython_vm::PyRef<PyStr>| text.to_string_lossy().into_owned();
    if vm.is_none(value) {
        return Ok(Form::Null);
    }
    if value.is(&vm.ctx.true_value) || value.is(&vm.ctx.false_value) {
        return Ok(Form::Bool(value.is(&vm.ctx.true_value)));
    }
    if value.downcast_ref::<PyInt>().is_some() {
        return Ok(Form::Int(value.to_owned()));
    }
    if let Some(number) = value.downcast_ref::<PyFloat>() {
        return Ok(Form::Float(number.to_f64()));
    }
    if let Some(string) = value.downcast_ref::<PyStr>() {
        return Ok(Form::Text(string.to_string_lossy().into_owned()));
    }
    if let Some(bytes) = value.downcast_ref::<PyBytes>() {
        return Ok(Form::Text(bytes_text(bytes.as_bytes())));
    }
    if let Some(bytes) = value.downcast_ref::<PyByteArray>() {
        return Ok(Form::Text(bytes_text(&bytes.borrow_buf())));
    }
    if let Some(list) = value.downcast_ref::<PyList>() {
        return Ok(Form::Array(list.borrow_vec().to_vec()));
    }
    if let Some(tuple) = value.downcast_ref::<PyTuple>() {
        return Ok(Form::Array(tuple.as_slice().to_vec()));
    }
    if let Some(set) = value.downcast_ref::<PySet>() {
        return Ok(Form::Set(set.elements()));
    }
    if let Some(set) = value.downcast_ref::<PyFrozenSet>() {
        return Ok(Form::Set(set.elements()));
    }
    if let Some(dict) = value.downcast_ref::<PyDict>() {
        return Ok(Form::Object(dict.items_vec()));
    }
    if is_dataclass(value, vm) {
        return Ok(Form::Object(fields(value, vm)?));
    }
    let is_sequence = |class: &PyTypeRef| value.fast_isinstance(class);
    if types.sequences.iter().any(is_sequence) || is(value, types.deque.get()) {
        return Ok(Form::Array(vm.extract_elements_with(value, Ok)?));
    }
    if is(value, types.datetime.get()) || is(value, types.time.get()) {
        let written = text(vm.call_method(value, "isoformat", ())?.str(vm)?);
        return Ok(Form::Quoted(iso::with_zulu(written)));
    }
    if is(value, types.date.get()) {
        let written = vm.call_method(value, "isoformat", ())?.str(vm)?;
        return Ok(Form::Quoted(text(written)));
    }
    if is(value, types.timedelta.get()) {
        let part = |name: &'static str| -> Result<i64, Fault> {
            Ok(value.get_attr(name, vm)?.try_into_value(vm)?)
        };
        let (days, seconds, micros) = (part("days")?, part("seconds")?, part("microseconds")?);
        return Ok(Form::Quoted(iso::duration(days, seconds, micros)));
    }
    if types.written.iter().any(|known| is(value, known.get())) {
        return Ok(Form::Quoted(text(value.str(vm)?)));
    }
    if value.downcast_ref::<PyBaseException>().is_some() {
        return Ok(Form::Text(text(value.str(vm)?)));
    }
    let class = &*value.class().name();
    match class {
        "generator" | "map" | "filter" | "zip" | "enumerate" | "reversed" => {
            return Err(not_run(class, "return list(...) of it").into());
        }
        "async_generator" => {
            return Err(not_run(class, "return [item async for item in ...]").into());
        }
        "coroutine" => return Err(not_run(class, "await it").into()),
        _ => {}
    }
    let quoted = value.downcast_ref::<PyType>().is_some()
        || matches!(class, "function" | "builtin_function_or_method" | "method");
    let shown = text(value.repr(vm)?);
    Ok(match quoted {
        true => Form::Quoted(shown),
        false => Form::Repr(shown),
    })
}

fn not_run(class: &str, instead: &str) -> RunError {
    let article = match class.starts_with(['a', 'e']) {
        true => "an",
        false => "a",
    };
    RunError::new(
        Kind::Exception,
        format!("TypeError: the value is {article} {class}, which was not run; {instead}"),
    )
}

/// The fields of a dataclass instance, as far as they are set.
fn fields(value: &PyObject, vm: &VirtualMachine) -> Result<Vec<(PyObjectRef, PyObjectRef)>, Fault> {
    let Some(fields) = value
        .class()
        .get_attr(vm.ctx.intern_str("__dataclass_fields__"))
    else {
        return Ok(Vec::new());
    };
    let Some(fields) = fields.downcast_ref::<PyDict>() else {
        return Ok(Vec::new());
    };
    let mut members = Vec::new();
    for (name, field) in fields.items_vec() {
        // `ClassVar` and `InitVar` are in the list too, and are none.
        let kind = field.get_attr("_field_type", vm)?.repr(vm)?;
        let Some(text) = name.downcast_ref::<PyStr>() else {
            continue;
        };
        if kind.to_string_lossy() == "_FIELD"
            && let Some(value) = vm.get_attribute_opt(value.to_owned(), text)?
        {
            members.push((name, value));
        }
    }
    Ok(members)
}

/// The arguments of a host function: an array of the positional ones, an object of those by name.
pub(super) fn arguments(
    args: &[PyObjectRef],
    kwargs: &[(String, PyObjectRef)],
    limit: usize,
    types: &Types,
    vm: &VirtualMachine,
) -> Result<(Box<RawValue>, Box<RawValue>), Fault> {
    types.learn(vm);
    let mut writer = Writer::new(limit, true, types, vm);
    writer.array(args, 0)?;
    let positional = std::mem::take(&mut writer.out);
    writer.limit -= positional.len();
    let kwargs: Vec<_> = kwargs
        .iter()
        .map(|(name, value)| (vm.ctx.new_str(name.as_str()).into(), value.clone()))
        .collect();
    writer.object(&kwargs, 0)?;
    Ok((raw(positional)?, raw(writer.out)?))
}

fn raw(json: String) -> Result<Box<RawValue>, RunError> {
    RawValue::from_string(json)
        .map_err(|error| RunError::new(Kind::Exception, format!("The value is no JSON: {error}.")))
}

fn bytes_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => STANDARD.encode(bytes),
    }
}
