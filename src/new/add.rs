//! `pymcp add`: one file with its test, and the lines that wire it.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use minijinja::context;
use pymcp_app::{Error, Program, Result};

use super::name::is_keyword;
use super::template::render;

/// Characters of a name. Clients take 64 for a tool's name together with its server's.
const MOST: usize = 40;

/// Write a component of the server in this folder, with its test, and wire it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to add.
    #[arg(value_name = "KIND", ignore_case = true)]
    kind: Kind,

    /// Name of the component, such as list_items.
    #[arg(value_name = "NAME")]
    name: String,
}

/// What can be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Something that a model can call.
    Tool,
    /// Something to read, at a fixed URI.
    Resource,
    /// Something to read, at URIs with variables.
    Template,
    /// Something that a person can ask a model.
    Prompt,
    /// A step around every request.
    Middleware,
}

impl Kind {
    /// The folder of `src`, the line of `mod.rs` that says what is in it, and the template of a file.
    fn layout(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Tool => (
                "tools",
                "//! The tools, one a file.\n",
                include_str!("../../templates/component/tool.rs.jinja"),
            ),
            Self::Resource => (
                "resources",
                "//! The resources, one a file.\n",
                include_str!("../../templates/component/resource.rs.jinja"),
            ),
            Self::Template => (
                "resources",
                "//! The resources, one a file.\n",
                include_str!("../../templates/component/template.rs.jinja"),
            ),
            Self::Prompt => (
                "prompts",
                "//! The prompts, one a file.\n",
                include_str!("../../templates/component/prompt.rs.jinja"),
            ),
            Self::Middleware => (
                "middleware",
                "//! The steps around every request, one a file.\n",
                include_str!("../../templates/component/middleware.rs.jinja"),
            ),
        }
    }

    /// What adds one to a server, and makes one.
    fn method(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::Template => "template",
            Self::Prompt => "prompt",
            Self::Middleware => "middleware",
        }
    }

    /// Whether clients are told of it, so that there is a snapshot of it.
    fn is_listed(self) -> bool {
        self != Self::Middleware
    }
}

pub(crate) fn run(args: Args, _: &Program) -> Result<()> {
    let here = std::env::current_dir().map_err(|error| {
        Error::other(format!("The working directory cannot be found: {error}."))
    })?;
    let root = find_root(&here)?;
    let kind = args.kind;
    let changed = add(&root, kind, &args.name)?;
    super::format(changed.iter().take(1).cloned());
    let mut text = String::new();
    for path in &changed {
        let shown = path.strip_prefix(&root).unwrap_or(path);
        text += &format!("{}\n", shown.display());
    }
    text += "\nNext:\n";
    text += match kind.is_listed() {
        true => "  UPDATE_SNAPSHOTS=1 cargo test\n",
        false => "  cargo test\n",
    };
    if kind.is_listed() && is_locked(&root) {
        text += "  cargo run -- lock --accept\n";
    }
    super::print(&text)
}

/// Whether there is a lock of the server beside that of cargo.
fn is_locked(root: &Path) -> bool {
    let files = fs::read_dir(root).into_iter().flatten().flatten();
    let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names.any(|name| name.ends_with(".lock") && name != "Cargo.lock")
}

/// The server's folder: the one with `src/server.rs`, here or above.
fn find_root(here: &Path) -> Result<PathBuf> {
    let mut above = here.ancestors();
    let root = above.find(|folder| {
        folder.join("Cargo.toml").is_file() && folder.join("src/server.rs").is_file()
    });
    root.map(Path::to_owned).ok_or_else(|| {
        Error::setting(
            "There is no server here: no folder from here up has Cargo.toml and src/server.rs; go to one that `new` has written.",
        )
    })
}

/// Writes the component, and returns the files that are new or changed. Nothing is written where anything fails.
fn add(root: &Path, kind: Kind, name: &str) -> Result<Vec<PathBuf>> {
    check(name)?;
    let (folder, about, template) = kind.layout();
    let source = root.join("src");
    let file = source.join(folder).join(format!("{name}.rs"));
    if file.exists() {
        return Err(Error::setting(format!(
            "src/{folder}/{name}.rs is there already; choose another name."
        )));
    }
    let title = title(name);
    let values = context! { name => name, title => title, type => type_name(name) };
    let mut writes = vec![(file, render(template, &values)?)];

    let module = source.join(folder).join("mod.rs");
    let known = match module.exists() {
        true => read(&module)?,
        false => {
            let library = source.join("lib.rs");
            let text = read(&library)?;
            writes.push((library, with_module(&text, folder)));
            format!("{about}\n")
        }
    };
    writes.push((module, with_module(&known, name)));

    let server = source.join("server.rs");
    let method = kind.method();
    let line = format!(".{method}(crate::{folder}::{name}::{method}())");
    let line = match kind {
        // As the lines beside it are written.
        Kind::Middleware => line,
        _ => line.replace("crate::", ""),
    };
    let text = with_line(&read(&server)?, method, &line).ok_or_else(|| {
        Error::other(format!(
            "src/server.rs has no place for it that is known; add {line} by hand where the server is put together, \
             and run this again."
        ))
    });
    match text {
        Ok(text) => writes.push((server, text)),
        // Added by hand, as the sentence says.
        Err(_) if read(&server)?.contains(&line) => {}
        Err(error) => return Err(error),
    }
    write(&writes)?;
    Ok(writes.into_iter().map(|(path, _)| path).collect())
}

