//! Which components a server has: `--profile`, `--enable`, `--disable`, and the profiles of the configuration file.
//!
//! | file | what it does |
//! | --- | --- |
//! | `entry` | one entry of a list, and what it means among the components of a server |
//! | `profiles` | the profiles of the configuration file, and which of them count |
//!
//! There is one rule: a component is on if the profile, `--enable` and `--disable` all let it. Each of them only takes
//! away, so nothing switches on what another one leaves out. A list `enable` lets what is in it, a list `disable` what is
//! not in it. What is let is found once, before the server is built; the kit asks the same of what is added later.

mod entry;
mod profiles;
#[cfg(test)]
mod tests;

use clap::Args;
use pymcp_kit::component::{Effects, Registry, Settings};
use pymcp_kit::{Kind, ServerBuilder};
use serde_json::{Value, json};

use self::entry::{Entry, listed};
use self::profiles::Step;
use crate::{Error, Result};

pub(crate) use self::profiles::{FULL, Profile, Profiles, SAFE, is_name};

/// Heading of `--help-all`.
const COMPONENTS: &str = "Components";

/// The effects that components of the profile `safe` may have: those that reach nobody but the client. All others, also
/// those that are invented later, are left out.
const SAFE_EFFECTS: [&str; 4] = ["asks-user", "uses-model", "random", "clock"];

/// Names of what is off that are logged one by one.
const MAX_NAMED: usize = 20;

/// Which components there are.
#[derive(Debug, Clone, Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct SelectionSettings {
    /// Which components there are: full (all of them), safe (those that use no network, files, environment, programs or
    /// untrusted code), or a profile of the configuration file.
    ///
    /// A profile is a table [profiles.NAME] with lists `enable` and `disable`, and `extends` for the profile that it begins
    /// with. A component is there if the profile, --enable and --disable all let it.
    #[arg(long, default_value = FULL, value_name = "NAME", value_parser = profile, hide_short_help = true, help_heading = COMPONENTS)]
    pub(crate) profile: String,

    /// The only components that there are, comma-separated: names of tools and prompts, URIs and URI templates of
    /// resources, tag:WORD, effect:KIND.
    ///
    /// A name that means several things is written tool:NAME, prompt:NAME, resource:URI, template:URI or tag:WORD. Nothing is
    /// enabled that the profile leaves out.
    #[arg(long, value_name = "LIST", value_parser = words, hide_short_help = true, help_heading = COMPONENTS)]
    pub(crate) enable: Option<Words>,

    /// Components that there are not, written as in --enable. They are in no list, and nobody can use them.
    #[arg(long, value_name = "LIST", value_parser = words, hide_short_help = true, help_heading = COMPONENTS)]
    pub(crate) disable: Option<Words>,

    /// The profiles of the configuration file.
    #[arg(skip)]
    pub(crate) profiles: Profiles,
}

/// Entries of a list, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words(Vec<String>);

/// The name of a profile; whether there is one is known when the configuration file was read.
fn profile(text: &str) -> Result<String, String> {
    let name = text.trim();
    match is_name(name) {
        true => Ok(name.to_owned()),
        false => Err(format!(
            "{FULL}, {SAFE} or a profile of the file of --config"
        )),
    }
}

/// The entries of a list with commas between. A comma in the braces of a URI template separates nothing.
fn words(text: &str) -> Result<Words, String> {
    let mut depth = 0_usize;
    let separates = |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    let words: Vec<_> = text
        .split(separates)
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    match words.is_empty() {
        false => Ok(Words(words)),
        true => Err("a comma-separated list of names, URIs, tag:WORD and effect:KIND".into()),
    }
}

/// The components of a registry: kind, name and what their author says of them.
pub(crate) fn each(registry: &Registry) -> Vec<(Kind, &str, &Settings)> {
    let tools = registry.tools();
    let tools = tools.map(|one| (Kind::Tool, one.name(), one.settings()));
    let resources = registry.resources();
    let resources = resources.map(|one| (Kind::Resource, one.uri(), one.settings()));
    let templates = registry.templates();
    let templates = templates.map(|one| (Kind::Template, one.uri_template(), one.settings()));
    let prompts = registry.prompts();
    let prompts = prompts.map(|one| (Kind::Prompt, one.name(), one.settings()));
    tools
        .chain(resources)
        .chain(templates)
        .chain(prompts)
        .collect()
}

