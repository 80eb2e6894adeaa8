//! This program, as a client has to start it.

use std::path::{Component, Path, PathBuf};

/// The absolute path of this program, as text.
///
/// # Errors
/// It is not known, gone, or no text: a sentence.
pub(crate) fn path() -> Result<String, String> {
    let path = std::env::current_exe()
        .map_err(|error| format!("The path of this program is not known: {error}."))?;
    if !path.is_file() {
        return Err(format!(
            "{} is gone; run the program where it is now.",
            path.display()
        ));
    }
    path.into_os_string().into_string().map_err(|path| {
        format!(
            "{} is not UTF-8 text, which files of clients are.",
            path.display()
        )
    })
}

/// Why a program may not stay where it is, as what follows its path in a sentence.
pub(crate) fn doubt(path: &Path) -> Option<&'static str> {
    let names: Vec<_> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    let temporary = |folder: &PathBuf| path.starts_with(folder);
    let runner = |name: &&str| [".cache", "_npx", "Caches"].contains(name);
    if names.windows(2).any(|pair| pair == ["target", "debug"]) {
        Some("is a debug build, which 'cargo clean' removes")
    } else if [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()]
        .iter()
        .any(temporary)
    {
        Some("is in a folder for temporary files")
    } else if names.iter().any(runner) {
        Some("is in a cache, which is emptied now and then")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_gone_tomorrow_is_doubted() {
        for (path, said) in [
            ("/home/u/zebra/target/debug/zebra-2", "debug build"),
            ("/tmp/zebra-2", "temporary"),
            ("/home/u/.cache/uv/archive-v0/x/bin/zebra-2", "cache"),
            ("/home/u/.npm/_npx/1/node_modules/.bin/zebra-2", "cache"),
        ] {
            assert!(doubt(Path::new(path)).unwrap().contains(said), "{path}");
        }
        for path in [
            "/usr/local/bin/zebra-2",
            "/home/u/.cargo/bin/zebra-2",
            "/home/u/zebra/target/release/zebra-2",
        ] {
            assert_eq!(doubt(Path::new(path)), None, "{path}");
        }
    }
}
