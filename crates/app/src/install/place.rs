//! Where the files of clients lie, by operating system and scope.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

/// Whose servers they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// One person's, in all their work.
    User,
    /// Those of the folder in which the verb runs.
    Project,
}

/// An operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Os {
    Linux,
    Macos,
    Windows,
}

impl Os {
    /// This one. Other systems than macOS and Windows have their files where Linux has them.
    pub(crate) const HERE: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::Macos
    } else {
        Self::Linux
    };
}

/// A folder that a path begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// The home folder.
    Home,
    /// The folder of configurations: `XDG_CONFIG_HOME` (XDG Base Directory Specification), or `.config` in the home folder.
    Config,
    /// `%APPDATA%` of Windows.
    AppData,
    /// The folder that a variable names, or else this one in the home folder.
    Variable(&'static str, &'static str),
}

/// A file of one person's: its root, and the path below.
pub(crate) type UserFile = (Root, &'static str);

/// One person's file, on each system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserFiles {
    pub(crate) linux: UserFile,
    pub(crate) macos: UserFile,
    pub(crate) windows: UserFile,
}

impl UserFiles {
    /// The same below the home folder everywhere.
    pub(crate) const fn home(path: &'static str) -> Self {
        Self::below(Root::Home, path)
    }

    /// The same everywhere.
    pub(crate) const fn below(root: Root, path: &'static str) -> Self {
        Self {
            linux: (root, path),
            macos: (root, path),
            windows: (root, path),
        }
    }

    pub(crate) fn on(&self, os: Os) -> UserFile {
        match os {
            Os::Linux => self.linux,
            Os::Macos => self.macos,
            Os::Windows => self.windows,
        }
    }

    /// How people write it: `~/.cursor/mcp.json`, `%APPDATA%\Code\User\mcp.json`.
    pub(crate) fn shown(&self, os: Os) -> String {
        let (root, path) = self.on(os);
        let root = match root {
            Root::Home => "~".to_owned(),
            Root::Config => "~/.config".to_owned(),
            Root::AppData => "%APPDATA%".to_owned(),
            Root::Variable(_, "") => "~".to_owned(),
            Root::Variable(_, folder) => format!("~/{folder}"),
        };
        let shown = format!("{root}/{path}");
        match os {
            Os::Windows => shown.replace('/', "\\"),
            _ => shown,
        }
    }
}

/// A file, and the folder that a link must not lead it out of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    pub(crate) root: PathBuf,
}

/// The folders of this machine, as the environment has them.
pub(crate) struct Folders<'a> {
    home: Option<PathBuf>,
    here: PathBuf,
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    os: Os,
}

impl Folders<'static> {
    /// Those of the process.
    ///
    /// # Errors
    /// The working directory is gone.
    pub(crate) fn of_process() -> std::io::Result<Self> {
        Ok(Self {
            home: std::env::home_dir(),
            here: std::env::current_dir()?,
            variable: &|name| std::env::var_os(name),
            os: Os::HERE,
        })
    }
}

