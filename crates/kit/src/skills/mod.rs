//! Skills: folders of instructions for models, served as resources (extension
//! `io.modelcontextprotocol/skills`, SEP-2640).
//!
//! | file | what it does |
//! | --- | --- |
//! | `folder` | reads a folder, once and within bounds |
//! | `front_matter` | the YAML at the head of a `SKILL.md` |
//!
//! All of it is read at start. A request only looks a URI up among those that were found then, so
//! there is no path in it that could lead anywhere else.

mod folder;
mod front_matter;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use rmcp::model::{
    DIRECTORY_MIME_TYPE, MetaObject, Resource as Definition, ResourceContents, SKILL_MD,
    SKILLS_EXTENSION_ID, Skill, SkillFrontmatter, SkillResource, SkillResources,
};
use serde_json::{Value, json};

use crate::build_error::BuildError;
use crate::component::{CacheHint, Check, Resource, normalize};
use crate::error::Error;
use crate::media_type;

use folder::{Folder, Tree};

/// Skills that one folder may hold.
const MAX_SKILLS: usize = 256;

/// Files of one skill (SEP-2640 "Limits"): every host takes that many.
const MAX_FILES_OF_SKILL: usize = 512;

/// The skills of a folder, read into memory.
///
/// A folder is a skill when it holds a `SKILL.md`, which begins with YAML front matter between two
/// lines `---` with at least `name` (that of the folder) and `description`. Skills may stand in
/// folders (`acme/billing/refunds`) and in other skills. Everything inside a skill is served at
/// `skill://<path>/<file>`: UTF-8 as text, anything else as bytes. Files outside every skill are
/// left out, and so is what begins with a dot.
///
/// Bounds: 256 skills, 1,000 files and as many folders, 512 files a skill, 1 MiB a file, 16 MiB in
/// all, 8 folders deep. Symbolic links, and whatever is neither a file nor a folder, are refused.
#[derive(Debug)]
pub struct Skills {
    entries: Vec<Skill>,
    by_uri: HashMap<String, usize>,
    files: Vec<File>,
    directories: BTreeMap<String, Vec<Definition>>,
}

/// One file, ready to be served.
#[derive(Debug)]
struct File {
    definition: Definition,
    contents: Arc<ResourceContents>,
}

impl Skills {
    /// The identifier of the extension, for the server's capabilities.
    pub const EXTENSION: &str = SKILLS_EXTENSION_ID;

    /// How long clients may keep the answers: until another program is started.
    pub const HINT: CacheHint = CacheHint::FIXED;

    /// Reads the skills in a folder; see [`Skills`] for what it may hold.
    ///
    /// # Errors
    /// The first file that cannot be served, and why.
    pub fn read_folder(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        let path = path.as_ref();
        folder::read(path).and_then(Self::of).map_err(|why| {
            BuildError(format!(
                "The skills in '{}' cannot be served: {why}.",
                path.display()
            ))
        })
    }

    fn of(tree: Tree) -> Result<Self, String> {
        let mut front_matter = BTreeMap::new();
        for folder in &tree.folders {
            if let Some(skill_md) = folder.files.get(SKILL_MD) {
                let read = front_matter_of(folder, skill_md)
                    .map_err(|why| format!("in '{}/{SKILL_MD}' {why}", folder.path))?;
                front_matter.insert(folder.path.clone(), read);
            }
        }
        if front_matter.is_empty() {
            return Err(format!("no folder in it has a '{SKILL_MD}'"));
        }
        if front_matter.len() > MAX_SKILLS {
            return Err(format!("there are more than {MAX_SKILLS} skills"));
        }
        warn_of_equal_names(&front_matter);

        let mut skills = Self {
            entries: Vec::new(),
            by_uri: HashMap::new(),
            files: Vec::new(),
            directories: BTreeMap::new(),
        };
        let mut manifest = BTreeMap::new();
        for folder in tree.folders {
            let directory = uri(&folder.path);
            let mut children: Vec<Definition> = folder
                .folders
                .iter()
                .map(|name| directory_definition(&folder.path, name))
                .collect();
            for (name, bytes) in folder.files {
                let path = format!("{}/{name}", folder.path);
                manifest.insert(path.clone(), SkillResource::from_bytes(uri(&path), &bytes));
                let skill = (name == SKILL_MD)
                    .then(|| front_matter.get(&folder.path))
                    .flatten();
                let file = File::new(&path, name, bytes, skill);
                children.push(file.definition.clone());
                skills.files.push(file);
            }
            children.sort_by(|a, b| a.uri.cmp(&b.uri));
            skills.directories.insert(directory, children);
        }
        for (path, front_matter) in front_matter {
            skills.add(&path, front_matter, &manifest)?;
        }
        Ok(skills)
    }

