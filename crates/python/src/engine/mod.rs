//! The engine: RustPython, compiled without its host environment.
//!
//! Everything that knows RustPython is in this folder: `start` makes the interpreter, `modules` are
//! what its library has in place of a host, `source` compiles, `running` is the run that the process
//! is busy with, `watch` its time, `input` and `value` convert, `errors` describes exceptions;
//! `check` types, `stubs` what the type checker is told. A second engine would be a second folder
//! behind the same [`Engine::run`].

#[cfg(feature = "typecheck")]
mod check;
mod errors;
mod input;
mod iso;
mod library;
mod modules;
mod packed;
mod running;
mod source;
mod start;
#[cfg(any(feature = "typecheck", feature = "fuzzing"))]
mod stubs;
mod value;
mod watch;

use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustpython_vm::builtins::{PyBaseExceptionRef, PyInt};
use rustpython_vm::scope::Scope;
use rustpython_vm::signal::UserSignalSender;
use rustpython_vm::{AsObject as _, Interpreter, PyObjectRef, PyResult, VirtualMachine};

use self::input::Json;
use self::running::Running;
use self::value::{Fault, Types};
use self::watch::{Watch, Watched};
use crate::alloc;
use crate::run::Value;
use crate::wire::{Run, RunError};
use crate::worker::Host;

pub use self::library::MODULES;
pub(crate) use self::running::{too_long, too_much_memory};

/// An interpreter that waits for its one run, on the stack that it was made on.
pub(crate) struct Engine {
    interpreter: Interpreter,
    interrupt: UserSignalSender,
    types: Rc<Types>,
    watch: Option<Watch>,
    #[cfg(feature = "typecheck")]
    checker: check::Checker,
    /// What is left of [`Engine::warm_more`].
    left: Left,
}

/// What makes runs faster that is not done yet.
#[derive(Debug, Clone, Copy)]
enum Left {
    /// The type checker's first part, without which it knows no builtin.
    Builtins,
    /// Modules, from this one on.
    Modules(usize),
    /// The other parts of the type checker.
    Stubs,
    /// What the interpreter makes when it first runs code; to tell the collector that all of it stays.
    Objects,
    Nothing,
}

impl Engine {
    /// An engine that can run. It has no thread and no descriptor, and so can be forked.
    pub(crate) fn new() -> Self {
        let (interpreter, interrupt) = start::interpreter();
        let types = Rc::new(interpreter.enter(Types::new));
        alloc::on_exhaustion(running::out_of_memory);
        Self {
            interpreter,
            interrupt,
            types,
            watch: None,
            #[cfg(feature = "typecheck")]
            checker: check::Checker::cold(),
            left: Left::Builtins,
        }
    }

    /// Does a part of what makes runs faster: some ten milliseconds of work. Says whether there is more.
    pub(crate) fn warm_more(&mut self) -> bool {
        self.left = match self.left {
            Left::Builtins => {
                self.warm_checker();
                Left::Modules(0)
            }
            Left::Modules(done) => match self.preload(done) {
                true => Left::Modules(done + 1),
                false => Left::Stubs,
            },
            Left::Stubs => match self.warm_checker() {
                true => Left::Stubs,
                false => Left::Objects,
            },
            Left::Objects | Left::Nothing => {
                self.interpreter.enter(|vm| {
                    start::rehearse(vm);
                    start::freeze(vm);
                });
                Left::Nothing
            }
        };
        !matches!(self.left, Left::Nothing)
    }

    /// Starts the thread that ends the run when its time is up. To be called in the process of the
    /// run, before it is confined.
    pub(crate) fn watch(&mut self) {
        self.watch = Watch::start(self.interrupt.clone());
    }

    /// Imports one more module, after so many. Says whether there are more.
    fn preload(&self, done: usize) -> bool {
        self.interpreter.enter(|vm| {
            let more = start::preload(vm, done);
            self.types.learn(vm);
            more
        })
    }

    /// What a run needs that can be done before it is known.
    pub(crate) fn prepare(&mut self) {
        // What fails here fails again in the run, which says so.
        let _ = self.interpreter.enter(start::prepare);
    }

    /// Runs the one request of this process. Where a limit is exceeded it does not return: the
    /// process ends, having said so.
    pub(crate) fn run(&mut self, run: Run, host: &Arc<Mutex<Host>>) -> Result<Value, RunError> {
        let limits = run.limits;
        let deadline = Instant::now() + limits.time;
        alloc::limit(limits.memory);
        let running = Running::new(host, &run, deadline, &self.types).begin();
        if let Some(watch) = &self.watch {
            watch.over(Watched {
                deadline,
                limits,
                host: Arc::clone(host),
            });
        }
        let inputs = input::read(run.inputs.as_deref())?;
        // Before the check: Python's own words for what is no Python.
        let program = source::compile(&run.code, &run.script_name).map_err(|refusal| {
            let refused =
                |vm: &VirtualMachine| errors::refused(vm, &refusal, &run.code, &run.script_name);
            self.interpreter.enter(refused)
        })?;
        let diagnostics = self.check(&run, deadline)?;
        let functions = run.host.iter().map(|(name, _)| name.as_str());
        let types = &self.types;
        self.interpreter
            .enter(|vm| {
                let session = Session { vm, running, types };
                session.run(program, &run.code, functions, &inputs)
            })
            .map(|value| Value {
                diagnostics,
                ..value
            })
    }
}

