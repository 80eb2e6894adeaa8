//! Writes a folder whole or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pymcp_app::{Error, Result};

use super::template::Rendered;

/// Names of what is in the way that an error has.
const NAMED: usize = 5;

/// What a folder may have that a server is written into.
const ALLOWED: &str = ".git";

/// Whether a server can be written here.
pub(super) fn check_empty(folder: &Path) -> Result<()> {
    let shown = folder.display();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(Error::setting(format!(
                "{shown} is a file; choose another name or move it."
            )));
        }
        Err(error) => {
            return Err(Error::setting(format!("{shown} cannot be read: {error}.")));
        }
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name != ALLOWED).collect();
    if names.is_empty() {
        return Ok(());
    }
    names.sort();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let names = names.join(", ");
    Err(Error::setting(match more {
        0 => format!("{shown} is not empty, it has {names}; choose another name or move that."),
        _ => format!(
            "{shown} is not empty, it has {names} and {more} more; choose another name or move that."
        ),
    }))
}

/// Writes the files aside, and then moves them to where they belong.
pub(super) fn write(folder: &Path, files: &[Rendered]) -> Result<()> {
    let failed = |error: io::Error| {
        Error::other(format!("{} cannot be written: {error}.", folder.display()))
    };
    write_files(folder, files).map_err(failed)
}

fn write_files(folder: &Path, files: &[Rendered]) -> io::Result<()> {
    let made = !folder.exists();
    let above = folder.parent().unwrap_or(folder);
    // On the same file system as where it goes, and where the author may write.
    let aside = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(if made { above } else { folder })?;
    for file in files {
        let path = aside.path().join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, &file.text)?;
    }
    if made {
        let whole = aside.keep();
        open_to_all(&whole)?;
        return fs::rename(&whole, folder).inspect_err(|_| {
            // Nothing is left beside it.
            let _ = fs::remove_dir_all(&whole);
        });
    }
    let mut moved: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(aside.path())? {
        let entry = entry?;
        let to = folder.join(entry.file_name());
        if let Err(error) = fs::rename(entry.path(), &to) {
            for moved in moved {
                let _ = match moved.is_dir() {
                    true => fs::remove_dir_all(moved),
                    false => fs::remove_file(moved),
                };
            }
            return Err(error);
        }
        moved.push(to);
    }
    Ok(())
}

/// A folder of a temporary kind is its owner's alone; one of a project is as any other.
fn open_to_all(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // What the author's own umask makes of a folder.
        let probe = folder.join(".probe");
        fs::create_dir(&probe)?;
        let mode = fs::metadata(&probe)?.permissions().mode();
        fs::remove_dir(&probe)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(mode))?;
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> [Rendered; 2] {
        ["a/b.txt", "c.txt"].map(|path| Rendered {
            path: path.to_owned(),
            text: path.to_owned(),
        })
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_is_made_or_filled() {
        let above = tempfile::tempdir().unwrap();
        let made = above.path().join("made");
        check_empty(&made).unwrap();
        write(&made, &files()).unwrap();
        assert_eq!(names(above.path()), ["made"], "nothing is left aside");
        assert_eq!(names(&made), ["a", "c.txt"]);
        assert_eq!(fs::read_to_string(made.join("a/b.txt")).unwrap(), "a/b.txt");

        let filled = above.path().join("filled");
        fs::create_dir_all(filled.join(".git")).unwrap();
        check_empty(&filled).unwrap();
        write(&filled, &files()).unwrap();
        assert_eq!(names(&filled), [".git", "a", "c.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_made_is_as_open_as_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let above = tempfile::tempdir().unwrap();
        let (made, other) = (above.path().join("made"), above.path().join("other"));
        write(&made, &files()).unwrap();
        fs::create_dir(&other).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&made), mode(&other));
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let said = || {
            check_empty(folder.path())
                .unwrap_err()
                .sentence()
                .unwrap_or_default()
                .to_owned()
        };
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        assert!(said().contains("it has notes.txt;"), "{}", said());
        for number in 0..7 {
            fs::write(folder.path().join(format!("{number}")), "").unwrap();
        }
        assert!(said().contains("0, 1, 2, 3, 4 and 3 more"), "{}", said());
        let file = folder.path().join("notes.txt");
        let sentence = check_empty(&file).unwrap_err();
        assert!(
            sentence
                .sentence()
                .unwrap_or_default()
                .contains("is a file")
        );
        assert_eq!(fs::read_to_string(file).unwrap(), "mine");
    }
}
