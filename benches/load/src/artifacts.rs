//! The binaries under test, built before they are measured, so that none is stale.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::scenario::Scenario;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");

/// The name of the server that is generated, and the folder that it is built in.
const GENERATED: &str = "generated";

/// The folder that it is built in without features.
const MINIMAL: &str = "generated-minimal";

/// The project may trade speed for size in its own binary; a control is as fast as it can be.
const CONTROL_PROFILE: [&str; 4] = [
    "--config",
    "profile.control.inherits = \"release\"",
    "--config",
    "profile.control.opt-level = 3",
];

pub(crate) struct Artifacts {
    target: PathBuf,
    pymcp: PathBuf,
    /// An empty folder for servers to run in.
    folder: PathBuf,
}

impl Artifacts {
    /// Builds what the scenarios need, next to this very program; but no `pymcp` where one is given.
    pub(crate) fn build(
        scenarios: &[Scenario],
        as_they_are: bool,
        pymcp: Option<&Path>,
    ) -> Result<Self> {
        let program = env::current_exe()?;
        let target = program
            .ancestors()
            .nth(2)
            .ok_or("this program is not in a target folder")?;
        let artifacts = Self {
            target: target.to_owned(),
            pymcp: match pymcp {
                // Servers run in another folder than this program.
                Some(given) => given.canonicalize()?,
                None => target.join("release/pymcp"),
            },
            folder: target.join("bench-load"),
        };
        fs::create_dir_all(&artifacts.folder)?;
        if as_they_are {
            return Ok(artifacts);
        }
        let build = |what: &[&str]| -> Result<()> {
            let mut cargo = cargo();
            cargo.args(["build", "--locked"]);
            cargo.args(["--manifest-path", WORKSPACE]);
            succeed(cargo.env("CARGO_TARGET_DIR", target).args(what))
        };
        // Each package by itself: built together, one's features would creep into the other's binary.
        if pymcp.is_none() {
            build(&["--release", "--package", "pymcp-template", "--bin", "pymcp"])?;
        }
        if scenarios.contains(&Scenario::Start) {
            // In a folder of its own: it is another program of the same name.
            build(&[
                "--release",
                "--package",
                "pymcp-template",
                "--bin",
                "pymcp",
                "--no-default-features",
                "--target-dir",
                &target.join("light").to_string_lossy(),
            ])?;
            artifacts.generate()?;
        }
        if scenarios.iter().any(|scenario| scenario.needs_wrk()) {
            let mut controls = vec!["--profile", "control", "--package", "pymcp-bench-load"];
            controls.extend(["--bin", "control-axum", "--bin", "control-rmcp"]);
            controls.extend(CONTROL_PROFILE);
            build(&controls)?;
        }
        if scenarios.contains(&Scenario::Tools) {
            build(&[
                "--release",
                "--package",
                "pymcp-kit",
                "--example",
                "many_tools",
            ])?;
        }
        Ok(artifacts)
    }

    /// Writes and builds the server that `pymcp new` makes when nothing is chosen, as its author would: as it is, and
    /// without features.
    fn generate(&self) -> Result<()> {
        let root = Path::new(ROOT).canonicalize()?;
        let folder = self.folder.join("new");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let mut new = Command::new(&self.pymcp);
        new.current_dir(&folder).args(["new", GENERATED, "--yes"]);
        // Below the checkout it finds that by itself, and stays out of its workspace.
        if !folder.canonicalize()?.starts_with(&root) {
            new.arg("--checkout").arg(&root);
        }
        succeed(&mut new)?;
        // The versions that everything else here is measured with.
        let package = folder.join(GENERATED);
        fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock"))?;
        for (target, features) in [(GENERATED, None), (MINIMAL, Some("--no-default-features"))] {
            let mut cargo = cargo();
            cargo.args(["build", "--release", "--manifest-path"]);
            cargo.arg(package.join("Cargo.toml")).args(features);
            succeed(cargo.env("CARGO_TARGET_DIR", self.target.join(target)))?;
        }
        Ok(())
    }

    /// `pymcp` over stdio.
    pub(crate) fn pymcp(&self) -> Command {
        self.command(&self.pymcp)
    }

    /// `pymcp` built without features.
    pub(crate) fn pymcp_light(&self) -> Command {
        self.command("light/release/pymcp")
    }

    /// `pymcp` over HTTP, on a port of its choice.
    pub(crate) fn pymcp_http(&self) -> Command {
        over_http(self.pymcp())
    }

    /// The same without features.
    pub(crate) fn pymcp_light_http(&self) -> Command {
        over_http(self.pymcp_light())
    }

    /// The server that `pymcp new` makes, over stdio.
    pub(crate) fn generated(&self) -> Command {
        self.command(Path::new(GENERATED).join("release").join(GENERATED))
    }

    /// The same over HTTP, on a port of its choice.
    pub(crate) fn generated_http(&self) -> Command {
        over_http(self.generated())
    }

    /// The server that `pymcp new` makes, without features.
    pub(crate) fn minimal(&self) -> Command {
        self.command(Path::new(MINIMAL).join("release").join(GENERATED))
    }

    /// The same over HTTP, on a port of its choice.
    pub(crate) fn minimal_http(&self) -> Command {
        over_http(self.minimal())
    }

    pub(crate) fn control_axum(&self) -> Command {
        self.command("control/control-axum")
    }

    pub(crate) fn control_rmcp(&self) -> Command {
        self.command("control/control-rmcp")
    }

    /// A server of so many tools.
    pub(crate) fn many_tools(&self, tools: u32) -> Command {
        let mut command = self.command("release/examples/many_tools");
        command.args(["--tools", &tools.to_string()]);
        command
    }

    /// Free of this process's settings: no environment, in an empty folder.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(self.target.join(program));
        command.env_clear().current_dir(&self.folder);
        command
    }
}

fn over_http(mut pymcp: Command) -> Command {
    pymcp.args(["serve", "--transport", "http", "--port", "0"]);
    pymcp
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

fn succeed(command: &mut Command) -> Result<()> {
    match command.status()?.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed").into()),
    }
}
