//! One component, as it is listed.

use pymcp_kit::component::{Effect, Settings};
use pymcp_kit::model::{JsonObject, ToolAnnotations};
use serde::Serialize;

use super::schema::{Field, Fields, fields};
use crate::limits_page::Shown as _;

/// Characters of a text that is shown.
pub(super) const MOST_TEXT: usize = 8000;

/// Characters of a first paragraph that are shown at once.
const MOST_FIRST: usize = 600;

/// Characters of a name or a title that is shown.
pub(super) const MOST_NAME: usize = 200;

/// What comes back from a tool.
pub(super) const RESULT: &str = "Result";

/// The one annotation that a person should not overlook.
const DESTRUCTIVE: &str = "destructive";

/// One component.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    /// Its anchor.
    pub(super) id: String,
    /// What clients call it.
    pub(super) name: String,
    /// What people call it, where that is something else.
    pub(super) title: String,
    pub(super) description: Text,
    /// What its author says of it, in two or three words each.
    pub(super) marks: Vec<Mark>,
    pub(super) schemas: Vec<Schema>,
}

/// A text of some length.
#[derive(Debug, Default, Serialize)]
pub(super) struct Text {
    /// Its first paragraph, or the beginning of that.
    pub(super) first: String,
    /// All that follows; empty for nothing.
    pub(super) rest: String,
}

/// A property of a component.
#[derive(Debug, Serialize)]
pub(super) struct Mark {
    /// `annotation`, `warning`, `effect`, or `fact`.
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// What goes in, or what comes out.
#[derive(Debug, Serialize)]
pub(super) struct Schema {
    pub(super) title: &'static str,
    /// Whether it goes in, so that what is required has to be sent.
    pub(super) is_input: bool,
    /// The outermost names, those that may be missing with a question mark.
    pub(super) signature: String,
    pub(super) fields: Vec<Field>,
    /// Whether there are more fields.
    pub(super) cut: bool,
}

impl Text {
    pub(super) fn of(text: &str) -> Self {
        let text = shortened(text.trim(), MOST_TEXT);
        let paragraph = text.find("\n\n").unwrap_or(text.len());
        let Some((most, _)) = text[..paragraph].char_indices().nth(MOST_FIRST) else {
            let (first, rest) = text.split_at(paragraph);
            return Self {
                first: first.to_owned(),
                rest: rest.trim_start().to_owned(),
            };
        };
        // Between two words, if there are two.
        let (first, rest) = text.split_at(text[..most].rfind(' ').unwrap_or(most));
        Self {
            first: format!("{first} …"),
            rest: format!("… {}", rest.trim_start()),
        }
    }
}

impl Item {
    pub(super) fn new(
        kind: &str,
        name: &str,
        title: Option<&str>,
        description: Option<&str>,
    ) -> Self {
        let title = title.filter(|title| !says_the_same(title, name));
        Self {
            id: anchor(kind, name),
            name: shortened(name, MOST_NAME),
            title: shortened(title.unwrap_or_default(), MOST_NAME),
            description: Text::of(description.unwrap_or_default()),
            marks: Vec::new(),
            schemas: Vec::new(),
        }
    }

    /// Bytes of all its texts.
    pub(super) fn weight(&self) -> usize {
        let fields = self.schemas.iter().flat_map(|schema| &schema.fields);
        let in_field = |field: &Field| {
            let facts = field.facts.iter().map(String::len).sum::<usize>();
            field.path.len() + field.kind.len() + field.description.len() + facts
        };
        let marks = self.marks.iter().map(|mark| mark.text.len()).sum::<usize>();
        let text = self.description.first.len() + self.description.rest.len();
        self.name.len() + self.title.len() + text + marks + fields.map(in_field).sum::<usize>()
    }

    fn mark(&mut self, kind: &'static str, text: impl Into<String>) {
        let text = text.into();
        self.marks.push(Mark { kind, text });
    }

    pub(super) fn fact(mut self, text: Option<&str>) -> Self {
        if let Some(text) = text {
            self.mark("fact", shortened(text, MOST_NAME));
        }
        self
    }

    pub(super) fn size(self, bytes: Option<u64>) -> Self {
        self.fact(bytes.map(size).as_deref())
    }

    /// What it says of itself that clients are told.
    pub(super) fn annotated(mut self, annotations: Option<&ToolAnnotations>) -> Self {
        let Some(annotations) = annotations else {
            return self;
        };
        let read_only = annotations.read_only_hint == Some(true);
        // What does not count for what changes nothing (`ToolAnnotations` of the specification).
        let of_changes = |hint: Option<bool>| hint.filter(|_| !read_only);
        for (hint, yes, no) in [
            (annotations.read_only_hint, "read-only", "makes changes"),
            (
                of_changes(annotations.destructive_hint),
                DESTRUCTIVE,
                "not destructive",
            ),
            (
                of_changes(annotations.idempotent_hint),
                "idempotent",
                "not idempotent",
            ),
            (annotations.open_world_hint, "open world", "closed world"),
        ] {
            match hint {
                Some(true) if yes == DESTRUCTIVE => self.mark("warning", yes),
                Some(hint) => self.mark("annotation", if hint { yes } else { no }),
                None => {}
            }
        }
        self
    }

    /// What it does, and what one use of it takes.
    pub(super) fn settings(mut self, settings: &Settings) -> Self {
        for effect in &settings.effects {
            self.mark("effect", words(effect));
        }
        if let Some(timeout) = settings.timeout {
            self.mark("fact", format!("may take {}", timeout.shown()));
        }
        self
    }

