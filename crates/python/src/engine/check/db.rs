//! ty's database: files in memory, the stubs of the standard library, and nothing of the host.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ruff_db::Db as SourceDb;
use ruff_db::diagnostic::Diagnostic;
use ruff_db::files::{File, FileError, FileRootKind, Files, system_path_to_file};
use ruff_db::system::{InMemorySystem, System, SystemPathBuf};
use ruff_db::vendored::VendoredFileSystem;
use ruff_python_ast::PythonVersion;
use ty_module_resolver::{Db as ModuleResolverDb, FallibleStrategy, SearchPathSettings};
use ty_python_core::platform::PythonPlatform;
use ty_python_core::program::{Program, ProgramSettings};
use ty_python_core::{Db as CoreDb, ProgramFile};
use ty_python_semantic::lint::{LintRegistry, RuleSelection};
use ty_python_semantic::{
    AnalysisSettings, Db, PythonVersionSource, PythonVersionWithSource, check_file_unwrap,
    default_lint_registry,
};

use crate::alloc;

/// The version that the interpreter has.
pub(super) const PYTHON: PythonVersion = PythonVersion::PY314;

/// Where modules of the caller's would be found: declarations alone, under names that no code imports.
const MODULES: &str = "/declared";

/// Checks of one database: those that warm it up, and one of a run.
pub(super) const MAX_CHECKS: usize = 32;

/// A file in memory, of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// What is checked: the source, after a line of our own.
    Checked,
    /// The source as the caller wrote it, for excerpts.
    Shown,
    /// What is declared of inputs and host functions.
    Given,
    /// What the caller declares.
    Declared,
}

/// Why a check was given up; what unwinds then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenUp {
    Time,
    Memory,
}

/// What a check may use, looked at whenever the checker starts to work something out.
#[derive(Debug)]
pub(super) struct Budget {
    started: Instant,
    looked: AtomicU64,
    /// Microseconds after `started`, and bytes allocated.
    deadline: AtomicU64,
    memory: AtomicUsize,
}

impl Budget {
    /// How many steps there are between two looks at the clock: together less than a millisecond.
    const STEPS: u64 = 256;

    fn new() -> Self {
        Self {
            started: Instant::now(),
            looked: AtomicU64::new(0),
            deadline: AtomicU64::new(u64::MAX),
            memory: AtomicUsize::new(usize::MAX),
        }
    }

    /// From now until the deadline, and so many more bytes than there are.
    pub(super) fn set(&self, deadline: Instant, memory: usize) {
        let after = deadline.saturating_duration_since(self.started);
        let micros = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.deadline.store(micros, Ordering::Relaxed);
        self.memory
            .store(alloc::live().saturating_add(memory), Ordering::Relaxed);
    }

    fn step(&self) {
        if !self
            .looked
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(Self::STEPS)
        {
            return;
        }
        let deadline = Duration::from_micros(self.deadline.load(Ordering::Relaxed));
        let why = match () {
            () if self.started.elapsed() > deadline => GivenUp::Time,
            () if alloc::live() > self.memory.load(Ordering::Relaxed) => GivenUp::Memory,
            () => return,
        };
        // As the database itself does when it is told to stop: no panic, so no hook of one.
        std::panic::resume_unwind(Box::new(why));
    }
}

/// The database. One handle, never cloned, no threads.
#[salsa::db]
pub(super) struct Database {
    storage: salsa::Storage<Self>,
    files: Files,
    system: InMemorySystem,
    vendored: VendoredFileSystem,
    rules: RuleSelection,
    settings: AnalysisSettings,
    program: ProgramSettings,
    budget: Arc<Budget>,
    /// How many checks there were. Each has files of its own: where none changes, nothing that is known
    /// is looked at again, which costs more than the check and in a fork copies all of it.
    checks: usize,
}

