//! The engine: Monty, a small Python interpreter without any way to its host.
//!
//! Everything that knows Monty is in this folder: `check` types, `input` and `value` conversion,
//! `stubs` what the type checker is told. A second engine would be a second folder behind the same
//! [`Engine::run`].

#[cfg(feature = "typecheck")]
mod check;
mod clock;
mod input;
#[cfg(any(feature = "typecheck", feature = "fuzzing"))]
mod stubs;
mod value;

use std::borrow::Cow;
use std::time::Instant;

use monty::{MontyRun, RunProgress};
use monty_types::{
    CompileOptions, ExcType, ExtFunctionResult, MontyException, MontyObject, OsFunctionCall,
    PrintWriter, PrintWriterCallback, ResourceLimits, ResourceTracker,
};

use crate::alloc;
use crate::limits::{Limits, size};
use crate::run::{Kind, Limit, Value};
use crate::wire::{FromWorker, Run, RunError, Stream};
use crate::worker::Host;

/// The modules that code can import.
pub const MODULES: &[&str] = &[
    "asyncio",
    "base64",
    "binascii",
    "collections",
    "dataclasses",
    "datetime",
    "functools",
    "itertools",
    "json",
    "math",
    "os",
    "pathlib",
    "re",
    "sys",
    "typing",
    "unicodedata",
];

/// What is kept from run to run: a type checker that knows the standard library, and nothing of any
/// run.
pub(crate) struct Engine {
    #[cfg(feature = "typecheck")]
    checker: check::Checker,
}

impl Engine {
    /// An engine that is warm: its first run takes no longer than the next.
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(feature = "typecheck")]
            checker: check::Checker::warm(),
        }
    }

    /// Runs one request.
    pub(crate) fn run(&mut self, run: Run, host: &mut Host<'_>) -> Result<Value, RunError> {
        let started = Instant::now();
        let limits = run.limits;
        alloc::limit(limits.memory, false);
        let inputs = input::read(run.inputs.as_deref())?;
        let (names, values): (Vec<_>, Vec<_>) = inputs.into_iter().unzip();
        #[cfg(feature = "typecheck")]
        let stubs = run.check_types.then(|| stubs::of(&run, &names, &values));
        #[cfg(feature = "typecheck")]
        let source = run.check_types.then(|| run.code.clone());

        let program = MontyRun::new(run.code, &run.script_name, names, CompileOptions::default())
            .map_err(|error| refused(&error))?;

        #[cfg(feature = "typecheck")]
        if let (Some(source), Some(stubs)) = (source, stubs) {
            alloc::limit(limits.memory, true);
            self.checker.check(&source, &run.script_name, &stubs)?;
            alloc::limit(limits.memory, false);
        }

        let left = limits.time.saturating_sub(started.elapsed());
        let tracker = ResourceTracker::new(
            ResourceLimits::default()
                .max_duration(left)
                .max_memory(limits.memory)
                .max_recursion_depth(limits.recursion),
        );
        let mut session = Session {
            host,
            functions: run.host.into_iter().map(|(name, _)| name).collect(),
            calls: 0,
            limits,
            started,
            utc_offset: run.utc_offset,
        };
        let result = session.drive(program, values, tracker);
        match result {
            Ok(value) => value::render(&value, limits.value),
            Err(error) => Err(raised(&error, limits)),
        }
    }
}

/// One run, from its first instruction to its value.
struct Session<'a, 'h> {
    host: &'a mut Host<'h>,
    functions: Vec<String>,
    calls: usize,
    limits: Limits,
    started: Instant,
    utc_offset: i32,
}

