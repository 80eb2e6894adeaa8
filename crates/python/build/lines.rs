//! Leaves out of compiled modules which columns of their source an instruction comes from: nobody has that source, so
//! nothing shows them, and they are a fifth of the library. Lines stay, for tracebacks and debuggers.

use std::io::{Error, Result};

use rustpython_compiler_core::bytecode::{BasicBag, CodeObject, ConstantData};
use rustpython_compiler_core::marshal::{deserialize_code, linetable_to_locations, serialize_code};

/// Where an instruction comes from, as tables say it (the format is CPython's, `Objects/locations.md`): by columns of the
/// line, in three forms; by a line without columns; by lines and columns; from nowhere.
const SHORT: std::ops::RangeInclusive<u8> = 0..=9;
const ONE_LINE: std::ops::RangeInclusive<u8> = 10..=12;
const NO_COLUMNS: u8 = 13;
const LONG: u8 = 14;
const NOWHERE: u8 = 15;

/// How many instructions an entry is about at most.
const MOST: usize = 8;

/// A module, as the interpreter serialises it, without columns.
pub(crate) fn without_columns(module: &[u8]) -> Result<Vec<u8>> {
    let invalid = |e| Error::other(format!("a module of the library is not valid: {e:?}"));
    let mut code = deserialize_code(&mut &*module, BasicBag).map_err(invalid)?;
    let mut same = Vec::new();
    serialize_code(&mut same, &code);
    if same != module {
        return Err(Error::other(
            "the interpreter writes a module otherwise than it reads it",
        ));
    }
    strip(&mut code)?;
    let mut stripped = Vec::new();
    serialize_code(&mut stripped, &code);
    Ok(stripped)
}

fn strip(code: &mut CodeObject) -> Result<()> {
    let table =
        lines(&code.linetable).ok_or_else(|| Error::other("a table of lines has another form"))?;
    let first = code.first_line_number.map_or(0, |line| line.get() as i32);
    let lines = |table: &[u8]| -> Vec<_> {
        let locations = linetable_to_locations(table, first, code.instructions.len());
        locations.iter().map(|(start, _)| start.line).collect()
    };
    if lines(&table) != lines(&code.linetable) {
        return Err(Error::other("a table without columns has other lines"));
    }
    code.linetable = table.into_boxed_slice();
    let constants = code.constants.iter().cloned();
    let stripped = constants.map(|mut constant| {
        if let ConstantData::Code { code } = &mut constant {
            strip(code)?;
        }
        Ok(constant)
    });
    code.constants = stripped.collect::<Result<_>>()?;
    Ok(())
}

/// So many instructions are so many lines further down, or from nowhere.
struct Run {
    lines: Option<i32>,
    length: usize,
}

/// The same table without columns; `None` where it has another form.
fn lines(table: &[u8]) -> Option<Vec<u8>> {
    let mut runs: Vec<Run> = Vec::new();
    let mut rest = table;
    while let Some(head) = byte(&mut rest) {
        let (kind, length) = (head >> 3 & 15, usize::from(head & 7) + 1);
        let lines = match kind {
            _ if head & 0x80 == 0 => return None,
            NOWHERE => None,
            NO_COLUMNS => Some(signed(&mut rest)?),
            LONG => {
                let lines = signed(&mut rest)?;
                // Its last line, and its columns.
                for _ in 0..3 {
                    number(&mut rest)?;
                }
                Some(lines)
            }
            kind if ONE_LINE.contains(&kind) => {
                byte(&mut rest)?;
                byte(&mut rest)?;
                Some(i32::from(kind - ONE_LINE.start()))
            }
            kind => {
                debug_assert!(SHORT.contains(&kind));
                byte(&mut rest)?;
                Some(0)
            }
        };
        match runs.last_mut() {
            Some(run) if run.lines.is_some() && lines == Some(0) => run.length += length,
            _ => runs.push(Run { lines, length }),
        }
    }
    Some(runs.iter().flat_map(Run::written).collect())
}

impl Run {
    fn written(&self) -> Vec<u8> {
        let mut written = Vec::new();
        for at in (0..self.length).step_by(MOST) {
            let length = (self.length - at).min(MOST) as u8 - 1;
            let Some(lines) = self.lines else {
                written.push(0x80 | NOWHERE << 3 | length);
                continue;
            };
            written.push(0x80 | NO_COLUMNS << 3 | length);
            let lines = if at == 0 { lines } else { 0 };
            let mut rest = lines.unsigned_abs() << 1 | u32::from(lines < 0);
            while rest >= 0x40 {
                written.push(0x40 | (rest & 0x3f) as u8);
                rest >>= 6;
            }
            written.push(rest as u8);
        }
        written
    }
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, others) = rest.split_first()?;
    *rest = others;
    Some(*first)
}

/// Six bits a byte, the lowest first.
fn number(rest: &mut &[u8]) -> Option<u32> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = byte(rest)?;
        number |= u32::from(byte & 0x3f).checked_shl(shift)?;
        shift += 6;
        if byte & 0x40 == 0 {
            return Some(number);
        }
    }
}

/// The sign is the lowest bit.
fn signed(rest: &mut &[u8]) -> Option<i32> {
    let number = number(rest)?;
    let size = (number >> 1) as i32;
    Some(if number & 1 == 1 { -size } else { size })
}