impl Engine {
    /// What the type checker has to say of a run that need not fail, if it is asked.
    #[cfg(feature = "typecheck")]
    fn check(&mut self, run: &Run, deadline: Instant) -> Result<Vec<String>, RunError> {
        if !run.check_types {
            return Ok(Vec::new());
        }
        let (declared, memory) = (stubs::of(run), run.limits.memory);
        let (interpreter, checker) = (&self.interpreter, &mut self.checker);
        let exists = &mut |module: &str, member: Option<&str>| {
            interpreter.enter(|vm| start::exists(vm, module, member))
        };
        let (code, label) = (&run.code, &run.script_name);
        let checked = checker.check(code, label, &declared, deadline, memory, exists);
        // What the checker keeps is not the code's.
        alloc::limit(memory);
        checked
    }

    #[cfg(feature = "typecheck")]
    fn warm_checker(&mut self) -> bool {
        self.checker.warm_more()
    }

    #[cfg(not(feature = "typecheck"))]
    fn warm_checker(&mut self) -> bool {
        false
    }

    #[cfg(not(feature = "typecheck"))]
    fn check(&mut self, _: &Run, _: Instant) -> Result<Vec<String>, RunError> {
        Ok(Vec::new())
    }
}

/// One run, from its source to its value.
struct Session<'a> {
    vm: &'a VirtualMachine,
    running: Rc<Running>,
    types: &'a Types,
}

impl Session<'_> {
    fn run<'b>(
        &self,
        program: source::Program,
        code: &str,
        functions: impl Iterator<Item = &'b str>,
        inputs: &[(String, Json<'_>)],
    ) -> Result<Value, RunError> {
        let (vm, script) = (self.vm, &self.running.script);
        vm.recursion_limit.set(self.running.limits.recursion);
        let value = self
            .scope(code, functions, inputs)
            .and_then(|scope| self.execute(program, scope));
        start::finish(vm);
        let value = match value {
            Ok(value) => value,
            Err(error) => self.ended(error)?,
        };
        errors::recover(vm);
        match value::render(&value, self.running.limits.value, self.types, vm) {
            Ok(value) => Ok(value),
            Err(Fault::Refused(error)) => Err(error),
            Err(Fault::Raised(error)) => Err(errors::raised(vm, error, script)),
        }
    }

    /// The names that the code finds: a module `__main__`, the host's functions, the inputs.
    fn scope<'b>(
        &self,
        code: &str,
        functions: impl Iterator<Item = &'b str>,
        inputs: &[(String, Json<'_>)],
    ) -> PyResult<Scope> {
        let vm = self.vm;
        errors::remember(vm, &self.running.script, code);
        start::begin(vm)?;
        let scope = vm.new_scope_with_main()?;
        for name in functions {
            let function = running::function(name, vm);
            scope.globals.set_item(name, function, vm)?;
        }
        for (name, value) in inputs {
            let value = input::object(value, vm)?;
            scope.globals.set_item(name.as_str(), value, vm)?;
        }
        Ok(scope)
    }

    fn execute(&self, program: source::Program, scope: Scope) -> PyResult {
        let vm = self.vm;
        let globals = scope.globals.clone();
        let code = vm.ctx.new_code(program.code);
        vm.run_code_obj(code, scope)?;
        if program.awaits {
            let function = globals.get_item(source::COROUTINE, vm)?;
            globals.del_item(source::COROUTINE, vm)?;
            start::run_coroutine(vm, function.call((), vm)?)?;
        }
        let value = globals.get_item_opt(source::VALUE, vm)?;
        Ok(value.unwrap_or_else(|| vm.ctx.none()))
    }

    /// What comes of an exception that the code did not catch: `exit()` is an end like any other.
    fn ended(&self, error: PyBaseExceptionRef) -> Result<PyObjectRef, RunError> {
        let vm = self.vm;
        let exits = error.fast_isinstance(vm.ctx.exceptions.system_exit);
        let succeeds = exits
            && match error.args().as_slice() {
                [] => true,
                [code] => {
                    let number = code
                        .downcast_ref::<PyInt>()
                        .map(|number| number.as_bigint());
                    vm.is_none(code) || number.is_some_and(|number| *number == 0.into())
                }
                _ => false,
            };
        match succeeds {
            true => Ok(vm.ctx.none()),
            false => Err(errors::raised(vm, error, &self.running.script)),
        }
    }
}

/// What a worker makes of a request before it runs anything.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_request(run: &Run) {
    if input::read(run.inputs.as_deref()).is_ok() {
        let _ = stubs::of(run);
    }
}

/// JSON to Python, to JSON, to Python, to JSON: the same from the first time on.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_values(json: &str) {
    thread_local! {
        static ENGINE: (Interpreter, Types) = {
            let (interpreter, _) = start::interpreter();
            let types = interpreter.enter(Types::new);
            (interpreter, types)
        };
    }
    let Ok(raw) = serde_json::value::RawValue::from_string(json.to_owned()) else {
        return;
    };
    ENGINE.with(|(interpreter, types)| {
        interpreter.enter(|vm| {
            let Ok(Ok(object)) = input::value(&raw, vm) else {
                return;
            };
            let dict = vm.ctx.new_dict();
            assert!(dict.set_item("x", object, vm).is_ok());
            let Ok(once) = value::render(dict.as_object(), 1 << 20, types, vm) else {
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
            let again = serde_json::value::RawValue::from_string(text.clone())
                .map(|raw| input::value(&raw, vm));
            let Ok(Ok(Ok(members))) = again else {
                panic!("{text}");
            };
            let twice = value::render(&members, 1 << 20, types, vm).ok();
            assert_eq!(twice.and_then(|value| value.text), Some(text));
        });
    });
}

#[cfg(test)]
mod tests;