impl Session<'_, '_> {
    fn drive(
        &mut self,
        program: MontyRun,
        inputs: Vec<MontyObject>,
        tracker: ResourceTracker,
    ) -> Result<MontyObject, MontyException> {
        let mut progress = program.start(inputs, tracker, print(self.host))?;
        loop {
            // Time between two steps is not the interpreter's, which counts its own only.
            let late = self.started.elapsed() > self.limits.time;
            let time_is_up = || MontyException::new(ExcType::TimeoutError, Some(TIME.into()));
            progress = match progress {
                RunProgress::Complete(value) => return Ok(value),
                RunProgress::NameLookup(lookup) => {
                    let known =
                        lookup.object_id().is_none() && self.functions.contains(&lookup.name);
                    let function = known.then(|| MontyObject::Function {
                        name: lookup.name.clone(),
                        docstring: None,
                    });
                    lookup.resume(function, print(self.host))?
                }
                RunProgress::OsCall(call) if late => call.abort(time_is_up(), print(self.host))?,
                RunProgress::OsCall(call) => {
                    let offset = self.utc_offset;
                    call.resume_with(print(self.host), |call| answer(&call, offset))?
                }
                RunProgress::FunctionCall(call) if late => {
                    call.abort(time_is_up(), print(self.host))?
                }
                RunProgress::FunctionCall(call) => {
                    let known =
                        call.object_id.is_none() && self.functions.contains(&call.function_name);
                    if !known {
                        let name = call.function_name.clone();
                        call.resume(ExtFunctionResult::NotFound(name), print(self.host))?
                    } else if self.calls == self.limits.host_calls {
                        let error = MontyException::new(ExcType::RuntimeError, Some(CALLS.into()));
                        call.abort(error, print(self.host))?
                    } else {
                        self.calls += 1;
                        let result = self.call(&call.function_name, &call.args, &call.kwargs);
                        call.resume(result, print(self.host))?
                    }
                }
                // Host functions answer at once, so nothing can be awaited that is theirs.
                RunProgress::ResolveFutures(futures) => {
                    let error = MontyException::new(
                        ExcType::RuntimeError,
                        Some("nothing will ever complete what is awaited here".into()),
                    );
                    futures.abort(error, print(self.host))?
                }
            };
        }
    }

    fn call(
        &mut self,
        name: &str,
        args: &[MontyObject],
        kwargs: &[(MontyObject, MontyObject)],
    ) -> ExtFunctionResult {
        let type_error = |message: String| {
            ExtFunctionResult::Error(MontyException::new(ExcType::TypeError, Some(message)))
        };
        let limit = self.limits.inputs;
        let arguments = value::arguments(args, kwargs, limit);
        let (args, kwargs) = match arguments {
            Ok(arguments) => arguments,
            Err(error) => return type_error(format!("{name}(): {}", error.message)),
        };
        match self.host.call(&FromWorker::Call(name.into(), args, kwargs)) {
            Ok(value) => match input::value(&value) {
                Ok(value) => value.into(),
                Err(error) => type_error(format!("{name}(): {}", error.message)),
            },
            Err(message) => {
                ExtFunctionResult::Error(MontyException::new(ExcType::RuntimeError, Some(message)))
            }
        }
    }
}

/// What the host says to a system call of Python: the time, and no to everything else.
fn answer(call: &OsFunctionCall, utc_offset: i32) -> ExtFunctionResult {
    match call {
        OsFunctionCall::DateToday => clock::today(utc_offset).into(),
        OsFunctionCall::DateTimeNow(zone) => clock::now(zone.as_ref(), utc_offset).into(),
        other => other.on_no_handler().into(),
    }
}

/// `print()`, on its way to the server.
fn print<'a>(host: &'a mut Host<'_>) -> PrintWriter<'a> {
    PrintWriter::Callback(host)
}

