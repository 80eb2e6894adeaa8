//! The run that this process is busy with: its way to the server, its functions, its end.
//!
//! A process runs one request, on the thread that made the interpreter, and what Python calls can't
//! borrow: so the run is the thread's.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustpython_vm::function::FuncArgs;
use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

use super::value::{self, Fault, Types};
use super::{errors, input};
use crate::limits::{Limits, size};
use crate::run::{Kind, Limit};
use crate::wire::{FromWorker, Run, RunError, Stream};
use crate::worker::Host;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Running>>> = const { RefCell::new(None) };
}

/// A run, from its start to the end of the process.
pub(super) struct Running {
    host: Arc<Mutex<Host>>,
    pub(super) limits: Limits,
    pub(super) script: String,
    pub(super) deadline: Instant,
    /// Seconds from UTC to the time that code sees.
    pub(super) utc_offset: i32,
    /// Calls of host functions so far.
    calls: Cell<usize>,
    types: Rc<Types>,
}

impl Running {
    pub(super) fn new(
        host: &Arc<Mutex<Host>>,
        run: &Run,
        deadline: Instant,
        types: &Rc<Types>,
    ) -> Self {
        Self {
            host: Arc::clone(host),
            limits: run.limits,
            script: run.script_name.clone(),
            deadline,
            utc_offset: run.utc_offset,
            calls: Cell::new(0),
            types: Rc::clone(types),
        }
    }

    /// Makes this the run of this thread.
    pub(super) fn begin(self) -> Rc<Self> {
        let run = Rc::new(self);
        CURRENT.set(Some(Rc::clone(&run)));
        run
    }

    /// Ends the process with this result: nothing that the code could do would stop it.
    pub(super) fn end(&self, error: RunError) -> ! {
        host(&self.host).end(Err(error))
    }
}

/// The run of this thread, if it has one.
pub(super) fn current() -> Option<Rc<Running>> {
    CURRENT.with_borrow(Option::clone)
}

/// Nobody leaves it broken: it is only locked for what doesn't panic.
pub(super) fn host(host: &Mutex<Host>) -> MutexGuard<'_, Host> {
    host.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands on what was printed. What is printed while nothing runs is nobody's.
pub(super) fn print(stream: Stream, text: &str) {
    if let Some(run) = current() {
        let mut host = host(&run.host);
        host.print(stream, text);
        host.flush_old();
    }
}

/// Says that memory ran out, as far as that can be said: called from within an allocation.
pub(super) fn out_of_memory() {
    let run = CURRENT.try_with(|current| current.try_borrow().ok().and_then(|run| run.clone()));
    if let Ok(Some(run)) = run
        && let Ok(mut host) = run.host.try_lock()
    {
        host.end(Err(RunError::new(
            Kind::Limit(Limit::Memory),
            too_much_memory(run.limits),
        )))
    }
}

/// Says that the time is up, and where the code was: called between two instructions of it.
pub(super) fn time_is_up(vm: &VirtualMachine) {
    if let Some(run) = current() {
        let head = errors::place(vm, &run.script);
        run.end(RunError::new(
            Kind::Limit(Limit::Time),
            format!("{head}{}", too_long(run.limits)),
        ));
    }
}

/// A function of the host, as code sees it.
pub(super) fn function(name: &str, vm: &VirtualMachine) -> PyObjectRef {
    // As long as the process, which has one run.
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    let call = move |arguments: FuncArgs, vm: &VirtualMachine| call(name, arguments, vm);
    vm.new_function(name, call).into()
}

fn call(name: &'static str, arguments: FuncArgs, vm: &VirtualMachine) -> PyResult {
    let Some(run) = current() else {
        return Err(vm.new_runtime_error(format!("{name}() is not available now")));
    };
    if run.calls.get() == run.limits.host_calls {
        let head = errors::place(vm, &run.script);
        run.end(RunError::new(
            Kind::Limit(Limit::HostCalls),
            format!("{head}{}", too_many_calls(run.limits)),
        ));
    }
    run.calls.set(run.calls.get() + 1);
    let kwargs: Vec<_> = arguments.kwargs.into_iter().collect();
    let limit = run.limits.inputs;
    let written = value::arguments(&arguments.args, &kwargs, limit, &run.types, vm);
    let (args, kwargs) = match written {
        Ok(arguments) => arguments,
        Err(Fault::Raised(error)) => return Err(error),
        Err(Fault::Refused(error)) => {
            return Err(vm.new_type_error(format!("{name}(): {}", error.message)));
        }
    };
    let answer = host(&run.host).call(&FromWorker::Call(name.into(), args, kwargs));
    match answer {
        Ok(json) => match input::value(&json, vm) {
            Ok(value) => value,
            Err(error) => Err(vm.new_type_error(format!("{name}(): {}", error.message))),
        },
        Err(message) => Err(vm.new_runtime_error(message)),
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

fn too_many_calls(limits: Limits) -> String {
    format!(
        "RuntimeError: host functions were called more than {} times, which is the limit of a run",
        limits.host_calls
    )
}