    pub(super) fn schema(mut self, title: &'static str, schema: Option<&JsonObject>) -> Self {
        let Fields { fields, cut } = schema.map(fields).unwrap_or_default();
        if fields.is_empty() {
            return self;
        }
        let outermost = fields
            .iter()
            .filter(|field| !field.path.contains(['.', '[']));
        let is_input = title != RESULT;
        let names = outermost.map(|field| match field.required || !is_input {
            true => field.path.clone(),
            false => format!("{}?", field.path),
        });
        let signature = shortened(&names.collect::<Vec<_>>().join(", "), MOST_NAME);
        let fields = fields.into_iter().map(|mut field| {
            field.path = shortened(&field.path, MOST_NAME);
            field.description = shortened(&field.description, MOST_TEXT);
            field
        });
        self.schemas.push(Schema {
            title,
            is_input,
            signature,
            fields: fields.collect(),
            cut,
        });
        self
    }
}

/// An effect in words. Where files are, and what the environment holds, is nobody's business.
fn words(effect: &Effect) -> String {
    match effect {
        Effect::AsksUser => "asks the user".to_owned(),
        Effect::UsesModel => "uses the client's model".to_owned(),
        Effect::Network(host) if host == "*" => "connects to any host".to_owned(),
        Effect::Network(host) => format!("connects to {host}"),
        Effect::RunsUntrustedCode => "runs code in a sandbox".to_owned(),
        Effect::ReadsFiles(_) => "reads files".to_owned(),
        Effect::WritesFiles(_) => "writes files".to_owned(),
        Effect::Environment(_) => "reads the environment".to_owned(),
        Effect::Spawns(_) => "runs programs".to_owned(),
        Effect::Random => "random".to_owned(),
        Effect::Clock => "depends on the time".to_owned(),
        _ => "other effects".to_owned(),
    }
}

/// Whether a title is its name in other letters: "Run Python code" and `run_python_code`.
fn says_the_same(title: &str, name: &str) -> bool {
    let letters = |text: &str| {
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect::<String>()
    };
    title.trim().is_empty() || letters(title) == letters(name)
}

/// How large something is, to one digit after the point.
fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1024 => return format!("{bytes} bytes"),
        1024..1_048_576 => (1024, "KiB"),
        _ => (1 << 20, "MiB"),
    };
    let tenths = bytes.saturating_mul(10) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// A name that a link can have as it is.
fn anchor(kind: &str, name: &str) -> String {
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || matches!(c, '_' | '.') => c,
        _ => '-',
    };
    let name: String = name.chars().take(MOST_NAME).map(plain).collect();
    format!("{kind}-{}", name.trim_matches('-'))
}

pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_paragraph_comes_first() {
        let split = |text: &str| {
            let Text { first, rest } = Text::of(text);
            (first, rest)
        };
        let pair = |first: &str, rest: &str| (first.to_owned(), rest.to_owned());
        assert_eq!(split(""), pair("", ""));
        assert_eq!(split("  Does it.\nWell. "), pair("Does it.\nWell.", ""));
        assert_eq!(
            split("Does it.\n\n\nMore:\n\n- a\n"),
            pair("Does it.", "More:\n\n- a")
        );
        let (first, rest) = split(&"é word ".repeat(200));
        assert!(
            first.ends_with("é word …") || first.ends_with("é …"),
            "{first}"
        );
        assert!(
            rest.starts_with("… ") && first.chars().count() <= MOST_FIRST + 2,
            "{rest}"
        );
    }

    #[test]
    fn a_title_that_says_no_more_than_the_name_is_left_out() {
        for (title, name, shown) in [
            ("Run Python code", "run_python_code", ""),
            ("greet", "greet", ""),
            (" ", "greet", ""),
            ("Web search", "text_web_search", "Web search"),
            ("漢", "字", "漢"),
        ] {
            assert_eq!(
                Item::new("tool", name, Some(title), None).title,
                shown,
                "{title}"
            );
        }
    }

    #[test]
    fn sizes_are_written_for_people() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (12_345, "12.0 KiB"),
            (1 << 20, "1.0 MiB"),
            (u64::MAX, "1759218604441.5 MiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn annotations_are_said_where_they_count() {
        let marks = |annotations: ToolAnnotations| {
            let item = Item::new("tool", "t", None, None).annotated(Some(&annotations));
            let mark = |mark: Mark| format!("{}: {}", mark.kind, mark.text);
            item.marks.into_iter().map(mark).collect::<Vec<_>>()
        };
        let all = ToolAnnotations::new().destructive(true).idempotent(false);
        let all = all.open_world(false);
        let said = [
            "warning: destructive",
            "annotation: not idempotent",
            "annotation: closed world",
        ];
        assert_eq!(marks(all.clone()), said);
        let said = ["annotation: read-only", "annotation: closed world"];
        assert_eq!(marks(all.read_only(true)), said);
        assert_eq!(marks(ToolAnnotations::new()), [""; 0]);
    }

    #[test]
    fn an_effect_tells_nobody_where_files_are() {
        let effects = [
            Effect::ReadsFiles("/srv/secret".into()),
            Effect::Network("api.example".into()),
        ];
        assert_eq!(
            effects.each_ref().map(words),
            ["reads files", "connects to api.example"]
        );
    }

    #[test]
    fn an_anchor_is_plain_and_what_is_long_is_cut() {
        assert_eq!(anchor("tool", "greet"), "tool-greet");
        assert_eq!(
            anchor("resource", "data://a b/\"<é>"),
            "resource-data---a-b"
        );
        let long = "x".repeat(MOST_TEXT * 2);
        let item = Item::new("tool", &long, Some(&long), Some(&long));
        assert!(item.name.chars().count() == MOST_NAME + 1 && item.name.ends_with('…'));
        assert!(
            item.weight() < MOST_TEXT + 2 * MOST_NAME,
            "{}",
            item.weight()
        );
    }
}