fn check(name: &str) -> Result<()> {
    let wrong = |why: &str| {
        let better: String = name
            .chars()
            .map(|c| c.to_ascii_lowercase())
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let better = better.trim_matches(|c: char| c == '_' || c.is_ascii_digit());
        let better = better.get(..MOST).unwrap_or(better);
        let better = match better.is_empty() || is_keyword(better) {
            true => "list_items",
            false => better,
        };
        Err(Error::setting(format!(
            "NAME is '{}', which {why}; use {better}, for example.",
            name.escape_debug()
        )))
    };
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.is_empty() {
        wrong("is empty")
    } else if name.len() > MOST {
        wrong("has more than 40 characters")
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        wrong("does not begin with one of a-z")
    } else if !name.bytes().all(allowed) {
        wrong("has characters other than a-z, 0-9 and _")
    } else if is_keyword(name) {
        wrong("has a meaning of its own in Rust")
    } else {
        Ok(())
    }
}

/// `list_items` as `List items`.
fn title(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    let all = first.into_iter().chain(chars);
    all.map(|c| if c == '_' { ' ' } else { c }).collect()
}

/// `list_items` as `ListItems`.
fn type_name(name: &str) -> String {
    name.split('_').map(title).collect()
}

/// With `pub mod name;` among the lines of its kind, in their order.
fn with_module(text: &str, name: &str) -> String {
    let line = format!("pub mod {name};");
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.contains(&line.as_str()) {
        return text.to_owned();
    }
    let is_module = |line: &&str| line.starts_with("pub mod ") && line.ends_with(';');
    let next = lines
        .iter()
        .position(|other| is_module(other) && *other > line.as_str());
    let last = lines.iter().rposition(is_module);
    let at = next.or(last.map(|last| last + 1)).unwrap_or(lines.len());
    lines.insert(at, &line);
    lines.join("\n") + "\n"
}

/// With a line behind the last one that adds a component of the kind, or else any component.
fn with_line(text: &str, method: &str, line: &str) -> Option<String> {
    let begins = |methods: &[&str]| {
        let methods: Vec<_> = methods.iter().map(|method| format!(".{method}(")).collect();
        move |line: &str| {
            let line = line.trim_start();
            let whole = line.matches('(').count() == line.matches(')').count();
            whole && !line.ends_with(';') && methods.iter().any(|method| line.starts_with(method))
        }
    };
    let lines: Vec<&str> = text.lines().collect();
    let last = |fits: &dyn Fn(&str) -> bool| lines.iter().rposition(|line| fits(line));
    let all = ["tool", "resource", "template", "prompt", "middleware"];
    let at = last(&begins(&[method]))
        .or_else(|| last(&begins(&all)))
        .or_else(|| last(&begins(&["instructions"])))?;
    let indent: String = lines[at]
        .chars()
        .take_while(|c| c.is_whitespace())
        .collect();
    let added = format!("{indent}{line}");
    let mut lines = lines;
    lines.insert(at + 1, &added);
    Some(lines.join("\n") + "\n")
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path)
        .map_err(|error| Error::other(format!("{} cannot be read: {error}.", path.display())))
}

/// The new file first: where that fails, nothing has changed.
fn write(files: &[(PathBuf, String)]) -> Result<()> {
    for (path, text) in files {
        let failed =
            |error| Error::other(format!("{} cannot be written: {error}.", path.display()));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        fs::write(path, text).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cannot_be_used_is_told_with_one_that_can() {
        for (name, better) in [
            ("", "list_items"),
            ("List-Items", "list_items"),
            ("2nd", "nd"),
            ("type", "list_items"),
            ("../../etc/passwd", "etc_passwd"),
            ("ü", "list_items"),
        ] {
            let error = check(name).unwrap_err();
            let sentence = error.sentence().unwrap_or_default();
            assert!(sentence.contains(&format!("use {better},")), "{sentence}");
            check(better).unwrap();
        }
        check(&"a".repeat(MOST)).unwrap();
        assert!(check(&"a".repeat(MOST + 1)).is_err());
    }

    #[test]
    fn a_module_is_named_in_its_place_and_once() {
        let text = "//! Tools.\n\npub mod add;\npub mod sub;\n";
        let mul = with_module(text, "mul");
        assert_eq!(
            mul,
            "//! Tools.\n\npub mod add;\npub mod mul;\npub mod sub;\n"
        );
        assert_eq!(with_module(&mul, "mul"), mul);
        assert!(with_module(text, "zip").ends_with("pub mod sub;\npub mod zip;\n"));
        assert_eq!(
            with_module("//! Tools.\n\n", "a"),
            "//! Tools.\n\npub mod a;\n"
        );
    }

    #[test]
    fn a_component_is_wired_behind_its_kind() {
        let text = "\
fn builder() {
    let server = Server::builder(\"x\", \"1\")
        .instructions(\"x\")
        .tool(tools::a::tool());
    let server = server.tool(tools::b::tool());
    server
        .tool(tools::c::tool())
        .tool(
            tools::d::tool(),
        )
        .prompt(prompts::e::prompt())
}
";
        let wired = with_line(text, "tool", ".tool(tools::z::tool())").unwrap();
        assert!(
            wired.contains(".tool(tools::c::tool())\n        .tool(tools::z::tool())\n"),
            "{wired}"
        );
        let wired = with_line(text, "resource", ".resource(resources::z::resource())").unwrap();
        assert!(
            wired.ends_with(
                ".prompt(prompts::e::prompt())\n        .resource(resources::z::resource())\n}\n"
            ),
            "{wired}"
        );
        assert_eq!(with_line("fn builder() {}\n", "tool", ".tool(x)"), None);
    }
}
