//! The type checker: ty, with all that it knows of the standard library.
//!
//! A run is stopped only by what would fail when it is run ([`Checker::check`] says what that is);
//! everything else that ty finds is returned beside the result. ty works on one thread, and keeps what it
//! worked out.

mod db;
mod scan;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

use ruff_db::diagnostic::{
    Annotation, Diagnostic, DiagnosticFormat, DiagnosticId, DisplayDiagnosticConfig,
    DisplayDiagnostics, FileResolver, Input, Span, UnifiedFile,
};
use ruff_db::files::File;
use ruff_db::parsed::parsed_module;
use ruff_notebook::NotebookIndex;
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_text_size::{TextRange, TextSize};
use ty_python_semantic::{Db as _, check_file_unwrap};

use self::db::{Database, GivenUp, PYTHON, Text};
use self::scan::{MAX_DEPTH, Raises, Scan, too_many_brackets};
use super::stubs::Declared;
use crate::limits::size;
use crate::run::{Kind, Limit, MAX_DIAGNOSTICS, MAX_DIAGNOSTICS_SIZE};
use crate::wire::RunError;

/// Uses the modules that code uses most, so that a check finds them read.
const WARM_UP: &str = include_str!("check/warm_up.py");

/// The way on, where the checker itself is the trouble.
const GO_ON: &str = "run it with `check_types: false` to go on without the check";

/// Whether the interpreter has a module, or a member of one. Asked only of what typeshed does not know:
/// that is not all that there is.
pub(super) type Exists<'a> = &'a mut dyn FnMut(&str, Option<&str>) -> bool;

/// The type checker, and what it knows of the standard library.
pub(super) struct Checker {
    /// None after a check that did not come to its end: what it knows may be half of that source.
    database: Option<Database>,
    /// Parts of [`WARM_UP`] that were checked.
    warmed: usize,
}

impl Checker {
    /// A checker that knows nothing yet: the first checks read what they need.
    pub(super) fn cold() -> Self {
        Self {
            database: Database::new().ok(),
            warmed: 0,
        }
    }

    /// Reads and works out a part of what code uses most: some ten milliseconds of work. Says whether
    /// there is more.
    pub(super) fn warm_more(&mut self) -> bool {
        let parts = || WARM_UP.split("# %%\n");
        let Some(part) = parts().nth(self.warmed) else {
            return false;
        };
        self.warmed += 1;
        let deadline = Instant::now() + Duration::from_secs(600);
        let nothing = Declared::default();
        let checked = self.check(part, "", &nothing, deadline, usize::MAX, &mut |_, _| false);
        debug_assert!(checked.is_ok(), "{checked:?}");
        self.warmed < parts().count()
    }

    /// Checks `source`, which findings call `label`, until the deadline and within so many bytes
    /// more than are allocated now.
    ///
    /// # Errors
    /// [`Kind::Types`] with findings of what fails when it is run: syntax, names that nothing defines,
    /// modules and members of modules that are not there, numbers and names of arguments that a
    /// function does not take; all of it unless the code catches what is raised then, or never runs
    /// it. Also when the checker cannot check the source at all. [`Kind::Limit`] when it took too long
    /// or too much.
    ///
    /// Otherwise gives all other findings, one line each, of [`MAX_DIAGNOSTICS`] and
    /// [`MAX_DIAGNOSTICS_SIZE`] at most.
    pub(super) fn check(
        &mut self,
        source: &str,
        label: &str,
        declared: &Declared,
        deadline: Instant,
        memory: usize,
        exists: Exists<'_>,
    ) -> Result<Vec<String>, RunError> {
        if let Some(line) = too_many_brackets(source) {
            return Err(refused(format!(
                "error[invalid-syntax]: too many nested parentheses\n --> {label}:{line}"
            )));
        }
        if is_too_deep(source) {
            return Err(refused(format!(
                "The type checker does not check code that is nested deeper than {MAX_DEPTH} levels; {GO_ON}."
            )));
        }
        let known = self.database.take().and_then(Database::begin);
        let mut database = match known {
            Some(database) => database,
            None => Database::new().map_err(failed)?,
        };
        database.budget().set(deadline, memory);
        let checked = ruff_db::panic::catch_unwind(AssertUnwindSafe(|| {
            checked(&mut database, source, label, declared, exists)
        }));
        match checked {
            Ok(Ok(checked)) => {
                self.database = Some(database);
                checked
            }
            Ok(Err(reason)) => Err(failed(reason)),
            Err(unwound) => Err(match unwound.payload.downcast_ref::<GivenUp>() {
                Some(GivenUp::Time) => RunError::new(
                    Kind::Limit(Limit::Time),
                    format!("TimeoutError: the type check took longer than a run may; {GO_ON}"),
                ),
                Some(GivenUp::Memory) => RunError::new(
                    Kind::Limit(Limit::Memory),
                    format!(
                        "MemoryError: the type check needed more than {} of memory, which is the limit of a run; {GO_ON}",
                        size(memory)
                    ),
                ),
                None => failed(unwound.payload.to_string()),
            }),
        }
    }
}