fn is_safe(effects: &Effects) -> bool {
    effects.iter().all(|one| SAFE_EFFECTS.contains(&one.kind()))
}

/// One of what a component has to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Layer {
    Safe,
    Lists {
        /// What it lets; everything without one.
        enable: Option<Vec<Entry>>,
        disable: Vec<Entry>,
    },
}

impl Layer {
    fn lets(&self, kind: Kind, name: &str, settings: &Settings) -> bool {
        let is_in = |list: &[Entry]| list.iter().any(|one| one.means(kind, name, settings));
        match self {
            Self::Safe => is_safe(&settings.effects),
            Self::Lists { enable, disable } => {
                enable.as_ref().is_none_or(|list| is_in(list)) && !is_in(disable)
            }
        }
    }

    /// As the manifest has it.
    fn value(&self) -> Value {
        let written = |list: &[Entry]| -> Value { list.iter().map(Entry::to_string).collect() };
        match self {
            Self::Safe => json!({ "effects": SAFE_EFFECTS }),
            Self::Lists { enable, disable } => {
                let mut value = json!({ "disable": written(disable) });
                if let Some(list) = enable {
                    value["enable"] = written(list);
                }
                value
            }
        }
    }
}

/// Which components there are, of those of one server.
#[derive(Debug, Clone)]
pub(crate) struct Selected {
    /// The profile's name.
    pub(crate) profile: String,
    layers: Vec<Layer>,
    /// What is off, in the unambiguous way to write it.
    pub(crate) off: Vec<String>,
    /// How many components there were.
    pub(crate) of: usize,
}

impl SelectionSettings {
    /// Takes the profiles of the configuration file.
    ///
    /// # Errors
    /// The profile that was asked for is not there.
    pub(crate) fn with(&mut self, profiles: &Profiles) -> Result<()> {
        self.profiles = profiles.clone();
        self.profiles.chain(&self.profile).map(drop)
    }

    /// What is set, in a few words, if anything is.
    pub(crate) fn set(&self) -> Option<String> {
        let mut words = vec![self.profile.clone()];
        words.extend(self.enable.is_some().then(|| "--enable".to_owned()));
        words.extend(self.disable.is_some().then(|| "--disable".to_owned()));
        (words != [FULL]).then(|| listed(&words, "and"))
    }

    /// What the settings mean among the components that an author wrote.
    ///
    /// # Errors
    /// An entry means nothing or several things, or is to enable what the profile leaves out.
    pub(crate) fn resolve(&self, registry: &Registry) -> Result<Selected> {
        let all = each(registry);
        let mut layers = Vec::new();
        // What is on so far, with the name of what leaves out the rest.
        let mut before = "the profile".to_owned();
        for step in self.profiles.chain(&self.profile)? {
            match step {
                Step::Safe => {
                    layers.push(Layer::Safe);
                    before = format!("the profile {SAFE}");
                }
                Step::Named(name, profile) => {
                    let list = |key: &str, list: &Option<(Vec<String>, usize)>| {
                        let (words, line) = list.as_ref()?;
                        let place = self.profiles.place(*line);
                        let what = format!("{place}: {key} of [profiles.{name}]");
                        Some(entries(&what, words, registry).map(|entries| (what, entries)))
                    };
                    let enable = list("enable", &profile.enable).transpose()?;
                    if let Some((what, entries)) = &enable {
                        reaches(what, entries, &before, &layers, &all)?;
                    }
                    let disable = list("disable", &profile.disable).transpose()?;
                    layers.push(Layer::Lists {
                        enable: enable.map(|(_, entries)| entries),
                        disable: disable.map(|(_, entries)| entries).unwrap_or_default(),
                    });
                    before = format!("the profile {name}");
                }
            }
        }
        let list = |flag: &str, list: &Option<Words>| {
            let words = list.as_ref().map(|Words(words)| words);
            words
                .map(|words| entries(flag, words, registry))
                .transpose()
        };
        let enable = list("--enable", &self.enable)?;
        if let Some(entries) = &enable {
            reaches("--enable", entries, &before, &layers, &all)?;
        }
        let disable = list("--disable", &self.disable)?;
        if enable.is_some() || disable.is_some() {
            layers.push(Layer::Lists {
                enable,
                disable: disable.unwrap_or_default(),
            });
        }
        let off = all
            .iter()
            .filter(|(kind, name, settings)| !lets(&layers, *kind, name, settings))
            .map(|(kind, name, _)| Entry::Component(*kind, (*name).to_owned()).to_string());
        Ok(Selected {
            profile: self.profile.clone(),
            off: off.collect(),
            of: all.len(),
            layers,
        })
    }

