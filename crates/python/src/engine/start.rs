//! The interpreter: its library, what of it is ours, and what it has imported before any code runs.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Instant;

use rustpython_vm::builtins::{PyBaseExceptionRef, PyDictRef, PyStrRef, PyType};
use rustpython_vm::scope::Scope;
use rustpython_vm::signal::{UserSignalSender, user_signal_channel};
use rustpython_vm::{AsObject as _, Interpreter, PyObjectRef, PyResult, Settings, VirtualMachine};

#[cfg(feature = "typecheck")]
use super::MODULES;
use super::{modules, packed, running, source};
use crate::wire::Stream;

/// Sources whose frames tracebacks leave out, beside our modules.
const HIDDEN: &[&str] = &["_frozen_importlib"];

/// Runs once before any code.
const REHEARSAL: &str = include_str!("rehearsal.py");

thread_local! {
    /// The names that `boot.py` defines.
    pub(super) static BOOT: RefCell<Option<PyDictRef>> = const { RefCell::new(None) };
    /// Those of `_sandbox.py`, whatever code makes of the module.
    static SANDBOX: RefCell<Option<PyDictRef>> = const { RefCell::new(None) };
}

/// An interpreter that is ready for code, and what interrupts it.
pub(super) fn interpreter() -> (Interpreter, UserSignalSender) {
    let (interrupt, interrupted) = user_signal_channel();
    let mut settings = Settings::default();
    settings.install_signal_handlers = false;
    settings.import_site = false;
    settings.ignore_environment = true;
    settings.user_site_directory = false;
    settings.write_bytecode = false;
    settings.safe_path = true;
    settings.allow_external_library = false;
    let builder = Interpreter::builder(settings);
    let native = rustpython_stdlib::stdlib_module_defs(&builder.ctx);
    let host = modules::host::module_def(&builder.ctx);
    let build = modules::sysconfigdata::module_def(&builder.ctx);
    let builder = builder
        .add_native_modules(&native)
        .add_native_module(host)
        .add_native_module(build)
        .add_frozen_modules(packed::modules())
        .add_frozen_modules(modules::ours())
        .init_hook(|vm| vm.set_user_signal_channel(interrupted));
    let interpreter = builder.build();
    interpreter.enter(|vm| {
        vm.recursion_limit.set(1000);
        mend_exceptions(vm);
        if let Err(error) = boot(vm) {
            let mut text = String::new();
            let _ = vm.write_exception(&mut text, &error);
            // Only a build whose own Python is broken comes here.
            panic!("the interpreter does not start: {text}");
        }
    });
    (interpreter, interrupt)
}

/// Lets a class have an exception of the program's and a built-in one as its bases, such as
/// `class NotFound(AppError, KeyError)`. An object of it is refused where the functions differ that
/// make objects of the two. Each of the interpreter's exceptions has one, which does what that of
/// its base does; only `OSError` and groups have their own.
fn mend_exceptions(vm: &VirtualMachine) {
    let exceptions = &vm.ctx.exceptions;
    let root = exceptions.base_exception_type;
    let mut left = vec![root.to_owned()];
    while let Some(class) = left.pop() {
        let from = if class.fast_issubclass(exceptions.os_error) {
            exceptions.os_error
        } else {
            root
        };
        if !class.fast_issubclass(exceptions.base_exception_group) {
            class.slots.new.store(from.slots.new.load());
        }
        let subclasses = class.subclasses.read();
        let live = subclasses.iter().filter_map(|class| class.upgrade());
        left.extend(live.filter_map(|class| class.downcast::<PyType>().ok()));
    }
}