/// All that can unwind. The outer error is the checker's own.
fn checked(
    database: &mut Database,
    source: &str,
    label: &str,
    declared: &Declared,
    exists: Exists<'_>,
) -> Result<Result<Vec<String>, RunError>, String> {
    let (given, theirs) = (
        database.module(Text::Given),
        database.module(Text::Declared),
    );
    let (line, ours) = declared.line(&given, &theirs);
    database.write(Text::Given, &declared.given)?;
    database.write(Text::Declared, &declared.declared)?;
    database.write(Text::Checked, &format!("{line}{source}"))?;
    database.write(Text::Shown, source)?;
    let file = |text| database.file(text).map_err(|error| error.to_string());
    let (main, shown) = (file(Text::Checked)?, file(Text::Shown)?);

    let program_file = database.program_file(main);
    let parsed = parsed_module(database, program_file.python_file(database)).load(database);
    let scan = Scan::of(parsed.syntax(), ours);
    // What cannot be parsed is not run, and to infer the types of what is left of it can take for ever.
    let mut findings: Vec<_> = match parsed.has_valid_syntax() {
        true => check_file_unwrap(database, program_file),
        false => {
            let errors = parsed.errors().iter();
            errors
                .map(|error| Diagnostic::invalid_syntax(main, &error.error, error))
                .collect()
        }
    };
    let offset = TextSize::try_from(line.len()).map_err(|error| error.to_string())?;
    let length = TextSize::try_from(source.len()).map_err(|error| error.to_string())?;
    findings.retain(|finding| place(finding).is_none_or(|at| at.start() >= offset));
    findings.retain(|finding| !is_allowed(finding, &scan));
    let internal = |finding: &Diagnostic| {
        !matches!(
            finding.id(),
            DiagnosticId::InvalidSyntax | DiagnosticId::Lint(_) | DiagnosticId::RevealedType
        )
    };
    if let Some(finding) = findings.iter().find(|finding| internal(finding)) {
        return Err(finding.headline_message().to_owned());
    }
    let (fatal, mut rest): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|finding| is_fatal(finding, &scan, exists));
    let names = Names {
        database,
        main,
        shown,
        label,
    };
    // Of the caller's declarations only what keeps them from being read.
    if !declared.declared.is_empty() {
        let found = check_file_unwrap(database, database.program_file(file(Text::Declared)?));
        rest.extend(found.into_iter().filter(Diagnostic::is_invalid_syntax));
    }
    if !fatal.is_empty() {
        let mut fatal: Vec<_> = fatal.into_iter().map(plain).collect();
        for finding in &mut fatal {
            shift(finding, main, offset, length);
        }
        let text = names.render(&fatal, DiagnosticFormat::Full);
        return Ok(Err(RunError::new(Kind::Types, text)));
    }
    for finding in &mut rest {
        shift(finding, main, offset, length);
    }
    Ok(Ok(names.lines(&rest)))
}