impl Folders<'_> {
    /// A file of one person's.
    ///
    /// # Errors
    /// No folder of theirs is known, as a sentence.
    pub(crate) fn user(&self, files: &UserFiles) -> Result<Place, String> {
        let (root, path) = files.on(self.os);
        let named = |name: &str| (self.variable)(name).map(PathBuf::from);
        // The specification of these variables has a relative path ignored.
        let named = |name: &str| named(name).filter(|folder| folder.is_absolute());
        let home = || {
            let home = self.home.clone().filter(|home| home.is_absolute());
            home.ok_or(
                "Your home folder is not known; set HOME, or name the file with --config-path.",
            )
        };
        // A folder that a variable names may be anywhere, everything else belongs into the home folder.
        let (root, below) = match root {
            Root::Home => (home()?, ""),
            Root::Config => match named("XDG_CONFIG_HOME") {
                Some(named) => (named, ""),
                None => (home()?, ".config"),
            },
            Root::AppData => match named("APPDATA") {
                Some(named) => (named, ""),
                None => (home()?, "AppData/Roaming"),
            },
            Root::Variable(name, folder) => match named(name) {
                Some(named) => (named, ""),
                None => (home()?, folder),
            },
        };
        Ok(Place {
            path: root.join(below).join(path),
            root,
        })
    }

    /// A file of the working directory.
    pub(crate) fn project(&self, path: &str) -> Place {
        Place {
            path: self.here.join(path),
            root: self.here.clone(),
        }
    }

    /// A file that somebody named: a link in its folder may lead into the home folder, too.
    pub(crate) fn named(&self, path: &Path) -> Place {
        let path = self.here.join(path);
        let folder = path.parent().unwrap_or(&self.here).to_owned();
        let root = match &self.home {
            Some(home) if path.starts_with(home) => home.clone(),
            _ => folder,
        };
        Place { path, root }
    }
}

impl std::fmt::Debug for Folders<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folders")
            .field("home", &self.home)
            .field("here", &self.here)
            .finish_non_exhaustive()
    }
}

// Of all clients, which the verbs list.
#[cfg(all(test, feature = "verbs"))]
mod tests {
    use super::*;
    use crate::install::CLIENTS;

    fn folders<'a>(os: Os, variable: &'a dyn Fn(&str) -> Option<OsString>) -> Folders<'a> {
        Folders {
            home: Some("/home/u".into()),
            here: "/work".into(),
            variable,
            os,
        }
    }

    #[test]
    fn each_system_has_its_places() {
        let none = |_: &str| None;
        let found = |os| {
            let folders = folders(os, &none);
            let files = CLIENTS.iter().filter_map(|client| client.user.as_ref());
            files
                .map(|files| folders.user(files).unwrap().path.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            found(Os::Linux),
            [
                "/home/u/.config/Claude/claude_desktop_config.json",
                "/home/u/.claude.json",
                "/home/u/.config/Code/User/mcp.json",
                "/home/u/.cursor/mcp.json",
                "/home/u/.codeium/windsurf/mcp_config.json",
                "/home/u/.config/zed/settings.json",
                "/home/u/.gemini/settings.json",
                "/home/u/.codex/config.toml",
                "/home/u/.config/goose/config.yaml",
            ]
        );
        assert_eq!(
            found(Os::Macos)[..3],
            [
                "/home/u/Library/Application Support/Claude/claude_desktop_config.json",
                "/home/u/.claude.json",
                "/home/u/Library/Application Support/Code/User/mcp.json",
            ]
        );
        assert_eq!(
            found(Os::Windows)[8],
            "/home/u/AppData/Roaming/Block/goose/config/config.yaml"
        );
    }

    #[test]
    fn variables_move_places_if_they_are_absolute() {
        let set = |name: &str| match name {
            "XDG_CONFIG_HOME" => Some("/etc/me".into()),
            "CODEX_HOME" => Some("relative".into()),
            "CLAUDE_CONFIG_DIR" => Some("/claude".into()),
            _ => None,
        };
        let folders = folders(Os::Linux, &set);
        let of = |id: &str| {
            let client = crate::install::client::named(id).unwrap();
            folders.user(client.user.as_ref().unwrap()).unwrap().path
        };
        assert_eq!(of("zed"), Path::new("/etc/me/zed/settings.json"));
        assert_eq!(of("codex"), Path::new("/home/u/.codex/config.toml"));
        assert_eq!(of("claude-code"), Path::new("/claude/.claude.json"));
    }

    #[test]
    fn without_a_home_the_way_out_is_named() {
        let none = |_: &str| None;
        let folders = Folders {
            home: None,
            ..folders(Os::Linux, &none)
        };
        let said = folders.user(&UserFiles::home("x")).unwrap_err();
        assert!(said.contains("--config-path"), "{said}");
    }
}
