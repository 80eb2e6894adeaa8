//! `pymcp new` writes a server for an author to start from, and `pymcp add` a component of one.
//!
//! | file | what it does |
//! | --- | --- |
//! | `mod` | `new`: the arguments, and the order of the steps |
//! | `add` | `add`: one file, and the lines that wire it |
//! | `name` | what a server may be called, and what follows from its name |
//! | `choices` | what can be chosen, asked for on a terminal only |
//! | `origin` | where the crates come from |
//! | `template` | the files of `templates/`, embedded and rendered |
//! | `folder` | writes a folder whole or not at all |
//!
//! To add a file to what is written, add it to `templates/` and to the list in `template`.

pub(crate) mod add;
mod choices;
mod folder;
mod name;
mod origin;
mod template;
#[cfg(test)]
mod tests;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pymcp_app::{Error, Program, Result};

use self::choices::{Choices, Part, TransportName};
use self::name::Name;
use self::origin::Origin;

/// Write a server of your own to start from.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the server and of the folder to make, or . for the folder that this is called in.
    #[arg(value_name = "NAME|.", required_unless_present = "list")]
    name: Option<String>,

    /// Parts to begin with, comma-separated: python, search, egress, otlp, redis, kubernetes.
    #[arg(long, value_name = "PARTS", value_delimiter = ',', ignore_case = true)]
    with: Option<Vec<Part>>,

    /// How clients connect unless a setting says otherwise: stdio (the default) or http.
    #[arg(long, value_name = "NAME", ignore_case = true)]
    transport: Option<TransportName>,

    /// Checkout of the PyMCP repository to depend on, instead of the released crates.
    #[arg(long, value_name = "FOLDER")]
    checkout: Option<PathBuf>,

    /// Ask nothing: take the defaults for what is not said.
    #[arg(long, short)]
    yes: bool,

    /// List the parts and the files, and write nothing.
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(args: Args, program: &Program) -> Result<()> {
    let Some(wanted) = args.name.filter(|_| !args.list) else {
        return print(&template::listing());
    };
    let here = std::env::current_dir().map_err(|error| {
        Error::other(format!("The working directory cannot be found: {error}."))
    })?;
    let (name, folder) = match wanted.as_str() {
        "." => (Name::of_folder(&here)?, here.clone()),
        name => (Name::parse(name)?, here.join(name)),
    };
    folder::check_empty(&folder)?;
    let origin = Origin::find(&folder, args.checkout.as_deref())?;
    let choices = Choices::ask(args.with, args.transport, args.yes)?;
    let files = template::server(&name, &choices, &origin)?;
    folder::write(&folder, &files)?;
    format(files.iter().map(|file| folder.join(&file.path)));
    let repository = make_repository(&folder);
    let workspace = workspace_of(&folder);
    print(&report(
        program.name(),
        &name,
        (wanted != ".").then_some(folder.as_path()),
        files.len(),
        &origin,
        workspace.filter(|_| !origin.is_inside()).as_deref(),
        repository,
    ))
}

/// Makes a repository, if the folder is in none. `None` where there is no git.
fn make_repository(folder: &Path) -> Option<bool> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(folder);
        git.stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        git.status()
    };
    let inside = git(&["rev-parse", "--is-inside-work-tree"]).ok()?.success();
    Some(!inside && git(&["init", "--quiet"]).ok()?.success())
}

/// Formats the Rust files among these: how lines break depends on the names in them. Where there is no rustfmt, they
/// stay as they are.
fn format(files: impl Iterator<Item = PathBuf>) {
    let rust = files.filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--edition", "2024", "--"]).args(rust);
    rustfmt
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _ = rustfmt.status();
}

/// The manifest of a cargo workspace that the folder is in, which cargo makes every package below it a part of.
fn workspace_of(folder: &Path) -> Option<PathBuf> {
    let above = folder.ancestors().skip(1);
    let mut manifests = above.map(|folder| folder.join("Cargo.toml"));
    manifests.find(|manifest| {
        std::fs::read_to_string(manifest)
            .is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
    })
}

fn report(
    program: &str,
    name: &Name,
    folder: Option<&Path>,
    files: usize,
    origin: &Origin,
    workspace: Option<&Path>,
    repository: Option<bool>,
) -> String {
    let mut text = format!("{} is written: {files} files", name.package);
    text += match repository {
        Some(true) => ", in a new git repository.\n",
        Some(false) => ", in the git repository that is there.\n",
        None => "; git is not installed, so there is no repository.\n",
    };
    if let Some(note) = origin.note() {
        text += &format!("{note}\n");
    }
    if let Some(workspace) = workspace {
        text += &format!(
            "It is in the workspace of {}: add it to the members there, or to what is excluded.\n",
            workspace.display()
        );
    }
    text += "\nNext:\n";
    if let Some(folder) = folder.and_then(Path::file_name) {
        text += &format!("  cd {}\n", folder.to_string_lossy());
    }
    text += "  cargo test\n";
    text += &format!("  {program} add tool NAME\n");
    if folder.is_none() {
        text += "  cargo run -- serve --transport http\n";
    }
    text
}

/// Prints what was asked for.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    // Nobody is left to tell when stdout is closed.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(())
}