    fn add(
        &mut self,
        path: &str,
        front_matter: SkillFrontmatter,
        manifest: &BTreeMap<String, SkillResource>,
    ) -> Result<(), String> {
        let inside = format!("{path}/");
        let uri = uri(&format!("{path}/{SKILL_MD}"));
        // Files of skills inside are files of this one, too (SEP-2640 "Nested Skills").
        let (own, others): (Vec<_>, Vec<_>) = manifest
            .iter()
            .filter(|(path, _)| path.starts_with(&inside))
            .map(|(_, file)| file.clone())
            .partition(|file| file.uri == uri);
        let files: Vec<_> = own.into_iter().chain(others).collect();
        if files.len() > MAX_FILES_OF_SKILL {
            return Err(format!(
                "the skill '{path}' has more than {MAX_FILES_OF_SKILL} files"
            ));
        }
        let skill = Skill::new(uri.clone(), front_matter, SkillResources::Files(files));
        skill.validate().map_err(|why| why.to_string())?;
        self.by_uri.insert(uri, self.entries.len());
        self.entries.push(skill);
        Ok(())
    }

    /// The same without the files of whose URIs `keeps` says no, and without what needs them: a skill its `SKILL.md`, a
    /// folder a file below it. `None` when no skill is left.
    pub(crate) fn retained(mut self, keeps: impl Fn(&str) -> bool) -> Option<Self> {
        self.files.retain(|file| keeps(&file.definition.uri));
        self.entries.retain(|skill| keeps(&skill.uri));
        for skill in &mut self.entries {
            if let SkillResources::Files(files) = &mut skill.resources {
                files.retain(|file| keeps(&file.uri));
            }
        }
        let skills = self.entries.iter().enumerate();
        self.by_uri = skills.map(|(at, one)| (one.uri.clone(), at)).collect();
        let holds = |folder: &str| {
            let inside = format!("{folder}/");
            let mut files = self.files.iter();
            files.any(|file| file.definition.uri.starts_with(&inside))
        };
        self.directories.retain(|folder, _| holds(folder));
        for children in self.directories.values_mut() {
            children.retain(|child| keeps(&child.uri) || holds(&child.uri));
        }
        (!self.entries.is_empty()).then_some(self)
    }

    /// The settings of the extension, for the server's capabilities.
    pub fn settings() -> Value {
        json!({ "directoryRead": true })
    }

    /// What `skills/list` and `skills/get` tell of each skill, by path.
    pub fn entries(&self) -> &[Skill] {
        &self.entries
    }

    /// The files of all skills as resources, by path; what is read does not change and is the same
    /// for everybody.
    pub fn resources(&self) -> impl Iterator<Item = Resource> {
        self.files.iter().map(File::resource)
    }

    /// The folders that `resources/directory/read` knows, with their direct children.
    pub fn directories(&self) -> impl Iterator<Item = (&str, &[Definition])> {
        self.directories
            .iter()
            .map(|(uri, children)| (uri.as_str(), children.as_slice()))
    }

    /// Bytes of JSON that the largest of the files takes in a result: what the server's
    /// [`CallLimits::result_bytes`](crate::CallLimits) has to leave room for.
    pub fn largest_read(&self) -> usize {
        let bytes = |file: &File| serde_json::to_vec(&*file.contents).map_or(0, |json| json.len());
        self.files.iter().map(bytes).max().unwrap_or_default()
    }