impl Database {
    /// # Errors
    /// When ty does not find its own stubs.
    pub(super) fn new() -> Result<Self, String> {
        let system = InMemorySystem::default();
        let budget = Arc::new(Budget::new());
        let watched = Arc::clone(&budget);
        let on_event = move |event: salsa::Event| {
            if matches!(event.kind, salsa::EventKind::WillCheckCancellation) {
                watched.step();
            }
        };
        let vendored = ty_vendored::file_system().clone();
        let mut database = Self {
            storage: salsa::Storage::new(Some(Box::new(on_event))),
            files: Files::default(),
            program: ProgramSettings::empty(&vendored),
            system,
            vendored,
            rules: RuleSelection::from_registry(default_lint_registry()),
            settings: AnalysisSettings::default(),
            budget,
            checks: 0,
        };
        // Where modules are looked for, a file that comes later is not found.
        for check in 1..=MAX_CHECKS {
            for text in [Text::Given, Text::Declared] {
                database.checks = check;
                database.write(text, "")?;
            }
        }
        database.checks = 1;
        // Both before the search paths, which would make of them what rarely changes: then a change
        // would have everything looked at again that is known of the standard library.
        for folder in ["/", MODULES] {
            let folder = SystemPathBuf::from(folder);
            database
                .files()
                .try_add_root(&database, &folder, FileRootKind::Project);
        }
        let search_paths = SearchPathSettings::new(vec![SystemPathBuf::from(MODULES)])
            .to_search_paths(database.system(), database.vendored(), &FallibleStrategy)
            .map_err(|error| error.to_string())?;
        search_paths.try_register_static_roots(&database);
        database.program = ProgramSettings {
            python_version: PythonVersionWithSource {
                version: PYTHON,
                source: PythonVersionSource::default(),
            },
            // What the interpreter says that it is, wherever it runs.
            python_platform: PythonPlatform::Identifier("linux".to_owned()),
            search_paths,
        };
        Ok(database)
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Begins another check, which has no files yet. `None` when there were too many.
    pub(super) fn begin(mut self) -> Option<Self> {
        self.checks += 1;
        (self.checks <= MAX_CHECKS).then_some(self)
    }

    /// The name that a declaring file is imported by.
    pub(super) fn module(&self, text: Text) -> String {
        let checks = self.checks;
        match text {
            Text::Given => format!("_pymcp_given{checks}"),
            _ => format!("_pymcp_declared{checks}"),
        }
    }

    fn path(&self, text: Text) -> String {
        let checks = self.checks;
        match text {
            // Outside of where modules are looked for: no name imports it.
            Text::Checked => format!("/main{checks}.py"),
            Text::Shown => format!("/shown{checks}.txt"),
            Text::Given | Text::Declared => format!("{MODULES}/{}.pyi", self.module(text)),
        }
    }

    /// Writes a file of this check, once.
    pub(super) fn write(&self, text: Text, content: &str) -> Result<(), String> {
        let written = self.system.fs().write_file_all(self.path(text), content);
        written.map_err(|error| error.to_string())
    }

    pub(super) fn file(&self, text: Text) -> Result<File, FileError> {
        system_path_to_file(self, self.path(text))
    }
}

/// The program is the same for all files, and is made once.
#[salsa::db]
trait ProgramDb: Db {
    fn settings(&self) -> &ProgramSettings;
}

#[salsa::db]
impl ProgramDb for Database {
    fn settings(&self) -> &ProgramSettings {
        &self.program
    }
}

#[salsa::tracked(returns(copy))]
fn program(db: &dyn ProgramDb) -> Program<'_> {
    Program::from_settings(db, db.settings().clone())
}

#[salsa::db]
impl SourceDb for Database {
    fn vendored(&self) -> &VendoredFileSystem {
        &self.vendored
    }

    fn system(&self) -> &dyn System {
        &self.system
    }

    fn files(&self) -> &Files {
        &self.files
    }
}

#[salsa::db]
impl CoreDb for Database {
    fn should_check_file(&self, file: File) -> bool {
        !file.path(self).is_vendored_path()
    }
}

#[salsa::db]
impl ModuleResolverDb for Database {}

#[salsa::db]
impl Db for Database {
    fn check_file(&self, file: File) -> Vec<Diagnostic> {
        match self.should_check_file(file) {
            true => check_file_unwrap(self, self.program_file(file)),
            false => Vec::new(),
        }
    }

    fn program_file(&self, file: File) -> ProgramFile<'_> {
        program(self).program_file(self, file)
    }

    fn python_version_with_source(&self, _file: File) -> &PythonVersionWithSource {
        &self.program.python_version
    }

    fn rule_selection(&self, _file: File) -> &RuleSelection {
        &self.rules
    }

    fn lint_registry(&self) -> &LintRegistry {
        default_lint_registry()
    }

    fn analysis_settings(&self, _file: File) -> &AnalysisSettings {
        &self.settings
    }

    fn verbose(&self) -> bool {
        false
    }

    fn is_open_file(&self, _file: File) -> bool {
        false
    }

    fn dyn_clone(&self) -> Box<dyn Db> {
        // Only ty's automatic fixes ask for a second handle, for their threads.
        unreachable!("nothing is fixed here")
    }
}

#[salsa::db]
impl salsa::Database for Database {}
