//! A number modulo 10, as a circled digit: dark for odd numbers, light for even ones.

use pymcp_kit::{CacheHint, Ctx, ResourceTemplate, Result};
use schemars::JsonSchema;
use serde::Deserialize;

/// The variables of the URI.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Variables {
    /// The number whose modulus 10 is to be computed.
    #[schemars(range(min = 1, max = 1000))]
    number: u32,
}

const ODD: [char; 5] = ['❶', '❸', '❺', '❼', '❾'];
const EVEN: [char; 5] = ['⓪', '②', '④', '⑥', '⑧'];

/// The template, as clients see it.
pub fn template() -> ResourceTemplate {
    ResourceTemplate::new("data://modulo10/{number}", "resource_unicode_modulo10", modulo10)
        .title("Modulo 10")
        .description(
            "Computes the modulus 10 of a given number and returns a Unicode character representing the result.",
        )
        .mime_type("text/plain")
        .cache_hint(CacheHint::FIXED)
        .cached()
}

async fn modulo10(ctx: Ctx, Variables { number }: Variables) -> Result<String> {
    let (kind, signs) = if number % 2 == 1 {
        ("odd", ODD)
    } else {
        ("even", EVEN)
    };
    let sign = signs[(number % 10 / 2) as usize];
    ctx.info(format!(
        "{number} modulo 10 is {kind}, using the character {sign} to represent the modulus."
    ))
    .await;
    Ok(sign.to_string())
}

#[cfg(test)]
mod tests {
    use pymcp_kit::testing::Probe;

    use super::*;

    #[tokio::test]
    async fn every_number_has_its_sign() {
        let expected = ["⓪", "❶", "②", "❸", "④", "❺", "⑥", "❼", "⑧", "❾"];
        for number in 1..=1000 {
            let mut probe = Probe::new();
            let sign = probe
                .run(modulo10(probe.ctx(), Variables { number }))
                .await
                .unwrap();
            assert_eq!(sign, expected[(number % 10) as usize], "{number}");
        }
    }
}
