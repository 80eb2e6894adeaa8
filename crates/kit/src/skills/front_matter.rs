//! The YAML at the head of a `SKILL.md` (<https://agentskills.io/specification>).

use rmcp::model::{JsonObject, SkillFrontmatter};
use serde_json::Value;
use serde_saphyr::Options;
use serde_saphyr::options::{MergeKeyPolicy, NonFiniteFloatPolicy};

/// Bytes of the front matter.
const MAX_BYTES: usize = 64 << 10;

/// Characters of a description.
const MAX_DESCRIPTION: usize = 1024;

/// Reads the front matter of a `SKILL.md`: every field as it was written.
///
/// # Errors
/// What is wrong with it, to stand behind "in '…/SKILL.md'".
pub(super) fn read(skill_md: &[u8]) -> Result<SkillFrontmatter, String> {
    let text = std::str::from_utf8(skill_md).map_err(|_| "the text is not UTF-8")?;
    let yaml = cut(text).ok_or(
        "there is no front matter: the file has to begin with YAML between two lines '---'",
    )?;
    if yaml.len() > MAX_BYTES {
        return Err(format!("the front matter has more than {MAX_BYTES} bytes"));
    }
    let mut fields: JsonObject = serde_saphyr::from_str_with_options(yaml, options())
        .map_err(|error| format!("the front matter is not valid: {error}"))?;
    let name = text_field(&mut fields, "name")?;
    if !is_name(&name) {
        return Err(
            "'name' has to be 1 to 64 of the characters a-z 0-9 -, without '-' at an end or twice in a row"
                .into(),
        );
    }
    let description = text_field(&mut fields, "description")?;
    if description.chars().count() > MAX_DESCRIPTION {
        return Err(format!(
            "'description' has more than {MAX_DESCRIPTION} characters"
        ));
    }
    let reserved = |key: &&String| key.starts_with("io.modelcontextprotocol/");
    if let Some(Value::Object(metadata)) = fields.get("metadata")
        && let Some(key) = metadata.keys().find(reserved)
    {
        return Err(format!("'metadata' has the key '{key}', which is reserved"));
    }
    let mut front_matter = SkillFrontmatter::new(name, description);
    front_matter.extra = fields;
    Ok(front_matter)
}

/// The text between the lines `---`; a byte order mark before them is left out.
fn cut(text: &str) -> Option<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rest = text
        .strip_prefix("---\n")
        .or_else(|| text.strip_prefix("---\r\n"))?;
    let mut end = 0;
    for line in rest.split_inclusive('\n') {
        let is_end = line
            .strip_prefix("---")
            .is_some_and(|after| after.trim_matches([' ', '\t', '\r', '\n']).is_empty());
        if is_end {
            return Some(&rest[..end]);
        }
        end += line.len();
    }
    None
}

/// YAML 1.2, core schema, of one small document; what would make it mean more than it says
/// (aliases, merge keys, tags of one's own) is refused.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_depth: 16,
            max_nodes: 10_000,
            max_anchors: 0,
            max_aliases: 0,
        },
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        reject_unsupported_tags: true,
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    }
}

fn text_field(fields: &mut JsonObject, key: &str) -> Result<String, String> {
    match fields.shift_remove(key) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        Some(Value::String(_)) => Err(format!("'{key}' is empty")),
        Some(_) => Err(format!("'{key}' is not text; put it in quotes")),
        None => Err(format!("'{key}' is missing in the front matter")),
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=64).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}