/// Whether the source is too deep to be checked. Looked at on its own before the database has it,
/// whose parts all recurse.
fn is_too_deep(source: &str) -> bool {
    let options = ParseOptions::from(Mode::Module).with_target_version(PYTHON);
    let parsed = parse_unchecked(source, options);
    let Some(parsed) = parsed.try_into_module() else {
        return false;
    };
    let too_deep = Scan::of(parsed.syntax(), 0).is_too_deep();
    if too_deep {
        // To drop it is to recurse as deep as it is.
        std::mem::forget(parsed);
    }
    too_deep
}

fn place(finding: &Diagnostic) -> Option<TextRange> {
    finding.primary_span().and_then(|span| span.range())
}

/// Whether that is no error here, whatever ty says: `await` at top level works, and a line of ours
/// is what comes before `from __future__`.
fn is_allowed(finding: &Diagnostic, scan: &Scan) -> bool {
    let Some(at) = place(finding).filter(|_| finding.is_invalid_syntax()) else {
        return false;
    };
    let message = finding.headline_message();
    let awaits = message.ends_with("outside of an asynchronous function")
        || message == "`await` statement outside of a function";
    awaits && !scan.is_in_function(at)
        || message.contains("__future__")
            && message.contains("beginning")
            && scan.is_future_import(at)
}

/// Whether the code fails when this is run.
fn is_fatal(finding: &Diagnostic, scan: &Scan, exists: Exists<'_>) -> bool {
    let at = match (place(finding), finding.id()) {
        (_, DiagnosticId::InvalidSyntax) => return true,
        (Some(at), DiagnosticId::Lint(_)) => at,
        _ => return false,
    };
    if scan.never_runs(at) {
        return false;
    }
    let message = finding.headline_message();
    let named = quoted(message);
    let raises = match (finding.id().as_str(), named.as_slice()) {
        ("unresolved-reference" | "undefined-reveal", _) if !scan.defines_names() => Raises::Name,
        ("unresolved-import", [module]) if !exists(module, None) => Raises::Import,
        ("unresolved-import", [module, name, ..]) if !exists(module, Some(name)) => Raises::Import,
        ("unresolved-attribute", [module, name, ..])
            if message.starts_with("Module `")
                && !scan.assigns_attribute(name)
                && !exists(module, Some(name)) =>
        {
            Raises::Attribute
        }
        (
            "missing-argument"
            | "too-many-positional-arguments"
            | "unknown-argument"
            | "parameter-already-assigned"
            | "positional-only-parameter-as-kwarg",
            _,
        ) if !(is_of_union(finding)
            || message.contains("`object.__") && scan.may_be_a_subclass(at)) =>
        {
            Raises::Type
        }
        _ => return false,
    };
    !scan.catches(at, raises)
}

/// Whether only some of what may be called there does not take the arguments.
fn is_of_union(finding: &Diagnostic) -> bool {
    finding
        .sub_diagnostics()
        .iter()
        .any(|sub| sub.headline_message().contains("nion "))
}

/// What a message names.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

/// A finding without advice on how to set up ty.
fn plain(finding: Diagnostic) -> Diagnostic {
    if finding.id().as_str() != "unresolved-import" {
        return finding;
    }
    let mut plain = Diagnostic::new(finding.id(), finding.severity(), finding.headline_message());
    for annotation in finding.annotations() {
        plain.annotate(annotation.clone());
    }
    let removed = finding
        .sub_diagnostics()
        .iter()
        .find(|sub| sub.headline_message().starts_with("The stdlib module"));
    match removed {
        Some(removed) => plain.info(removed.headline_message()),
        None if finding.headline_message().starts_with("Cannot resolve") => {
            plain.info("Only the modules of the standard library can be imported");
        }
        None => {}
    }
    plain
}

