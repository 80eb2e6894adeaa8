//! Reads a folder of skills, once and within bounds.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use rmcp::model::SKILL_MD;

use crate::reason::reason;

/// Folders below the one that is read.
const MAX_DEPTH: usize = 8;

/// Files that are read.
const MAX_FILES: usize = 1000;

/// Folders, and files outside every skill: what is looked at without being read.
const MAX_ENTRIES: usize = 1000;

/// Bytes of one file.
const MAX_FILE: u64 = 1 << 20;

/// Bytes of all files.
const MAX_BYTES: usize = 16 << 20;

/// What was found: the folders that are skills, lie in one, or lead to one; parents first.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) folders: Vec<Folder>,
    files: usize,
    entries: usize,
    bytes: usize,
}

/// A folder, without those inside it.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// The names that lead to it, with `/` between them.
    pub(super) path: String,
    /// The names of the folders in it.
    pub(super) folders: Vec<String>,
    /// The files in it, by name; none outside a skill.
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

/// # Errors
/// Why something in it cannot be served; the path in it is relative to `root`.
pub(super) fn read(root: &Path) -> Result<Tree, String> {
    let mut tree = Tree::default();
    let listing = list(root, "")?;
    if listing.contains_key(SKILL_MD) {
        return Err(format!(
            "it has a '{SKILL_MD}' itself; name the folder that holds the folder of the skill"
        ));
    }
    for (name, kind) in listing {
        if kind == Kind::Folder {
            tree.walk(&root.join(&name), name, 1, false)?;
        }
    }
    Ok(tree)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    File,
}

impl Tree {
    /// Reads one folder; whether it belongs to a skill or leads to one.
    fn walk(
        &mut self,
        dir: &Path,
        path: String,
        depth: usize,
        inside: bool,
    ) -> Result<bool, String> {
        if depth > MAX_DEPTH {
            return Err(format!(
                "'{path}' lies more than {MAX_DEPTH} folders deep; move it up"
            ));
        }
        let listing = list(dir, &path)?;
        let inside = inside || listing.get(SKILL_MD) == Some(&Kind::File);
        let place = self.folders.len();
        self.folders.push(Folder {
            path: path.clone(),
            ..Folder::default()
        });
        let mut kept = inside;
        for (name, kind) in listing {
            let below = format!("{path}/{name}");
            if kind == Kind::File && inside {
                let bytes = self.read_file(&dir.join(&name), &below)?;
                self.folders[place].files.insert(name, bytes);
                continue;
            }
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(format!(
                    "it has more than {MAX_ENTRIES} folders and files outside skills"
                ));
            }
            if kind == Kind::Folder && self.walk(&dir.join(&name), below, depth + 1, inside)? {
                self.folders[place].folders.push(name);
                kept = true;
            }
        }
        if !kept {
            // Nothing below it was kept either, so it is the last one.
            self.folders.truncate(place);
        }
        Ok(kept)
    }

    fn read_file(&mut self, file: &Path, path: &str) -> Result<Vec<u8>, String> {
        self.files += 1;
        if self.files > MAX_FILES {
            return Err(format!("its skills have more than {MAX_FILES} files"));
        }
        let mut bytes = Vec::new();
        fs::File::open(file)
            .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
            .map_err(|error| format!("'{path}' cannot be read ({})", reason(&error)))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE) {
            return Err(format!(
                "'{path}' has more than {MAX_FILE} bytes; make it smaller or leave it out"
            ));
        }
        self.bytes += bytes.len();
        match self.bytes > MAX_BYTES {
            true => Err(format!("its skills have more than {MAX_BYTES} bytes")),
            false => Ok(bytes),
        }
    }
}

/// What a folder holds, by name, without what is hidden.
fn list(dir: &Path, path: &str) -> Result<BTreeMap<String, Kind>, String> {
    let unreadable = |error: std::io::Error| match path {
        "" => format!("it cannot be read ({})", reason(&error)),
        path => format!("'{path}' cannot be read ({})", reason(&error)),
    };
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // `Debug` escapes what a terminal must not get.
        let shown = format!("{:?}", Path::new(path).join(&name));
        let Ok(name) = name.into_string() else {
            return Err(format!(
                "the name of {shown} is not UTF-8; give it another one"
            ));
        };
        if name.chars().any(char::is_control) {
            return Err(format!(
                "the name of {shown} has control characters; give it another one"
            ));
        }
        // Of the entry itself: a link is not followed.
        let kind = entry.file_type().map_err(unreadable)?;
        let kind = match (kind.is_dir(), kind.is_file()) {
            (true, _) => Kind::Folder,
            (_, true) => Kind::File,
            _ if kind.is_symlink() => {
                return Err(format!(
                    "{shown} is a symbolic link, which is not followed; copy what it points to"
                ));
            }
            _ => return Err(format!("{shown} is neither a file nor a folder")),
        };
        if found.len() == MAX_ENTRIES + MAX_FILES {
            return Err(format!("'{path}' has too many entries"));
        }
        found.insert(name, kind);
    }
    Ok(found)
}
