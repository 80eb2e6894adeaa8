//! Tokens, one by one.

use std::time::{Duration, UNIX_EPOCH};

use pymcp_kit::auth::jwt::{Algorithms, JwtConfig};
use pymcp_kit::auth::{Authenticator as _, Denied, Scopes};
use ring::hmac;
use serde_json::{Value, json};

use super::issuer::{
    AUDIENCE, Documents, ISSUER, Signer, ask, at, authenticator, claims, config, sentence,
    unsigned, with,
};

#[tokio::test]
async fn a_token_of_the_issuer_says_who_it_is_what_they_may_and_until_when() {
    let signer = Signer::new("a", "ES256");
    let authenticator = authenticator(config(), &Documents::of(&[&signer]));
    let claims = claims();
    let token = signer.token(&claims);
    // The second time it is remembered.
    for _ in 0..2 {
        let identity = ask(&authenticator, &token).await.unwrap();
        assert_eq!(&*identity.subject, "https://login.example/tenant#ali");
        assert_eq!(identity.scopes.to_string(), "stock:read stock:write");
        let expires = claims["exp"].as_u64().unwrap() + 60;
        assert_eq!(
            identity.expires,
            Some(UNIX_EPOCH + Duration::from_secs(expires))
        );
        assert!(!identity.revoked.is_cancelled());
    }
    assert_eq!(authenticator.issuers(), [ISSUER]);
}

#[tokio::test]
async fn every_algorithm_verifies_with_its_own_key_and_is_refused_where_it_is_not_accepted() {
    let all = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ];
    let signers = all.map(|alg| Signer::new(alg, alg));
    let documents = Documents::of(&signers.each_ref());
    for signer in &signers {
        let token = signer.token(&claims());
        let only = |alg| {
            let algorithms = Algorithms::new([alg]).unwrap();
            let config = JwtConfig {
                algorithms,
                ..config()
            };
            authenticator(config, &documents)
        };
        assert!(
            ask(&only(signer.alg), &token).await.is_ok(),
            "{}",
            signer.alg
        );
        for other in all.iter().filter(|other| **other != signer.alg) {
            assert!(
                ask(&only(other), &token).await.is_err(),
                "{} {other}",
                signer.alg
            );
        }
        // The key of another algorithm does not verify it, though both are accepted.
        let other = if signer.alg == "EdDSA" {
            "ES256"
        } else {
            "EdDSA"
        };
        let header = json!({"alg": signer.alg, "kid": other}).to_string();
        let accepting = authenticator(
            JwtConfig {
                algorithms: Algorithms::new(all).unwrap(),
                ..config()
            },
            &documents,
        );
        let token = signer.sign(&header, &claims().to_string());
        assert!(ask(&accepting, &token).await.is_err(), "{}", signer.alg);
    }
}