impl PrintWriterCallback for Host<'_> {
    fn stdout_write(&mut self, output: Cow<'_, str>) -> Result<(), MontyException> {
        self.print(Stream::Stdout, &output);
        Ok(())
    }

    fn stdout_push(&mut self, end: char) -> Result<(), MontyException> {
        self.print(Stream::Stdout, end.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn poll_flush(&mut self) -> Result<(), MontyException> {
        self.flush_old();
        Ok(())
    }
}

/// What Monty says of a run that took too long, and of one that needed too much; both cannot be
/// caught by the code.
const TIME: &str = "time limit exceeded";
const MEMORY: &str = "memory limit exceeded";
/// What we say of too many calls.
const CALLS: &str = "too many calls of host functions";

/// Source that is not run.
fn refused(error: &MontyException) -> RunError {
    match error.message() {
        Some(message) if error.traceback().is_empty() && message.starts_with("Input name") => {
            RunError::new(
                Kind::Inputs,
                format!("{message}: name the inputs as Python names variables."),
            )
        }
        _ => RunError::new(Kind::Syntax, error.to_string()),
    }
}

/// An exception that the code did not catch.
fn raised(error: &MontyException, limits: Limits) -> RunError {
    let text = error.to_string();
    // Everything but the last line, which is the exception itself.
    let frames = text.strip_suffix(&error.summary()).unwrap_or_default();
    let message = error.message().unwrap_or_default();
    let limit =
        |limit, sentence: String| RunError::new(Kind::Limit(limit), format!("{frames}{sentence}"));
    match error.exc_type() {
        ExcType::TimeoutError if message.starts_with(TIME) => limit(Limit::Time, too_long(limits)),
        ExcType::MemoryError if message.starts_with(MEMORY) => {
            limit(Limit::Memory, too_much_memory(limits))
        }
        ExcType::RuntimeError if message == CALLS => limit(
            Limit::HostCalls,
            format!(
                "RuntimeError: host functions were called more than {} times, which is the limit of a run",
                limits.host_calls
            ),
        ),
        ExcType::RecursionError => RunError::new(
            Kind::Exception,
            format!(
                "{text} (at most {} calls inside each other)",
                limits.recursion
            ),
        ),
        _ => RunError::new(Kind::Exception, text),
    }
}

/// Says that a run took too long.
pub(crate) fn too_long(limits: Limits) -> String {
    format!(
        "TimeoutError: the code ran for more than {} s, which is the limit of a run",
        limits.time.as_secs_f64()
    )
}

/// Says that a run needed too much memory.
pub(crate) fn too_much_memory(limits: Limits) -> String {
    format!(
        "MemoryError: the code needed more than {} of memory, which is the limit of a run",
        size(limits.memory)
    )
}

/// What a worker makes of a request before it runs anything.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_request(run: &Run) {
    if let Ok(inputs) = input::read(run.inputs.as_deref()) {
        let (names, values): (Vec<_>, Vec<_>) = inputs.into_iter().unzip();
        let _ = stubs::of(run, &names, &values);
    }
}

/// JSON to Python, to JSON, to Python, to JSON: the same from the first time on.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_values(json: &str) {
    let Ok(raw) = serde_json::value::RawValue::from_string(json.to_owned()) else {
        return;
    };
    let Ok(object) = input::value(&raw) else {
        return;
    };
    let Ok(once) = value::render(
        &MontyObject::dict(vec![(MontyObject::None, object)]),
        1 << 20,
    ) else {
        return;
    };
    let (Some(text), Some(strict)) = (once.text, once.object) else {
        panic!("a dict has both");
    };
    let strict_value: serde_json::Value = match serde_json::from_str(strict.get()) {
        Ok(value) => value,
        Err(error) => panic!("{error}: {strict}"),
    };
    assert_eq!(strict_value.as_object().map(serde_json::Map::len), Some(1));
    // Numbers that are not finite are Python's in the text, which is no JSON then.
    if text.contains("Infinity") {
        return;
    }
    let again =
        serde_json::value::RawValue::from_string(text.clone()).map(|raw| input::value(&raw));
    let Ok(Ok(MontyObject::Dict(members))) = again else {
        panic!("{text}");
    };
    let twice = value::render(&MontyObject::Dict(members), 1 << 20);
    assert_eq!(twice.ok().and_then(|value| value.text), Some(text));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;

    /// JSON whose numbers every reader gets exactly.
    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1_i64 << 53) + 1..1 << 53).prop_map(Value::from),
            any::<f64>()
                .prop_filter("finite", |number| number.is_finite())
                .prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_comes_back_from_python_as_it_went(value in json()) {
            let inputs = RawValue::from_string(json!({ "x": value }).to_string()).unwrap();
            let inputs = input::read(Some(&inputs)).unwrap();
            let (name, object) = inputs.into_iter().next().unwrap();
            let dict = MontyObject::dict(vec![(MontyObject::String(name), object)]);
            let rendered = value::render(&dict, 1 << 20).unwrap();
            for text in [rendered.text.as_deref(), rendered.object.as_deref().map(RawValue::get)] {
                let back: Value = serde_json::from_str(text.unwrap()).unwrap();
                prop_assert_eq!(&back["x"], &value);
            }
        }
    }
}