/// Moves what a finding points at in what was checked to where it is in what the caller wrote.
fn shift(finding: &mut Diagnostic, main: File, offset: TextSize, length: TextSize) {
    let moved = |annotation: &mut Annotation| {
        let span: Span = annotation.get_span().clone();
        if *span.file() == UnifiedFile::Ty(main)
            && let Some(range) = span.range()
        {
            let to = |at: TextSize| at.checked_sub(offset).unwrap_or_default().min(length);
            let range = TextRange::new(to(range.start()), to(range.end()));
            annotation.set_span(span.with_range(range));
        }
    };
    finding.annotations_mut().for_each(moved);
    for sub in finding.sub_diagnostics_mut() {
        sub.annotations_mut().for_each(moved);
    }
}

/// Files as the caller knows them.
struct Names<'a> {
    database: &'a Database,
    main: File,
    shown: File,
    label: &'a str,
}

impl Names<'_> {
    /// Findings that stop a run, as text; the first ones, and how many more there are.
    fn render(&self, findings: &[Diagnostic], format: DiagnosticFormat) -> String {
        let config = DisplayDiagnosticConfig::new("ty").format(format);
        let mut text = String::new();
        let mut shown = 0;
        for finding in findings.iter().take(MAX_DIAGNOSTICS) {
            let one = DisplayDiagnostics::new(self, &config, std::slice::from_ref(finding));
            let one = one.to_string();
            if shown > 0 && text.len() + one.len() > MAX_DIAGNOSTICS_SIZE {
                break;
            }
            shown += 1;
            text.push_str(one.trim_end());
            text.push_str("\n\n");
        }
        if shown < findings.len() {
            text.push_str(&more(findings.len() - shown));
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// Findings that stop nothing, one line each.
    fn lines(&self, findings: &[Diagnostic]) -> Vec<String> {
        let mut left = MAX_DIAGNOSTICS_SIZE;
        let mut lines = Vec::new();
        for (at, finding) in findings.iter().enumerate() {
            let mut line = self.render(std::slice::from_ref(finding), DiagnosticFormat::Concise);
            // A type can be as long as it wants to be.
            if line.len() > MAX_LINE {
                line.truncate(line.floor_char_boundary(MAX_LINE));
                line.push('…');
            }
            let rest = more(findings.len() - at);
            if at + 1 < findings.len()
                && (lines.len() + 1 == MAX_DIAGNOSTICS || line.len() + rest.len() > left)
                || line.len() > left
            {
                lines.push(rest);
                break;
            }
            left -= line.len();
            lines.push(line);
        }
        lines
    }
}

/// Bytes of a finding that stops nothing.
const MAX_LINE: usize = 1_000;

fn more(count: usize) -> String {
    format!("[{count} more]")
}

impl FileResolver for Names<'_> {
    fn path(&self, file: File) -> &str {
        match file {
            file if file == self.main => self.label,
            file if Ok(file) == self.database.file(Text::Declared) => "type_definitions",
            file if Ok(file) == self.database.file(Text::Given) => "inputs",
            file => FileResolver::path(self.database, file),
        }
    }

    fn input(&self, file: File) -> Input {
        let file = if file == self.main { self.shown } else { file };
        FileResolver::input(self.database, file)
    }

    fn notebook_index(&self, _file: &UnifiedFile) -> Option<NotebookIndex> {
        None
    }

    fn is_notebook(&self, _file: &UnifiedFile) -> bool {
        false
    }

    fn current_directory(&self) -> &Path {
        Path::new("")
    }
}

fn refused(message: String) -> RunError {
    RunError::new(Kind::Types, message)
}

fn failed(reason: String) -> RunError {
    let reason: String = reason.chars().take(300).collect();
    refused(format!("The type checker failed ({reason}); {GO_ON}."))
}

#[cfg(test)]
mod tests;
