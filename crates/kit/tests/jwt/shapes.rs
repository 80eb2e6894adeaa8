//! The tokens of identity providers, as they write them, with the configuration of `docs/authentication.md`.
//!
//! To add a provider, add its file to `shapes` and its section to that page.

use pymcp_kit::auth::jwt::JwtConfig;
use pymcp_kit::auth::{Denied, Scopes};
use serde_json::{Value, json};

use super::issuer::{Documents, Signer, ask, at, authenticator};

const SHAPES: [(&str, &str); 5] = [
    ("entra-v2", include_str!("shapes/entra-v2.json")),
    ("entra-v1", include_str!("shapes/entra-v1.json")),
    ("keycloak", include_str!("shapes/keycloak.json")),
    ("auth0", include_str!("shapes/auth0.json")),
    ("cognito", include_str!("shapes/cognito.json")),
];

fn shapes() -> impl Iterator<Item = (&'static str, Value)> {
    SHAPES
        .map(|(name, text)| (name, serde_json::from_str(text).unwrap()))
        .into_iter()
}

fn texts(list: &Value) -> Vec<String> {
    let all = list.as_array().unwrap().iter();
    all.map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn config(shape: &Value) -> JwtConfig {
    let issuer = shape["issuer"].as_str().unwrap();
    JwtConfig {
        client_ids: texts(&shape["client_ids"]),
        jwks: Some("https://keys.example".into()),
        required_scopes: Scopes::parse(shape["required_scopes"].as_str().unwrap()).unwrap(),
        ..JwtConfig::new(issuer, texts(&shape["audiences"]))
    }
}

/// A token of this shape, which an issuer signs with the key that its header names; `changes` are made to its claims.
fn token(of: &Value, changes: &Value) -> (Signer, String) {
    let signer = Signer::new(of["header"]["kid"].as_str().unwrap(), "RS256");
    let mut claims = of["claims"].clone();
    claims["iat"] = json!(at(-10));
    claims["nbf"] = json!(at(-10));
    claims["exp"] = json!(at(3600));
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let token = signer.sign(&of["header"].to_string(), &claims.to_string());
    (signer, token)
}

async fn asked(
    shape: &Value,
    config: JwtConfig,
    of: &str,
    changes: Value,
) -> Result<(String, String), Denied> {
    let (signer, token) = token(&shape[of], &changes);
    let documents = Documents::of(&[]);
    documents.put("https://keys.example", &json!({"keys": [signer.jwk()]}));
    let identity = ask(&authenticator(config, &documents), &token).await?;
    Ok((identity.subject.to_string(), identity.scopes.to_string()))
}

#[tokio::test]
async fn access_tokens_of_each_provider_are_accepted() {
    for (name, shape) in shapes() {
        let subject = format!(
            "{}#{}",
            shape["issuer"].as_str().unwrap(),
            shape["subject"].as_str().unwrap()
        );
        let scopes = shape["scopes"].as_str().unwrap().to_owned();
        let found = asked(&shape, config(&shape), "access_token", json!({})).await;
        assert_eq!(found, Ok((subject, scopes)), "{name}");
    }
}

#[tokio::test]
async fn id_tokens_of_each_provider_are_refused_without_required_scopes_too() {
    for (name, shape) in shapes() {
        let config = JwtConfig {
            required_scopes: Scopes::default(),
            ..config(&shape)
        };
        let found = asked(&shape, config, "id_token", json!({})).await;
        assert!(
            matches!(found, Err(Denied::Invalid(_))),
            "{name}: {found:?}"
        );
    }
}

#[tokio::test]
async fn tokens_of_each_provider_for_others_are_refused() {
    for (name, shape) in shapes() {
        for changes in [
            json!({"aud": "https://other.example"}),
            json!({"aud": "00000002-0000-0000-c000-000000000000"}),
            json!({"iss": "https://login.example"}),
            json!({"aud": null, "client_id": "another"}),
        ] {
            let found = asked(&shape, config(&shape), "access_token", changes.clone()).await;
            assert!(
                matches!(found, Err(Denied::Invalid(_))),
                "{name} {changes}: {found:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_client_id_counts_only_where_there_is_no_audience_and_the_token_is_for_access() {
    let (_, cognito) = shapes().find(|(name, _)| *name == "cognito").unwrap();
    for changes in [
        json!({"token_use": null}),
        json!({"token_use": "id"}),
        json!({"aud": "7lhcj3iti5mplceg8ab3eo2qd8"}),
        json!({"aud": []}),
    ] {
        let found = asked(&cognito, config(&cognito), "access_token", changes.clone()).await;
        assert!(
            matches!(found, Err(Denied::Invalid(_))),
            "{changes}: {found:?}"
        );
    }
    // Where no client is named, a token without an audience is for nobody.
    for (name, shape) in shapes() {
        let changes = json!({"aud": null, "client_id": "a", "token_use": "access"});
        let config = JwtConfig {
            client_ids: Vec::new(),
            audiences: vec!["a".into()],
            ..config(&shape)
        };
        let found = asked(&shape, config, "access_token", changes).await;
        assert!(
            matches!(found, Err(Denied::Invalid(_))),
            "{name}: {found:?}"
        );
    }
}
