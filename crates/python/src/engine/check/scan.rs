//! What the source itself says of a finding: whether the code expects the failure that was found, or
//! would never meet it.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{ExceptHandler, Expr, ExprContext, ModModule, Stmt, StmtImportFrom};
use ruff_text_size::{Ranged as _, TextRange};

/// Expressions and statements inside each other, above which a source is not checked. The checker
/// recurses with them, and has a stack with an end.
pub(super) const MAX_DEPTH: usize = 1_000;

/// Brackets inside each other that Python's own parser reads. ty's takes minutes over more.
const MAX_BRACKETS: usize = 200;

/// The line in which there are more brackets inside each other than Python reads. Looks at brackets
/// outside of strings and comments, and is not exact about strings inside of f-strings.
pub(super) fn too_many_brackets(source: &str) -> Option<usize> {
    let mut rest = source;
    let (mut depth, mut line) = (0_usize, 1);
    while let Some(first) = rest.chars().next() {
        let mut skip = first.len_utf8();
        match first {
            '\n' => line += 1,
            '#' => skip = rest.find('\n').unwrap_or(rest.len()),
            '(' | '[' | '{' => {
                depth += 1;
                if depth > MAX_BRACKETS {
                    return Some(line);
                }
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '"' | '\'' => {
                skip = string_end(rest);
                line += rest[..skip].matches('\n').count();
            }
            _ => {}
        }
        rest = &rest[skip..];
    }
    None
}

/// How long the string is that a text begins with.
fn string_end(text: &str) -> usize {
    let one = &text[..1];
    let triple = one.repeat(3);
    let quote = match text.starts_with(&triple) {
        true => triple.as_str(),
        false => one,
    };
    let mut at = quote.len();
    while at < text.len() {
        let left = &text[at..];
        if left.starts_with(quote) {
            return at + quote.len();
        }
        if quote.len() == 1 && left.starts_with('\n') {
            return at;
        }
        at += usize::from(left.starts_with('\\'));
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    text.len()
}

/// What is caught where: the exceptions that a finding can foretell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raises {
    /// `NameError`.
    Name,
    /// `ImportError`.
    Import,
    /// `AttributeError`.
    Attribute,
    /// `TypeError`.
    Type,
}

impl Raises {
    /// Whether a handler for the exception of that name catches it.
    fn is_caught_by(self, name: &str) -> bool {
        matches!(
            (self, name),
            (_, "Exception" | "BaseException")
                | (Self::Name, "NameError" | "UnboundLocalError")
                | (Self::Import, "ImportError" | "ModuleNotFoundError")
                | (Self::Attribute, "AttributeError")
                | (Self::Type, "TypeError")
        )
    }
}

/// What one pass over the source finds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Bodies whose exceptions are caught, and the names of the exceptions; none for a bare `except`.
    guarded: Vec<(TextRange, Option<Vec<String>>)>,
    /// What is not evaluated when the code runs: annotations, strings that a checker reads as types,
    /// and what is for the checker alone.
    never_run: Vec<TextRange>,
    /// Functions and lambdas.
    functions: Vec<TextRange>,
    /// Calls of what is no class of this source by name: a subclass may be called, with other arguments.
    of_some_class: Vec<TextRange>,
    classes: Vec<String>,
    /// Attributes that something is assigned to.
    assigned: Vec<String>,
    /// Whether names may be defined by what no checker sees through: `exec`, `globals()`.
    dynamic: bool,
    /// `from __future__ import` where Python wants it.
    future: Vec<TextRange>,
    depth: usize,
    too_deep: bool,
}

impl Scan {
    /// Reads a source of which the first `ours` statements are our own.
    pub(super) fn of(module: &ModModule, ours: usize) -> Self {
        let mut scan = Self::default();
        let body = module.body.get(ours..).unwrap_or_default();
        let first = usize::from(body.first().is_some_and(is_text));
        let future = body[first..]
            .iter()
            .take_while(|statement| match statement {
                Stmt::ImportFrom(StmtImportFrom { module, level, .. }) => {
                    *level == 0 && module.as_deref() == Some("__future__")
                }
                _ => false,
            });
        scan.future.extend(future.map(Stmt::range));
        let classes = body.iter().filter_map(Stmt::as_class_def_stmt);
        scan.classes
            .extend(classes.map(|class| class.name.to_string()));
        scan.visit_body(body);
        scan
    }

    /// Whether the source is nested deeper than [`MAX_DEPTH`]. What is deeper was not read.
    pub(super) fn is_too_deep(&self) -> bool {
        self.too_deep
    }

    /// Whether code at this place expects that exception.
    pub(super) fn catches(&self, at: TextRange, raises: Raises) -> bool {
        self.guarded.iter().any(|(body, names)| {
            body.contains_range(at)
                && names
                    .as_ref()
                    .is_none_or(|names| names.iter().any(|name| raises.is_caught_by(name)))
        })
    }

    pub(super) fn never_runs(&self, at: TextRange) -> bool {
        within(&self.never_run, at)
    }

    pub(super) fn is_in_function(&self, at: TextRange) -> bool {
        within(&self.functions, at)
    }