#[tokio::test]
async fn what_a_token_claims_is_judged() {
    let signer = Signer::new("a", "ES256");
    let authenticator = authenticator(config(), &Documents::of(&[&signer]));
    let accepted = [
        json!({}),
        json!({"aud": ["https://other.example", AUDIENCE]}),
        json!({"aud": [AUDIENCE]}),
        json!({"iat": null, "scope": null}),
        // The clocks may differ.
        json!({"exp": at(-50)}),
        json!({"nbf": at(50), "iat": at(50)}),
        json!({"exp": at(300) as f64 + 0.5}),
        json!({"nonce": "n"}),
        json!({"typ": "Bearer", "token_use": "access"}),
    ];
    for changes in accepted {
        let asked = ask(&authenticator, &signer.token(&with(changes.clone()))).await;
        assert!(asked.is_ok(), "{changes}: {asked:?}");
    }
    let (unreadable, date) = ("claims cannot be read", "a date that is none");
    for (changes, why) in [
        (json!({"exp": at(-61)}), "has expired"),
        (json!({"exp": 0}), "has expired"),
        (json!({"exp": null}), unreadable),
        (json!({"exp": at(300).to_string()}), unreadable),
        (json!({"exp": [at(300)]}), unreadable),
        (json!({"exp": -1}), date),
        (json!({"exp": 9_223_372_036_854_775_808_u64}), date),
        (json!({"exp": 1e300}), date),
        (json!({"nbf": at(65)}), "not valid yet"),
        (json!({"iat": at(65)}), "not valid yet"),
        (json!({"nbf": -1}), date),
        (json!({"nbf": "soon"}), unreadable),
        (json!({"aud": null}), "not for this server"),
        (json!({"aud": []}), "not for this server"),
        (json!({"aud": ""}), "not for this server"),
        (
            json!({"aud": "https://other.example/mcp"}),
            "not for this server",
        ),
        (json!({"aud": "https://mcp.example"}), "not for this server"),
        (
            json!({"aud": "https://mcp.example/mcp/"}),
            "not for this server",
        ),
        (
            json!({"aud": "https://mcp.example/mcp/more"}),
            "not for this server",
        ),
        (
            json!({"aud": "https://MCP.example/mcp"}),
            "not for this server",
        ),
        (json!({"aud": 1}), unreadable),
        (json!({"aud": [1]}), unreadable),
        (
            json!({"aud": null, "client_id": AUDIENCE, "token_use": "access"}),
            "not for this server",
        ),
        (json!({"iss": null}), unreadable),
        (json!({"iss": [ISSUER]}), unreadable),
        (
            json!({"iss": "https://login.example/tenant/"}),
            "another issuer",
        ),
        (
            json!({"iss": "https://LOGIN.example/tenant"}),
            "another issuer",
        ),
        (
            json!({"iss": "https://login.example/other"}),
            "another issuer",
        ),
        (json!({"sub": null}), "of nobody"),
        (json!({"sub": ""}), "of nobody"),
        (json!({"sub": "a\nb"}), "of nobody"),
        (json!({"sub": "a".repeat(256)}), "of nobody"),
        (json!({"sub": 1}), unreadable),
        (json!({"scope": "a\"b"}), "scopes that cannot be read"),
        (json!({"scope": {"a": 1}}), unreadable),
        (json!({"token_use": "id"}), "no access token"),
        (json!({"typ": "ID"}), "no access token"),
        (json!({"typ": "Refresh"}), "no access token"),
        (json!({"at_hash": "x"}), "no access token"),
        (json!({"c_hash": "x"}), "no access token"),
        (json!({"nonce": "n", "scope": null}), "no access token"),
        (json!({"cnf": {"jkt": "x"}}), "bound to a key"),
    ] {
        let token = signer.token(&with(changes.clone()));
        // The same again: nothing of a refused token is remembered.
        for _ in 0..2 {
            let said = sentence(ask(&authenticator, &token).await);
            assert!(said.contains(why), "{changes}: {said}");
        }
    }
}

