//! Source to bytecode: as Python compiles it, but that the value of a last expression is kept, and
//! that `await` works at top level.

use rustpython_vm::compiler::ast::name::Name;
use rustpython_vm::compiler::ast::visitor::transformer::{self, Transformer};
use rustpython_vm::compiler::ast::visitor::{self, Visitor};
use rustpython_vm::compiler::ast::{self, Expr, ExprContext, Identifier, ModModule, Stmt};
use rustpython_vm::compiler::codegen::compile::compile_top;
use rustpython_vm::compiler::codegen::symboltable::{SymbolScope, SymbolTable};
use rustpython_vm::compiler::core::{SourceFile, SourceFileBuilder};
use rustpython_vm::compiler::{CodeObject, CompileError, CompileOpts, Mode, parser};

/// What the value of the last expression is assigned to. No name that code can write.
pub(super) const VALUE: &str = "<value>";

/// What the code is a coroutine function of, where it awaits at top level; what tracebacks call code
/// at top level.
pub(super) const COROUTINE: &str = "<module>";

/// Statements and expressions inside each other. The compiler goes as deep as the source, with a few
/// frames for each level; `a + b + c + …` is nested too.
const MAX_DEPTH: usize = 1_500;

/// Why source can't be run.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is no Python.
    Syntax(CompileError),
    /// It is nested deeper than [`MAX_DEPTH`].
    Deep,
}

impl From<CompileError> for Refusal {
    fn from(error: CompileError) -> Self {
        Self::Syntax(error)
    }
}

/// Source that can be run.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) code: CodeObject,
    /// Whether the code ends with the definition of [`COROUTINE`], which is to be called and awaited.
    pub(super) awaits: bool,
}

/// Compiles `source`, which errors call `label`.
pub(super) fn compile(source: &str, label: &str) -> Result<Program, Refusal> {
    let file = SourceFileBuilder::new(label, source).finish();
    let parsed = parser::parse_module(source)
        .map_err(|error| CompileError::from_ruff_parse_error(error, &file))?;
    let mut module = parsed.into_syntax();
    let mut depth = Depth::default();
    depth.visit_body(&module.body);
    if depth.exceeded {
        return Err(Refusal::Deep);
    }
    keep_value(&mut module.body);
    let wrapped = wrapped(&module, &file);
    let awaits = wrapped.is_some();
    let module = ast::Mod::Module(wrapped.unwrap_or(module));
    let code = compile_top(module, file, Mode::Exec, CompileOpts::default())
        .map_err(CompileError::from)?;
    Ok(Program { code, awaits })
}

/// Makes an assignment to [`VALUE`] of a last expression.
fn keep_value(body: &mut [Stmt]) {
    if let Some(last) = body.last_mut()
        && let Stmt::Expr(expression) = last
    {
        let target = ast::ExprName {
            node_index: ast::AtomicNodeIndex::NONE,
            range: expression.range,
            id: Name::new_static(VALUE),
            ctx: ExprContext::Store,
        };
        *last = Stmt::Assign(ast::StmtAssign {
            node_index: ast::AtomicNodeIndex::NONE,
            range: expression.range,
            targets: vec![Expr::Name(target)],
            value: expression.value.clone(),
        });
    }
}

/// The module with the statements from the first that awaits as the body of [`COROUTINE`], whose
/// names are all global. `None` where none awaits, and where that would allow what modules can't
/// have: `return` and `yield`.
fn wrapped(module: &ModModule, file: &SourceFile) -> Option<ModModule> {
    let first = module.body.iter().position(|statement| {
        let mut awaits = TopLevel::default();
        awaits.visit_stmt(statement);
        awaits.awaits
    })?;
    let (before, rest) = module.body.split_at(first);
    let mut whole = TopLevel::default();
    whole.visit_body(rest);
    if whole.leaves {
        return None;
    }
    let mut body = rest.to_vec();
    for statement in &mut body {
        Unannotated.visit_stmt(statement);
    }
    let around = |body: Vec<Stmt>| {
        Stmt::FunctionDef(ast::StmtFunctionDef {
            node_index: ast::AtomicNodeIndex::NONE,
            range: module.range,
            is_async: true,
            decorator_list: Vec::new(),
            name: Identifier::new(Name::new_static(COROUTINE), module.range),
            type_params: None,
            parameters: Box::default(),
            returns: None,
            body,
        })
    };
    let trial = ModModule {
        body: vec![around(body.clone())],
        ..module.clone()
    };
    // What is wrong with it is said when it is compiled.
    let table = SymbolTable::scan_program(&trial, file.clone()).ok()?;
    let names: Vec<Identifier> = table
        .sub_tables
        .first()?
        .symbols
        .values()
        .filter(|symbol| matches!(symbol.scope, SymbolScope::Local | SymbolScope::Cell))
        .map(|symbol| Identifier::new(Name::new(&symbol.name), module.range))
        .collect();
    if !names.is_empty() {
        let global = ast::StmtGlobal {
            node_index: ast::AtomicNodeIndex::NONE,
            range: module.range,
            names,
        };
        body.insert(0, Stmt::Global(global));
    }
    let mut statements = before.to_vec();
    statements.push(around(body));
    Some(ModModule {
        body: statements,
        ..module.clone()
    })
}