    /// The result of `skills/list`, all in one page, without what every result of an era carries.
    pub fn list(&self) -> Value {
        json!({ "skills": self.entries })
    }

    /// The result of `skills/get` for the URI of a `SKILL.md`, likewise; `None` when there is no
    /// such skill.
    pub fn get(&self, uri: &str) -> Option<Value> {
        let index = self.by_uri.get(&*normalize(uri))?;
        Some(json!({ "skill": self.entries.get(*index)? }))
    }

    /// The result of `resources/directory/read` for the URI of a folder (without a slash at its
    /// end), likewise; `None` when it is not one.
    pub fn directory(&self, uri: &str) -> Option<Value> {
        let children = self.directories.get(&*normalize(uri))?;
        Some(json!({ "resources": children }))
    }
}

impl File {
    fn new(path: &str, name: String, bytes: Vec<u8>, skill: Option<&SkillFrontmatter>) -> Self {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let contents = contents(uri(path), bytes);
        let text = matches!(contents, ResourceContents::TextResourceContents { .. });
        let media_type = media_type::of(&name, text);
        let mut definition = Definition::new(uri(path), name)
            .with_mime_type(media_type)
            .with_size(size);
        if let Some(skill) = skill {
            definition.name.clone_from(&skill.name);
            definition.description = Some(skill.description.clone());
        }
        Self {
            definition,
            contents: Arc::new(contents.with_mime_type(media_type)),
        }
    }

    fn resource(&self) -> Resource {
        let contents = Arc::clone(&self.contents);
        let read = move |_| {
            let contents = ResourceContents::clone(&contents);
            async move { Ok::<_, Error>(vec![contents]) }
        };
        let mut resource = Resource::new(self.definition.uri.clone(), "", read);
        resource.definition = self.definition.clone();
        // Nothing but keys with a prefix may stand there (SEP-2640 "Resource Metadata").
        resource.definition.meta = Some(MetaObject::new());
        // Files other than the skill itself have none.
        resource
            .cache_hint(Skills::HINT)
            .allow(Check::MissingDescription)
    }
}

/// As text where it is text, else as bytes.
fn contents(uri: String, bytes: Vec<u8>) -> ResourceContents {
    use base64::Engine as _;
    let bytes = match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => return ResourceContents::text(text, uri),
        Ok(text) => text.into_bytes(),
        Err(error) => error.into_bytes(),
    };
    let blob = base64::engine::general_purpose::STANDARD.encode(bytes);
    ResourceContents::blob(blob, uri)
}

fn front_matter_of(folder: &Folder, skill_md: &[u8]) -> Result<SkillFrontmatter, String> {
    let front_matter = front_matter::read(skill_md)?;
    let folder = folder.path.rsplit('/').next().unwrap_or_default();
    match front_matter.name == folder {
        true => Ok(front_matter),
        false => Err(format!(
            "'name' is '{}', but it has to be the folder's own name, '{folder}'",
            front_matter.name
        )),
    }
}

/// Names should differ, but need not (SEP-2640 "Names").
fn warn_of_equal_names(front_matter: &BTreeMap<String, SkillFrontmatter>) {
    let mut seen = HashMap::new();
    for (path, front_matter) in front_matter {
        if let Some(other) = seen.insert(&front_matter.name, path) {
            tracing::warn!("the skills '{other}' and '{path}' have the same name");
        }
    }
}

fn directory_definition(parent: &str, name: &str) -> Definition {
    Definition::new(uri(&format!("{parent}/{name}")), name).with_mime_type(DIRECTORY_MIME_TYPE)
}

/// `skill://` and the path, with what must not stand in a segment of it escaped (RFC 3986 §3.3;
/// the first one is an authority, §3.2.2).
fn uri(path: &str) -> String {
    use std::fmt::Write as _;
    let mut uri = String::from("skill://");
    let mut first = true;
    for byte in path.bytes() {
        first &= byte != b'/';
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => uri.push(byte.into()),
            _ if b"-._~!$&'()*+,;=/".contains(&byte) => uri.push(byte.into()),
            b':' | b'@' if !first => uri.push(byte.into()),
            // Writing to a string cannot fail.
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests;