fn boot(vm: &VirtualMachine) -> PyResult<()> {
    packed::install(vm)?;
    let namespace = execute(vm, "boot")?;
    let writes = vm.new_tuple((write(vm, Stream::Stdout), write(vm, Stream::Stderr)));
    let streams: Vec<PyObjectRef> = namespace
        .get_item("make_streams", vm)?
        .call((writes,), vm)?
        .try_into_value(vm)?;
    for (names, stream) in [["stdout", "__stdout__"], ["stderr", "__stderr__"]]
        .iter()
        .zip(streams)
    {
        for name in names {
            vm.sys_module.set_attr(*name, stream.clone(), vm)?;
        }
    }
    native(vm)?;
    execute(vm, "prelude")?;
    let ours = modules::names().chain(HIDDEN.iter().copied());
    let ours: Vec<_> = ours.map(|name| vm.ctx.new_str(name).into()).collect();
    namespace.set_item("ours", vm.ctx.new_list(ours).into(), vm)?;
    BOOT.set(Some(namespace));
    intern_names(vm);
    SANDBOX.set(Some(
        vm.import("_sandbox", 0)?
            .dict()
            .ok_or_else(|| vm.new_runtime_error("_sandbox is no module"))?,
    ));
    Ok(())
}

/// Imports the next module that code may ask for, after so many. Says whether there are more.
pub(super) fn preload(vm: &VirtualMachine, done: usize) -> bool {
    if let Some(module) = modules::PRELOADED.get(done) {
        // What doesn't import here doesn't for the code either, which is told why.
        let _ = vm.import(*module, 0);
    }
    done + 1 < modules::PRELOADED.len()
}

/// Runs what is like the code to come: what the interpreter makes at the first time is there then.
pub(super) fn rehearse(vm: &VirtualMachine) {
    let Ok(program) = source::compile(REHEARSAL, "rehearsal") else {
        return;
    };
    let scope = Scope::with_builtins(None, vm.ctx.new_dict(), vm);
    let ran = vm.run_code_obj(vm.ctx.new_code(program.code), scope);
    debug_assert!(ran.is_ok());
}

/// Keeps the collector from looking at all that there is before any code runs: in a fork, to look at
/// an object is to copy its page.
pub(super) fn freeze(vm: &VirtualMachine) {
    let _ = sandbox(vm, "settle", Vec::new());
    let freeze = vm.import("gc", 0).and_then(|gc| gc.get_attr("freeze", vm));
    // Without it a run is as right, and slower.
    let _ = freeze.and_then(|freeze| freeze.call((), vm));
}

/// Whether there is such a module of the library, and such a name in it.
#[cfg(feature = "typecheck")]
pub(super) fn exists(vm: &VirtualMachine, module: &str, member: Option<&str>) -> bool {
    if !MODULES.contains(&module) {
        return false;
    }
    let found = || {
        let _ = vm.import(&vm.ctx.new_str(module), 0)?;
        let modules = vm.sys_module.get_attr("modules", vm)?;
        modules.get_item(module, vm)
    };
    let Some(member) = member else { return true };
    let submodule = || MODULES.contains(&format!("{module}.{member}").as_str());
    submodule() || found().is_ok_and(|module| module.get_attr(&vm.ctx.new_str(member), vm).is_ok())
}

/// Interns the names of all built-in types: RustPython panics where it is asked for one that nobody
/// has written before. A module's types are there when it has been imported, so all of them are.
fn intern_names(vm: &VirtualMachine) {
    // Instead of some there are ours.
    let native = vm.state.module_defs.keys().copied();
    let mut native: Vec<_> = native
        .filter(|name| !modules::names().any(|ours| ours == *name))
        .collect();
    native.sort_unstable();
    for module in native {
        let _ = vm.import(module, 0);
    }
    let mut seen = HashSet::new();
    let mut types = vec![vm.ctx.types.object_type.to_owned()];
    while let Some(class) = types.pop() {
        if !seen.insert(class.as_object().get_id()) {
            continue;
        }
        let name = class.slot_name();
        let short = name.rsplit_once('.').map_or(&*name, |(_, short)| short);
        vm.ctx.intern_str(short);
        let subclasses = class.subclasses.read();
        let alive = subclasses.iter().filter_map(|class| class.upgrade());
        types.extend(alive.filter_map(|class| class.downcast::<PyType>().ok()));
    }
}

