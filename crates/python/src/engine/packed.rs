//! CPython's standard library, packed by `build.rs`.
//!
//! The interpreter freezes modules with a compression that is quick to read and takes half as much room again. So its
//! table has the names only, and where it would read the code of one it gets it from here.

use std::io::Read as _;

use rustpython_vm::builtins::PyUtf8StrRef;
use rustpython_vm::frozen::{FrozenCodeObject, FrozenModule};
use rustpython_vm::function::OptionalOption;
use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine, import};

/// A module of the library.
struct Packed {
    /// Sorted by it.
    name: &'static str,
    package: bool,
    /// Whether it is frozen as the interpreter has it, for what it imports before [`install`].
    early: bool,
    at: usize,
    size: usize,
}

const LIBRARY: &[Packed] = include!(concat!(env!("OUT_DIR"), "/library.rs"));

static CODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/library.bin"));

/// The modules, for the interpreter's table. What is packed has the same code there, which says so.
pub(super) fn modules() -> impl Iterator<Item = (&'static str, FrozenModule)> {
    let elsewhere = rustpython_derive::py_compile!(
        source = "raise ImportError('the standard library is not unpacked yet')",
        crate_name = "rustpython_vm"
    );
    LIBRARY.iter().map(move |module| {
        let code = if module.early {
            FrozenCodeObject {
                bytes: module.bytes(),
            }
        } else {
            elsewhere
        };
        let package = module.package;
        (module.name, FrozenModule { code, package })
    })
}

/// From here on the library's modules can be imported.
pub(super) fn install(vm: &VirtualMachine) -> PyResult<()> {
    let imp = vm.import("_imp", 0)?;
    let read = imp.get_attr("get_frozen_object", vm)?;
    let init = imp.get_attr("init_frozen", vm)?;

    let reads = read.clone();
    let get_frozen_object =
        move |name: PyUtf8StrRef, data: OptionalOption<PyObjectRef>, vm: &VirtualMachine| {
            let data = data.flatten().or_else(|| unpacked(name.as_str(), vm));
            reads.call((name, data), vm)
        };
    let init_frozen = move |name: PyUtf8StrRef, vm: &VirtualMachine| {
        let Some(data) = unpacked(name.as_str(), vm) else {
            return init.call((name,), vm);
        };
        let code = read.call((name.clone(), data), vm)?;
        let module = import::import_code_obj(vm, name.as_str(), code.try_into_value(vm)?, false)?;
        module.set_attr("__origname__", name, vm)?;
        Ok(module)
    };
    let function = vm.new_function("get_frozen_object", get_frozen_object);
    imp.set_attr("get_frozen_object", function, vm)?;
    let function = vm.new_function("init_frozen", init_frozen);
    imp.set_attr("init_frozen", function, vm)?;
    Ok(())
}

/// The code of a packed module, as the interpreter serialises it.
fn unpacked(name: &str, vm: &VirtualMachine) -> Option<PyObjectRef> {
    let at = LIBRARY
        .binary_search_by(|module| module.name.cmp(name))
        .ok()?;
    let module = LIBRARY.get(at).filter(|module| !module.early)?;
    let mut code = Vec::new();
    let mut decoder = flate2::read::DeflateDecoder::new(module.bytes());
    // What the build packed is whole.
    decoder.read_to_end(&mut code).ok()?;
    Some(vm.ctx.new_bytes(code).into())
}

impl Packed {
    fn bytes(&self) -> &'static [u8] {
        CODE.get(self.at..self.at + self.size).unwrap_or_default()
    }
}