/// How deep code is nested; goes no deeper than [`MAX_DEPTH`] itself.
#[derive(Default)]
struct Depth {
    now: usize,
    exceeded: bool,
}

impl Depth {
    fn inside(&mut self, walk: impl FnOnce(&mut Self)) {
        if self.now == MAX_DEPTH {
            self.exceeded = true;
            return;
        }
        self.now += 1;
        walk(self);
        self.now -= 1;
    }
}

impl<'a> Visitor<'a> for Depth {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.inside(|depth| visitor::walk_stmt(depth, statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        self.inside(|depth| visitor::walk_expr(depth, expression));
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        self.inside(|depth| visitor::walk_pattern(depth, pattern));
    }
}

/// What code does outside every function and class.
#[derive(Default)]
struct TopLevel {
    awaits: bool,
    /// `return` or `yield`.
    leaves: bool,
}

impl<'a> Visitor<'a> for TopLevel {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::For(statement) => self.awaits |= statement.is_async,
            Stmt::With(statement) => self.awaits |= statement.is_async,
            Stmt::Return(_) => self.leaves = true,
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Lambda(_) => return,
            Expr::Await(_) => self.awaits = true,
            Expr::Yield(_) | Expr::YieldFrom(_) => self.leaves = true,
            // Its parts are awaited by whoever goes through it; only where it begins is ours.
            Expr::Generator(generator) => {
                if let Some(first) = generator.generators.first() {
                    self.visit_expr(&first.iter);
                }
                return;
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        self.awaits |= comprehension.is_async;
        visitor::walk_comprehension(self, comprehension);
    }
}

/// Makes assignments of annotated ones: a global name can't have an annotation.
struct Unannotated;

impl Transformer for Unannotated {
    fn visit_stmt(&self, statement: &mut Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::AnnAssign(annotated) => {
                *statement = match annotated.value.take() {
                    Some(value) => Stmt::Assign(ast::StmtAssign {
                        node_index: ast::AtomicNodeIndex::NONE,
                        range: annotated.range,
                        targets: vec![(*annotated.target).clone()],
                        value,
                    }),
                    None => Stmt::Pass(ast::StmtPass {
                        node_index: ast::AtomicNodeIndex::NONE,
                        range: annotated.range,
                    }),
                };
            }
            _ => transformer::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&self, _: &mut Expr) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_awaits_at_top_level_is_wrapped() {
        for source in [
            "await f()",
            "x = 1\nprint(await f())",
            "async with a as b: pass",
            "for x in y:\n    async for z in x: pass",
            "[x async for x in y]",
            "[await x for x in y]",
            "(x for x in await f())",
            "from math import *\nawait f()",
            "x: int = await f()\ny: int",
            "def g():\n    return 1\nawait g()",
        ] {
            assert!(compile(source, "main.py").unwrap().awaits, "{source}");
        }
        for source in [
            "1",
            "async def f():\n    await g()",
            "class A:\n    async def f(self):\n        return await g()",
            "(x async for x in y)",
            "lambda: 1",
        ] {
            assert!(!compile(source, "main.py").unwrap().awaits, "{source}");
        }
        for source in [
            "await f()\nreturn 1",
            "await f()\nyield 1",
            "def g():\n    await f()",
            "(",
        ] {
            assert!(compile(source, "main.py").is_err(), "{source}");
        }
    }
    #[test]
    fn depth_is_bounded() {
        let sum = |terms: usize| vec!["1"; terms].join("+");
        assert!(compile(&sum(500), "main.py").is_ok());
        for deep in [
            sum(MAX_DEPTH + 2),
            format!("{}1", "-".repeat(MAX_DEPTH + 2)),
            format!(
                "{}1{}",
                "[".repeat(MAX_DEPTH + 2),
                "]".repeat(MAX_DEPTH + 2)
            ),
        ] {
            // The parser goes as deep, on the stack of a worker.
            let refusal = std::thread::Builder::new()
                .stack_size(64 << 20)
                .spawn(move || matches!(compile(&deep, "main.py"), Err(Refusal::Deep)));
            assert!(refusal.unwrap().join().unwrap());
        }
    }
}
