//! The types of the library that have a form of their own as JSON. Their modules are not imported for it.

use std::cell::OnceCell;

use rustpython_vm::builtins::{PyType, PyTypeRef};
use rustpython_vm::{PyObject, VirtualMachine};

/// A type of the library, known once its module is there: nothing is one of it before.
pub(super) struct Known {
    module: &'static str,
    name: &'static str,
    class: OnceCell<PyTypeRef>,
}

impl Known {
    const fn new(module: &'static str, name: &'static str) -> Self {
        Self {
            module,
            name,
            class: OnceCell::new(),
        }
    }

    pub(super) fn get(&self) -> Option<&PyTypeRef> {
        self.class.get()
    }

    fn learn(&self, modules: &PyObject, vm: &VirtualMachine) {
        if self.get().is_some() {
            return;
        }
        let found = modules
            .get_item(self.module, vm)
            .and_then(|module| module.get_attr(self.name, vm));
        if let Ok(Ok(class)) = found.map(|found| found.downcast::<PyType>()) {
            let _ = self.class.set(class);
        }
    }
}

/// The library's types that have a form of their own, as they were before any code ran where their
/// modules were there.
pub(in crate::engine) struct Types {
    pub(super) enumeration: Known,
    pub(super) datetime: Known,
    pub(super) date: Known,
    pub(super) time: Known,
    pub(super) timedelta: Known,
    /// Arrays, beside lists and tuples.
    pub(super) sequences: [PyTypeRef; 3],
    pub(super) deque: Known,
    /// What `str()` gives.
    pub(super) written: [Known; 6],
}

impl Types {
    pub(in crate::engine) fn new(vm: &VirtualMachine) -> Self {
        let builtin = |class: &rustpython_vm::Py<PyType>| class.to_owned();
        let types = &vm.ctx.types;
        Self {
            enumeration: Known::new("enum", "Enum"),
            datetime: Known::new("datetime", "datetime"),
            date: Known::new("datetime", "date"),
            time: Known::new("datetime", "time"),
            timedelta: Known::new("datetime", "timedelta"),
            sequences: [
                builtin(types.dict_keys_type),
                builtin(types.dict_values_type),
                builtin(types.dict_items_type),
            ],
            deque: Known::new("collections", "deque"),
            written: [
                Known::new("decimal", "Decimal"),
                Known::new("fractions", "Fraction"),
                Known::new("uuid", "UUID"),
                Known::new("pathlib", "PurePath"),
                Known::new("datetime", "tzinfo"),
                Known::new("ipaddress", "_IPAddressBase"),
            ],
        }
    }

    /// Gets to know the types whose modules have been imported.
    pub(in crate::engine) fn learn(&self, vm: &VirtualMachine) {
        let Ok(modules) = vm.sys_module.get_attr("modules", vm) else {
            return;
        };
        let known = [
            &self.enumeration,
            &self.datetime,
            &self.date,
            &self.time,
            &self.timedelta,
            &self.deque,
        ];
        for known in known.into_iter().chain(&self.written) {
            known.learn(&modules, vm);
        }
    }
}