    /// Whether what is called there is known as some class, and may be a subclass of it: `cls(1)`,
    /// `type(self)(1)`.
    pub(super) fn may_be_a_subclass(&self, at: TextRange) -> bool {
        within(&self.of_some_class, at)
    }

    pub(super) fn is_future_import(&self, at: TextRange) -> bool {
        within(&self.future, at)
    }

    /// Whether the code may define any name in ways that no checker sees.
    pub(super) fn defines_names(&self) -> bool {
        self.dynamic
    }

    pub(super) fn assigns_attribute(&self, name: &str) -> bool {
        self.dynamic || self.assigned.iter().any(|assigned| assigned == name)
    }

    fn guard(&mut self, body: &[Stmt], names: Option<Vec<String>>) {
        if let (Some(first), Some(last)) = (body.first(), body.last()) {
            self.guarded
                .push((TextRange::new(first.start(), last.end()), names));
        }
    }

    fn deeper(&mut self, walk: impl FnOnce(&mut Self)) {
        if self.depth == MAX_DEPTH {
            self.too_deep = true;
            return;
        }
        self.depth += 1;
        walk(self);
        self.depth -= 1;
    }
}

impl<'a> Visitor<'a> for Scan {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Try(tried) => {
                for ExceptHandler::ExceptHandler(handler) in &tried.handlers {
                    let names = handler.type_.as_deref().map(exceptions);
                    self.guard(&tried.body, names);
                }
            }
            Stmt::With(with) => {
                for item in &with.items {
                    if let Expr::Call(call) = &item.context_expr
                        && let Some("suppress" | "raises" | "assertRaises" | "assertRaisesRegex") =
                            last_name(&call.func)
                    {
                        let names = call.arguments.args.iter().flat_map(exceptions).collect();
                        self.guard(&with.body, Some(names));
                    }
                }
            }
            Stmt::If(branches) if last_name(&branches.test) == Some("TYPE_CHECKING") => {
                let never = branches.body.iter().map(Stmt::range);
                self.never_run.extend(never);
            }
            Stmt::FunctionDef(function) => self.functions.push(function.range),
            Stmt::TypeAlias(alias) => self.never_run.push(alias.value.range()),
            _ => {}
        }
        self.deeper(|scan| visitor::walk_stmt(scan, statement));
    }

    fn visit_annotation(&mut self, expression: &'a Expr) {
        // Python evaluates annotations when they are asked for (PEP 649).
        self.never_run.push(expression.range());
        self.deeper(|scan| visitor::walk_annotation(scan, expression));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Lambda(lambda) => self.functions.push(lambda.range),
            Expr::Call(call) => {
                let class = call.func.as_name_expr().map(|name| name.id.as_str());
                if !class.is_some_and(|class| self.classes.iter().any(|known| known == class)) {
                    self.of_some_class.push(call.range());
                }
            }
            Expr::StringLiteral(text) => self.never_run.push(text.range),
            Expr::Attribute(attribute) if attribute.ctx != ExprContext::Load => {
                self.assigned.push(attribute.attr.to_string());
            }
            Expr::Name(name) => {
                self.dynamic |= matches!(
                    name.id.as_str(),
                    "exec"
                        | "globals"
                        | "vars"
                        | "locals"
                        | "setattr"
                        | "builtins"
                        | "__builtins__"
                );
            }
            _ => {}
        }
        self.deeper(|scan| visitor::walk_expr(scan, expression));
    }

    fn visit_pattern(&mut self, pattern: &'a ruff_python_ast::Pattern) {
        self.deeper(|scan| visitor::walk_pattern(scan, pattern));
    }
}

fn within(ranges: &[TextRange], at: TextRange) -> bool {
    ranges.iter().any(|range| range.contains_range(at))
}

fn is_text(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Expr(expression) if expression.value.is_string_literal_expr())
}

/// The names of the exceptions that a handler catches.
fn exceptions(kind: &Expr) -> Vec<String> {
    match kind {
        Expr::Tuple(tuple) => tuple.elts.iter().flat_map(exceptions).collect(),
        // Whatever else is computed there may be any of them.
        other => vec![last_name(other).unwrap_or("Exception").to_owned()],
    }
}

/// The last part of a dotted name.
fn last_name(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_counted_where_they_are_brackets() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(too_many_brackets(&nested(MAX_BRACKETS)), None);
        assert_eq!(too_many_brackets(&format!("\n{}", nested(201))), Some(2));
        let many = "([{".repeat(100);
        for quiet in [
            format!("'{many}'"),
            format!(r#""\"{many}""#),
            format!("# {many}\n'''{many}\n\"'\n'''\n"),
            format!("'é\\'{many}'"),
            "()".repeat(10_000),
            "'".to_owned(),
            "'\\".to_owned(),
        ] {
            assert_eq!(too_many_brackets(&quiet), None, "{quiet}");
        }
        let after = format!("'''a\nb'''\n\"'\" # '\n{many}");
        assert_eq!(too_many_brackets(&after), Some(4));
    }
}
