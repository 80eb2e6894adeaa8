//! Exceptions as text: what Python prints for one that nothing caught, without the frames that are
//! ours.

use rustpython_vm::builtins::{PyBaseExceptionRef, PyStr};
use rustpython_vm::{AsObject as _, PyObjectRef, VirtualMachine};

use super::source::Refusal;
use super::start::BOOT;
use crate::run::Kind;
use crate::wire::RunError;

/// What code may have left behind that would get in the way of saying what went wrong.
pub(super) fn recover(vm: &VirtualMachine) {
    /// Room for the functions that describe an exception, wherever the code was.
    const ROOM: usize = 300;
    vm.use_tracing.set(false);
    vm.recursion_limit.set(vm.current_recursion_depth() + ROOM);
}

/// Source that is no Python.
pub(super) fn refused(
    vm: &VirtualMachine,
    refusal: &Refusal,
    source: &str,
    script: &str,
) -> RunError {
    let text = match refusal {
        Refusal::Syntax(error) => {
            let error = vm.new_syntax_error(error, Some(source));
            describe(vm, error, script)
        }
        Refusal::Deep => format!("  File \"{script}\"\nSyntaxError: Source is too deeply nested"),
    };
    RunError::new(Kind::Syntax, text)
}

/// An exception that the code did not catch.
pub(super) fn raised(vm: &VirtualMachine, error: PyBaseExceptionRef, script: &str) -> RunError {
    recover(vm);
    RunError::new(Kind::Exception, describe(vm, error, script))
}

fn describe(vm: &VirtualMachine, error: PyBaseExceptionRef, script: &str) -> String {
    let exception: PyObjectRef = error.clone().into();
    let text = boot(
        vm,
        "describe",
        vec![exception, vm.ctx.new_str(script).into()],
    );
    let text = text.unwrap_or_else(|| {
        // The code has changed what describes exceptions.
        let mut plain = String::new();
        match vm.write_exception(&mut plain, &error) {
            Ok(()) => plain,
            Err(_) => error.class().name().to_string(),
        }
    });
    text.trim_end().to_owned()
}

/// The head of a traceback: where the code is now. Nothing if that can't be said.
pub(super) fn place(vm: &VirtualMachine, script: &str) -> String {
    recover(vm);
    boot(vm, "describe_stack", vec![vm.ctx.new_str(script).into()]).unwrap_or_default()
}

/// Lets tracebacks show the lines of the source.
pub(super) fn remember(vm: &VirtualMachine, script: &str, source: &str) {
    let arguments = vec![vm.ctx.new_str(script).into(), vm.ctx.new_str(source).into()];
    // Without them a traceback is less, but right.
    let _ = boot(vm, "remember", arguments);
}

/// What a function of `boot.py` says.
fn boot(vm: &VirtualMachine, function: &str, mut arguments: Vec<PyObjectRef>) -> Option<String> {
    let namespace = BOOT.with_borrow(Clone::clone)?;
    arguments.push(namespace.get_item("ours", vm).ok()?);
    let text = namespace
        .get_item(function, vm)
        .and_then(|function| function.call(arguments, vm))
        .ok()?;
    let text = text.downcast_ref::<PyStr>()?;
    Some(text.to_string_lossy().into_owned())
}