/// What prints to a stream, and says how many characters that were.
fn write(vm: &VirtualMachine, stream: Stream) -> PyObjectRef {
    let write = move |text: PyStrRef, _vm: &VirtualMachine| {
        running::print(stream, &text.to_string_lossy());
        text.char_len()
    };
    vm.new_function("write", write).into()
}

/// The module `_pymcp`: what our Python modules need of the run.
fn native(vm: &VirtualMachine) -> PyResult<()> {
    let names = vm.ctx.new_dict();
    let functions = [
        vm.new_function(
            "write",
            |stream: i32, text: PyStrRef, vm: &VirtualMachine| {
                let stream = match stream {
                    1 => Stream::Stdout,
                    2 => Stream::Stderr,
                    _ => return Err(vm.new_value_error("write to 1 or 2")),
                };
                running::print(stream, &text.to_string_lossy());
                Ok(text.char_len())
            },
        ),
        vm.new_function("urandom", |bytes: usize, vm: &VirtualMachine| {
            let mut random = vec![0; bytes];
            getrandom::fill(&mut random).map_err(|error| vm.new_os_error(error.to_string()))?;
            Ok::<_, PyBaseExceptionRef>(vm.ctx.new_bytes(random))
        }),
        vm.new_function("utc_offset", |_vm: &VirtualMachine| {
            running::current().map_or(0, |run| run.utc_offset)
        }),
        vm.new_function("time_left", |_vm: &VirtualMachine| {
            running::current().map_or(f64::INFINITY, |run| {
                let left = run.deadline.saturating_duration_since(Instant::now());
                left.as_secs_f64()
            })
        }),
    ];
    for function in functions {
        let name = function.as_object().get_attr("__name__", vm)?;
        names.set_item(&*name, function.into(), vm)?;
    }
    let module = vm.new_module("_pymcp", names, None);
    let modules = vm.sys_module.get_attr("modules", vm)?;
    modules.set_item("_pymcp", module.into(), vm)
}

/// What is done in the process of the run, before it is known.
pub(super) fn prepare(vm: &VirtualMachine) -> PyResult<()> {
    sandbox(vm, "prepare", Vec::new())
}

/// What is done as soon as it is known.
pub(super) fn begin(vm: &VirtualMachine) -> PyResult<()> {
    sandbox(vm, "begin", Vec::new())
}

/// Awaits the coroutine of code that awaits at top level.
pub(super) fn run_coroutine(vm: &VirtualMachine, coroutine: PyObjectRef) -> PyResult<()> {
    sandbox(vm, "run", vec![coroutine])
}

/// What is done after the code, whatever came of it: what was written is complete.
pub(super) fn finish(vm: &VirtualMachine) {
    // The code may have broken it, which is no reason to lose its value.
    let _ = sandbox(vm, "finish", Vec::new());
}

fn sandbox(vm: &VirtualMachine, function: &str, arguments: Vec<PyObjectRef>) -> PyResult<()> {
    let Some(functions) = SANDBOX.with_borrow(Clone::clone) else {
        return Err(vm.new_runtime_error("the interpreter has not started"));
    };
    functions.get_item(function, vm)?.call(arguments, vm)?;
    Ok(())
}

/// Runs a script of ours, and gives the names that it defined.
fn execute(vm: &VirtualMachine, name: &str) -> PyResult<PyDictRef> {
    let names = vm.ctx.new_dict();
    names.set_item("__name__", vm.ctx.new_str(format!("_{name}")).into(), vm)?;
    let Some(code) = modules::script(name) else {
        return Err(vm.new_runtime_error(format!("there is no script {name}")));
    };
    let scope = Scope::with_builtins(None, names.clone(), vm);
    vm.run_code_obj(vm.ctx.new_code(code), scope)?;
    Ok(names)
}
