//! Where an issuer publishes its keys: RFC 8414, and OpenID Connect Discovery 1.0.

use super::config::is_url;
use crate::wire;

/// How deep a document of an issuer is nested, and how many values it has.
const DEPTH: usize = 16;
const NODES: usize = 8192;

/// The addresses at which an issuer may have its metadata, in the order in which the specification of authorization wants
/// them tried: with the path of the issuer after the well-known one (RFC 8414 §3.1, §5), and before it (OpenID Connect
/// Discovery §4).
pub fn addresses(issuer: &str) -> Vec<String> {
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    let authority = issuer.find("://").map_or(0, |at| at + 3);
    let path = issuer[authority..].find('/');
    let (origin, path) = issuer.split_at(path.map_or(issuer.len(), |at| authority + at));
    let mut found = vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
    ];
    if !path.is_empty() {
        found.push(format!("{origin}{path}/.well-known/openid-configuration"));
    }
    found
}

/// Where the keys are, as the metadata of this issuer says.
pub(super) fn jwks_uri(document: &[u8], issuer: &str) -> Result<String, &'static str> {
    let document = json(document).ok_or("the metadata is not JSON")?;
    let member = |name: &str| document.get(name).and_then(serde_json::Value::as_str);
    // Otherwise another issuer on the same host could say which keys are this one's (RFC 8414 §3.3).
    if member("issuer") != Some(issuer) {
        return Err("the metadata is of another issuer");
    }
    let uri = member("jwks_uri").ok_or("the metadata has no jwks_uri")?;
    let is_weaker = issuer.starts_with("https:") && !uri.starts_with("https:");
    match is_url(uri) && !is_weaker {
        true => Ok(uri.to_owned()),
        false => Err("the jwks_uri of the metadata is not a URL of https"),
    }
}

/// A document of an issuer, within bounds.
pub(super) fn json(document: &[u8]) -> Option<serde_json::Value> {
    let text = std::str::from_utf8(document).ok()?;
    wire::tree(text, DEPTH, &mut { NODES })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_at_both_names_and_in_both_forms() {
        for (issuer, expected) in [
            (
                "https://login.example/",
                &[
                    "https://login.example/.well-known/oauth-authorization-server",
                    "https://login.example/.well-known/openid-configuration",
                ][..],
            ),
            (
                "https://login.example:8443/realms/mcp",
                &[
                    "https://login.example:8443/.well-known/oauth-authorization-server/realms/mcp",
                    "https://login.example:8443/.well-known/openid-configuration/realms/mcp",
                    "https://login.example:8443/realms/mcp/.well-known/openid-configuration",
                ],
            ),
        ] {
            assert_eq!(addresses(issuer), expected);
        }
    }

    #[test]
    fn metadata_names_its_issuer_and_keys_over_https() {
        let issuer = "https://login.example";
        let read = |issuer_of: &str, uri: &str| {
            let text = format!(r#"{{"issuer": "{issuer_of}", "jwks_uri": "{uri}"}}"#);
            jwks_uri(text.as_bytes(), issuer)
        };
        let uri = "https://keys.example/keys";
        assert_eq!(read(issuer, uri), Ok(uri.to_owned()));
        assert!(read("https://login.example/", uri).is_err());
        assert!(read(issuer, "http://keys.example/keys").is_err());
        assert!(read(issuer, "/keys").is_err());
        assert!(jwks_uri(b"<html>", issuer).is_err());
        assert!(jwks_uri(br#"{"issuer": "https://login.example"}"#, issuer).is_err());
        let plain = br#"{"issuer": "http://[::1]:1", "jwks_uri": "http://[::1]:1/keys"}"#;
        assert_eq!(
            jwks_uri(plain, "http://[::1]:1"),
            Ok("http://[::1]:1/keys".into())
        );
    }
}