    /// The server with what is selected, which the log says.
    ///
    /// # Errors
    /// As [`SelectionSettings::resolve`].
    pub(super) fn apply(&self, server: ServerBuilder) -> Result<ServerBuilder> {
        let selected = self.resolve(server.registry())?;
        selected.announce();
        let server = server.configuration("profile", selected.value());
        Ok(match selected.layers.is_empty() {
            true => server,
            false => server
                .retain(move |kind, name, settings| lets(&selected.layers, kind, name, settings)),
        })
    }
}

fn lets(layers: &[Layer], kind: Kind, name: &str, settings: &Settings) -> bool {
    layers.iter().all(|one| one.lets(kind, name, settings))
}

/// The entries of a list, which sentences call `what`.
fn entries(what: &str, words: &[String], registry: &Registry) -> Result<Vec<Entry>> {
    let resolved = words.iter().map(|word| {
        entry::resolve(word, registry).map_err(|refused| {
            let word = crate::sources::shown(word);
            let error = Error::setting(format!("{what} has '{word}', {}", refused.reason));
            match refused.hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    });
    resolved.collect()
}

/// Refuses an entry of a list of what is to be on, all of which is off already.
fn reaches(
    what: &str,
    entries: &[Entry],
    before: &str,
    layers: &[Layer],
    all: &[(Kind, &str, &Settings)],
) -> Result<()> {
    for entry in entries {
        let mut meant = all
            .iter()
            .filter(|(kind, name, settings)| entry.means(*kind, name, settings))
            .peekable();
        if meant.peek().is_some()
            && !meant.any(|(kind, name, settings)| lets(layers, *kind, name, settings))
        {
            let entry = crate::sources::shown(&entry.to_string());
            return Err(Error::setting(format!(
                "{what} has '{entry}', which {before} leaves out, and what a profile leaves out cannot be enabled beside it; \
                 use another profile."
            )));
        }
    }
    Ok(())
}

impl Selected {
    /// Says in the log what is off.
    fn announce(&self) {
        match self.off.len() {
            0 => {}
            off if off == self.of => tracing::warn!("{self}: no component is left"),
            _ => tracing::info!("{self}"),
        }
    }

    /// Whether anything is asked of components.
    pub(crate) fn is_selective(&self) -> bool {
        !self.layers.is_empty()
    }

    /// The profile's name, with how many components are off.
    pub(crate) fn told(&self) -> String {
        self.to_string().replacen("profile ", "", 1)
    }

    /// The selection as the manifest has it among what is configured: by what each layer lets.
    pub(crate) fn value(&self) -> Value {
        let layers: Vec<_> = self.layers.iter().map(Layer::value).collect();
        json!({ "name": self.profile, "layers": layers })
    }
}

impl std::fmt::Display for Selected {
    /// `profile safe, 2 of 9 components are off: tool:a, tool:b`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (off, of) = (self.off.len(), self.of);
        write!(f, "profile {}", self.profile)?;
        if off == 0 {
            return Ok(());
        }
        write!(f, ", {off} of {of} components are off: ")?;
        let named = self.off.iter().take(MAX_NAMED);
        let mut named: Vec<_> = named.map(|it| crate::sources::shown(it)).collect();
        if let more @ 1.. = off.saturating_sub(MAX_NAMED) {
            named.push(format!("{more} more"));
        }
        f.write_str(&listed(&named, "and"))
    }
}
