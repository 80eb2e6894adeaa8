//! Generates passwords: every valid one equally likely, none ever logged.

use pymcp_kit::model::ContentBlock;
use pymcp_kit::{Ctx, Effect, Result, Tool, ToolResult};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
const SPECIAL: &[u8] = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// What the password should be like.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Args {
    /// The length of the password to generate (between 8 and 64 characters).
    #[schemars(range(min = 8, max = 64))]
    length: usize,
    /// Include special characters in the password.
    use_special_chars: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            length: 12,
            use_special_chars: false,
        }
    }
}

/// The tool, as clients see it.
pub fn tool() -> Tool {
    Tool::new("generate_password", generate_password)
        .title("Generate password")
        .description("Generate a random password with specified length, optionally including special characters.")
        .tags(["password-generation", "example"])
        .read_only()
        .destructive(false)
        .idempotent(false)
        .open_world(false)
        .effects([Effect::Random])
}

async fn generate_password(ctx: Ctx, args: Args) -> Result<ToolResult> {
    ctx.require(&Effect::Random)?;
    let classes = classes(args.use_special_chars);
    let password = draw_valid(args.length, &classes)?;
    ctx.info("Generated password meets complexity requirements.")
        .await;
    let result = json!({ "result": password });
    let about = json!({
        "length_satisfied": password.len() == args.length,
        "character_set": String::from_utf8_lossy(&alphabet(&classes)),
        // Rejected drafts are an implementation detail that would only help a guesser.
        "generation_attempts": 1,
    });
    Ok(
        ToolResult::content([ContentBlock::text(result.to_string())])
            .structured(result)
            .meta("generate_password", about),
    )
}

/// Characters, and how many of them a password has at least.
type Class = (&'static [u8], usize);

fn classes(special: bool) -> Vec<Class> {
    let mut classes = vec![(LOWER, 1), (UPPER, 1), (DIGITS, 2)];
    if special {
        classes.push((SPECIAL, 1));
    }
    classes
}

fn alphabet(classes: &[Class]) -> Vec<u8> {
    classes
        .iter()
        .flat_map(|(characters, _)| *characters)
        .copied()
        .collect()
}

/// Draws whole passwords until one has enough of every class. Rejecting keeps all valid ones equally
/// likely, which placing the required characters first and shuffling would not.
fn draw_valid(length: usize, classes: &[Class]) -> Result<String> {
    let alphabet = alphabet(classes);
    let enough = |draft: &str, (characters, least): &Class| {
        draft
            .bytes()
            .filter(|byte| characters.contains(byte))
            .count()
            >= *least
    };
    loop {
        let draft = draw(length, &alphabet)?;
        if classes.iter().all(|class| enough(&draft, class)) {
            return Ok(draft);
        }
    }
}

fn draw(length: usize, alphabet: &[u8]) -> Result<String> {
    // The largest multiple of the alphabet's size: bytes beyond it would favour its start.
    let fair = 256 - 256 % alphabet.len();
    let mut draft = String::with_capacity(length);
    let mut random = [0; 64];
    while draft.len() < length {
        getrandom::fill(&mut random)?;
        let fair_bytes = random
            .iter()
            .map(|&byte| usize::from(byte))
            .filter(|&byte| byte < fair);
        draft.extend(
            fair_bytes
                .take(length - draft.len())
                .map(|byte| char::from(alphabet[byte % alphabet.len()])),
        );
    }
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use pymcp_kit::testing::Probe;

    use super::*;

    #[tokio::test]
    async fn every_password_has_every_class_and_the_length() {
        for special in [false, true] {
            for length in [8, 12, 64] {
                let mut probe = Probe::new();
                let args = Args {
                    length,
                    use_special_chars: special,
                };
                let result = probe
                    .run(generate_password(probe.ctx(), args))
                    .await
                    .unwrap();
                let password = result.structured.unwrap()["result"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                assert_eq!(password.len(), length);
                for (characters, least) in classes(special) {
                    assert!(
                        password
                            .bytes()
                            .filter(|byte| characters.contains(byte))
                            .count()
                            >= least
                    );
                }
                let said = format!("{:?}", probe.messages());
                assert!(!said.contains(&password));
            }
        }
    }

    /// χ² over the characters of many drafts: 61 degrees of freedom, so above 125 once in 10⁵ runs.
    #[test]
    fn characters_are_equally_likely() {
        let alphabet = alphabet(&classes(false));
        let mut counts = [0_u32; 256];
        let drafts = 4_000;
        for _ in 0..drafts {
            draw(62, &alphabet)
                .unwrap()
                .bytes()
                .for_each(|byte| counts[usize::from(byte)] += 1);
        }
        let expected = f64::from(drafts);
        let chi2: f64 = alphabet
            .iter()
            .map(|&byte| (f64::from(counts[usize::from(byte)]) - expected).powi(2) / expected)
            .sum();
        assert!(chi2 < 125.0, "{chi2}");
    }

    /// With a tiny alphabet all valid passwords can be counted: each must come about as often.
    #[test]
    fn valid_passwords_are_equally_likely() {
        let classes: [Class; 2] = [(b"ab", 1), (b"12", 2)];
        let mut counts = std::collections::HashMap::<String, f64>::new();
        let draws = 64_000;
        for _ in 0..draws {
            *counts.entry(draw_valid(4, &classes).unwrap()).or_default() += 1.0;
        }
        // Of 4⁴: 2⁴ without a digit, 4 · 2 · 2³ with one, 2⁴ of digits only.
        assert_eq!(counts.len(), 256 - 16 - 64 - 16);
        let expected = f64::from(draws) / 160.0;
        let chi2: f64 = counts
            .values()
            .map(|count| (count - expected).powi(2) / expected)
            .sum();
        // 159 degrees of freedom: above 250 once in 10⁵ runs.
        assert!(chi2 < 250.0, "{chi2}");
    }
}
