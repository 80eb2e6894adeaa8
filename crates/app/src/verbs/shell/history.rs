//! Lines that were typed before, in a file of the user's own: of the last [`MOST`] lines, none with a secret.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Lines that are kept.
const MOST: usize = 1000;

/// Lines at which the file is written anew with the last of them.
const TOO_MANY: usize = 2 * MOST;

/// Bytes of a file that are read, from its start.
const MAX_BYTES: u64 = 4 << 20;

/// Bytes of a line that is kept.
const MAX_LINE: usize = 4 << 10;

/// Words in the name of an argument or a flag whose value may be secret.
const SECRET: [&str; 9] = [
    "bearer",
    "header",
    "password",
    "passwd",
    "secret",
    "token",
    "credential",
    "key",
    "auth",
];

/// The file of a program with this name; none where there is no place for it.
pub(super) fn file(name: &str, variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    // A path that is not absolute is to be ignored (XDG Base Directory Specification).
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    let state = match cfg!(windows) {
        true => absolute("LOCALAPPDATA"),
        false => absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state"))),
    };
    Some(state?.join(name).join("history"))
}

/// The lines of the file, the oldest first; none if it cannot be read.
pub(super) fn read(file: &Path) -> Vec<String> {
    let mut text = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let last = lines[lines.len().saturating_sub(MOST)..].to_vec();
    if read.is_ok() && lines.len() > TOO_MANY {
        // It stays as it is where that fails.
        let _ = replace(file, &last);
    }
    last
}

/// Adds a line to the file, which is made, for its owner alone, if there is none.
pub(super) fn add(file: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(folder)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // In one write, so that shells that run at once do not mix their lines.
    options
        .open(file)?
        .write_all(format!("{line}\n").as_bytes())
}

fn replace(file: &Path, lines: &[String]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut beside = NamedTempFile::new_in(folder)?;
    beside.write_all((lines.join("\n") + "\n").as_bytes())?;
    beside.persist(file)?;
    Ok(())
}

/// Whether a line is kept: not one that begins with a blank, as in shells, nor one that may hold a secret.
pub(super) fn is_kept(line: &str) -> bool {
    let is_line = !line.is_empty() && line.len() <= MAX_LINE && !line.contains(['\n', '\0']);
    is_line && !line.starts_with(char::is_whitespace) && !may_be_secret(line)
}

fn may_be_secret(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.=:".contains(c)))
        .filter(|word| word.starts_with("--") || word.contains(['=', ':']))
        .any(|word| {
            let name = word.split(['=', ':']).next().unwrap_or(word);
            SECRET.iter().any(|secret| name.contains(secret))
        })
        || SECRET
            .iter()
            .any(|secret| line.contains(&format!("{secret}\":")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_in_the_folder_for_state() {
        let variables = |xdg: &'static str| {
            move |name: &str| match name {
                "XDG_STATE_HOME" => Some(PathBuf::from(xdg)),
                "HOME" => Some(PathBuf::from("/home/ada")),
                _ => None,
            }
        };
        if cfg!(unix) {
            let found = |xdg| file("zebra-2", variables(xdg)).unwrap();
            assert_eq!(found("/state"), Path::new("/state/zebra-2/history"));
            for relative in ["", "state"] {
                assert_eq!(
                    found(relative),
                    Path::new("/home/ada/.local/state/zebra-2/history")
                );
            }
        }
        assert_eq!(file("zebra-2", |_| None), None);
    }

    #[test]
    fn the_last_lines_are_kept_and_their_owner_s_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b/history");
        assert_eq!(read(&file), Vec::<String>::new());
        for line in ["list", "call feed animal=Bo"] {
            add(&file, line).unwrap();
        }
        assert_eq!(read(&file), ["list", "call feed animal=Bo"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&file), 0o600);
            assert_eq!(mode(file.parent().unwrap()), 0o700);
        }
        let lines: Vec<_> = (0..TOO_MANY).map(|line| line.to_string()).collect();
        fs::write(&file, lines.join("\n") + "\nlast\n").unwrap();
        let kept = read(&file);
        assert_eq!((kept.len(), &*kept[MOST - 1]), (MOST, "last"));
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), MOST);
    }

    #[test]
    fn a_line_that_may_hold_a_secret_is_not_kept() {
        for line in [
            "list --bearer x",
            "list --bearer=x",
            "call login password=x",
            "call login apiKey=x",
            "call login user.token:=1",
            r#"call login '{"password": "x"}'"#,
            " list",
            "",
            "a\nb",
        ] {
            assert!(!is_kept(line), "{line}");
        }
        for line in [
            "list tools",
            "call feed animal=Monkey food=hay",
            "read data://keys",
        ] {
            assert!(is_kept(line), "{line}");
        }
    }
}
