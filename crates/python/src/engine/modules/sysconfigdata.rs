//! `_sysconfigdata`: what `sysconfig` knows of the interpreter's build.
//!
//! It stands in the place of the interpreter's own, which has all environment variables of the machine that compiled
//! it.

pub(in crate::engine) use _sysconfigdata::module_def;

#[allow(clippy::unwrap_used)] // what the macro writes
#[rustpython_vm::pymodule]
mod _sysconfigdata {
    use rustpython_vm::builtins::PyDictRef;
    use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

    /// What CPython has in its place, as far as it says something here.
    #[pyattr]
    fn build_time_vars(vm: &VirtualMachine) -> PyDictRef {
        let vars = vm.ctx.new_dict();
        let set =
            |name: &str, value: PyObjectRef| -> PyResult<()> { vars.set_item(name, value, vm) };
        let texts = [
            ("ABIFLAGS", ""),
            ("EXT_SUFFIX", ".so"),
            ("MULTIARCH", ""),
            ("SHLIB_SUFFIX", ".so"),
            ("BINDIR", "/bin"),
            ("prefix", ""),
            ("exec_prefix", ""),
        ];
        for (name, value) in texts {
            // A new dictionary of text takes anything.
            let _ = set(name, vm.ctx.new_str(value).into());
        }
        for (name, value) in [
            ("HAVE_GETRANDOM", 1),
            ("Py_DEBUG", 0),
            ("Py_GIL_DISABLED", 0),
        ] {
            let _ = set(name, vm.ctx.new_int(value).into());
        }
        vars
    }
}