#[tokio::test]
async fn a_signature_is_of_the_issuer_and_of_just_this_token() {
    let (signer, stranger) = (Signer::new("a", "ES256"), Signer::new("a", "ES256"));
    let rsa = Signer::new("r", "RS256");
    let authenticator = authenticator(config(), &Documents::of(&[&signer, &rsa]));
    let (header, body) = (signer.header().to_string(), claims().to_string());
    let token = signer.sign(&header, &body);
    assert!(ask(&authenticator, &token).await.is_ok());

    let (_, signature) = token.rsplit_once('.').unwrap();
    let other = unsigned(&header, &with(json!({"sub": "eve"})).to_string());
    let stolen = format!("{other}.{signature}");
    let hs256 = |secret: &[u8]| {
        let signed = unsigned(r#"{"alg":"HS256","kid":"r"}"#, &body);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", encode(tag.as_ref()))
    };
    let jwk = rsa.jwk();
    let modulus = decode(jwk["n"].as_str().unwrap());
    let twice = r#"{"iss":"https://login.example/tenant","sub":"eve","#.to_owned() + &body[1..];
    let embedded = json!({"alg": "ES256", "kid": "a", "jwk": stranger.jwk(), "jku": "https://eve.example/keys",
        "x5u": "https://eve.example/keys"});
    for (name, token, why) in [
        (
            "another key",
            stranger.token(&claims()),
            "signature is wrong",
        ),
        (
            "a key of its own",
            stranger.sign(&embedded.to_string(), &body),
            "signature is wrong",
        ),
        ("another's signature", stolen, "signature is wrong"),
        (
            "no signature",
            format!("{}.", unsigned(&header, &body)),
            "signature is wrong",
        ),
        (
            "none",
            format!("{}.", unsigned(r#"{"alg":"none"}"#, &body)),
            "no algorithm",
        ),
        (
            "None",
            format!("{}.AAAA", unsigned(r#"{"alg":"None"}"#, &body)),
            "no algorithm",
        ),
        (
            "HS256 with the modulus",
            hs256(&modulus),
            "an algorithm that is not",
        ),
        (
            "HS256 with the key",
            hs256(jwk.to_string().as_bytes()),
            "an algorithm that is not",
        ),
        (
            "an algorithm that is not accepted",
            Signer::new("r", "PS256").token(&claims()),
            "an algorithm that is not",
        ),
        (
            "claims named twice",
            signer.sign(&header, &twice),
            "named twice",
        ),
        (
            "claims that are no object",
            signer.sign(&header, "[]"),
            "cannot be read",
        ),
        (
            "claims that are no JSON",
            signer.sign(&header, "{"),
            "cannot be read",
        ),
        (
            "deep claims",
            signer.sign(
                &header,
                &format!("{{\"a\":{}1{}}}", "[".repeat(99), "]".repeat(99)),
            ),
            "cannot be read",
        ),
        (
            "critical extensions",
            signer.sign(r#"{"alg":"ES256","kid":"a","crit":["exp"]}"#, &body),
            "(crit)",
        ),
        (
            "another type",
            signer.sign(r#"{"alg":"ES256","kid":"a","typ":"logout+jwt"}"#, &body),
            "another type",
        ),
        (
            "an encrypted token",
            "e30.e30.e30.e30.e30".into(),
            "not a signed",
        ),
        ("no token at all", "opensesame".into(), "not a signed"),
        (
            "a large token",
            signer.token(&with(json!({"x": "a".repeat(12 << 10)}))),
            "16 KiB",
        ),
    ] {
        let said = sentence(ask(&authenticator, &token).await);
        assert!(said.contains(why), "{name}: {said}");
    }
}

#[tokio::test]
async fn a_token_names_its_key_unless_there_is_only_one() {
    let (first, second) = (Signer::new("a", "ES256"), Signer::new("b", "ES256"));
    let rsa = Signer::new("c", "RS256");
    let unnamed = first.sign(r#"{"alg":"ES256"}"#, &claims().to_string());
    let only = authenticator(config(), &Documents::of(&[&first, &rsa]));
    assert!(ask(&only, &unnamed).await.is_ok());
    let several = authenticator(config(), &Documents::of(&[&first, &second]));
    assert!(sentence(ask(&several, &unnamed).await).contains("does not publish"));
    for kid in ["B", "../../key", "' or 1=1", &"a".repeat(256)] {
        let header = json!({"alg": "ES256", "kid": kid}).to_string();
        let token = first.sign(&header, &claims().to_string());
        assert!(
            sentence(ask(&several, &token).await).contains("does not publish"),
            "{kid}"
        );
    }
    let header = json!({"alg": "ES256", "kid": "a".repeat(257)}).to_string();
    let token = first.sign(&header, &claims().to_string());
    assert!(sentence(ask(&several, &token).await).contains("not a signed"));
}

#[tokio::test]
async fn scopes_are_read_in_both_spellings_and_may_be_required() {
    let signer = Signer::new("a", "ES256");
    let documents = Documents::of(&[&signer]);
    let required_scopes = Scopes::parse("stock:read stock:write").unwrap();
    let asking = authenticator(
        JwtConfig {
            required_scopes: required_scopes.clone(),
            ..config()
        },
        &documents,
    );
    assert_eq!(asking.required_scopes(), required_scopes);
    let enough: [Value; 4] = [
        json!({}),
        json!({"scope": null, "scp": "stock:write stock:read"}),
        json!({"scope": null, "scp": ["stock:write", "stock:read", "more"]}),
        json!({"scope": "stock:read", "scp": ["stock:write"]}),
    ];
    for changes in enough {
        let asked = ask(&asking, &signer.token(&with(changes.clone()))).await;
        assert!(asked.is_ok(), "{changes}: {asked:?}");
    }
    for changes in [json!({"scope": "stock:read"}), json!({"scope": null})] {
        let token = signer.token(&with(changes.clone()));
        // From the token, and remembered.
        for _ in 0..2 {
            let asked = ask(&asking, &token).await.map(|_| ());
            // All that is needed is named: a client asks for just that.
            assert_eq!(
                asked,
                Err(Denied::Scopes(required_scopes.clone())),
                "{changes}"
            );
        }
    }
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    engine.decode(text).unwrap()
}
