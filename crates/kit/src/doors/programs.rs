//! Programs that a component declared to run.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::effects::Effect;
use crate::error::{Error, Result};

use super::Doors;

/// Where programs are looked for that are declared by name: the system's own folders, whatever `PATH` says.
#[cfg(unix)]
const FOLDERS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];
#[cfg(not(unix))]
const FOLDERS: [&str; 2] = [r"C:\Windows\System32", r"C:\Windows"];

impl Doors {
    /// A declared program, to be run once: with an empty environment, nothing to read on stdin, and killed when the call
    /// ends before it does. What it starts itself is not killed with it.
    ///
    /// A path is run as it was declared. A name is looked for in `/usr/local/bin`, `/usr/bin` and `/bin` (on Windows in
    /// the system's folders), whatever the server's `PATH` says.
    ///
    /// Nothing bounds what it writes: read its output with [`output`], or bound it where it is read.
    ///
    /// ```
    /// use pymcp_kit::{Ctx, Effect, NoArgs, OrUser, Result, Tool, doors};
    ///
    /// async fn head(ctx: Ctx, _: NoArgs) -> Result<String> {
    ///     let mut git = ctx.command("git")?;
    ///     git.args(["-C", "/srv/repository", "rev-parse", "HEAD"]);
    ///     let output = doors::output(git, 1 << 10).await?;
    ///     Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    /// }
    ///
    /// let tool: Tool = Tool::new("head", head).effects([Effect::spawns("git")]);
    /// ```
    ///
    /// # Errors
    /// It was not declared, which is logged, or there is none of this name: errors of ours.
    pub fn command(&self, program: &str) -> Result<Command> {
        self.require(&Effect::spawns(program))?;
        let mut command = Command::new(find(program)?);
        command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
        Ok(command)
    }
}

fn find(program: &str) -> Result<PathBuf> {
    if Path::new(program).is_absolute() {
        return Ok(program.into());
    }
    let ending = std::env::consts::EXE_SUFFIX;
    let named = |folder: &&str| Path::new(folder).join(format!("{program}{ending}"));
    let mut places = FOLDERS.iter().map(named);
    places.find(|place| place.is_file()).ok_or_else(|| {
        Error::internal(format!(
            "there is no program of the declared name in {}; declare its path",
            FOLDERS.join(", ")
        ))
    })
}

/// Runs a command to its end, and reads at most `max_bytes` of its output and as much of its errors.
///
/// # Errors
/// It cannot be started, which is ours, or it writes more, which ends it and is a sentence for the caller.
pub async fn output(mut command: Command, max_bytes: usize) -> Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) =
        tokio::try_join!(bounded(stdout, max_bytes), bounded(stderr, max_bytes))?;
    Ok(Output {
        status: child.wait().await?,
        stdout,
        stderr,
    })
}

async fn bounded(stream: Option<impl AsyncRead + Unpin>, max_bytes: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let most = u64::try_from(max_bytes).unwrap_or(u64::MAX);
        let mut stream = stream.take(most.saturating_add(1));
        stream.read_to_end(&mut bytes).await?;
    }
    match bytes.len() <= max_bytes {
        true => Ok(bytes),
        false => Err(Error::user(format!(
            "The program wrote more than {max_bytes} bytes."
        ))),
    }
}
