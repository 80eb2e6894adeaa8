//! What a token says, before anybody has verified it: for its owner, who gave it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A JSON Web Token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Token {
    /// Reads it; none for what is no JSON Web Token.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (header, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let object = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            let value: Value = serde_json::from_slice(&bytes).ok()?;
            value.is_object().then_some(value)
        };
        Some(Self {
            header: object(header)?,
            claims: object(claims)?,
        })
    }

    /// A claim that is text.
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.claims[claim].as_str()
    }

    /// Who issued it.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// What it is for.
    pub(crate) fn audiences(&self) -> Vec<String> {
        words(&self.claims["aud"])
    }

    /// What it allows, of `scope` and `scp`.
    pub(crate) fn scopes(&self) -> Vec<String> {
        let both = [&self.claims["scope"], &self.claims["scp"]];
        let all = both.into_iter().flat_map(words);
        all.flat_map(|words| {
            words
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
    }
}

/// One text or several.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => several
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_has_three_parts_of_which_two_are_objects() {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({ "iss": "i", "aud": ["a", "b"], "scp": "x y", "scope": "z" });
        let text = format!("{}.{}.AAAA", part(json!({ "alg": "ES256" })), part(claims));
        let token = Token::read(&text).unwrap();
        assert_eq!(
            (token.issuer(), token.audiences()),
            (Some("i"), vec!["a".into(), "b".into()])
        );
        assert_eq!(token.scopes(), ["z", "x", "y"]);
        for bad in [
            "",
            "a.b",
            "opaque",
            "e30.e30",
            &format!("{text}.x"),
            "W10.e30.AA",
        ] {
            assert_eq!(Token::read(bad), None, "{bad}");
        }
    }
}
