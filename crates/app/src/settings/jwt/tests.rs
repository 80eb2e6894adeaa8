//! The settings, and tokens of an issuer on loopback that they accept.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Command, FromArgMatches as _};
use pymcp_kit::auth::{Authenticator as _, Denied, Identity};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use toml::de::{DeTable, DeValue};

use super::*;

fn read(arguments: &[&str]) -> Result<Jwt, clap::Error> {
    let command = Jwt::augment_args(Command::new("zebra-2").no_binary_name(true));
    Jwt::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

fn program() -> Program {
    Program {
        name: "zebra-2".into(),
        version: "1.2.3".into(),
        prefix: "ZEBRA_2_".into(),
        prefixes: Vec::new(),
        settings: Vec::new(),
        lock: None,
        decides: Vec::new(),
    }
}

/// An issuer on loopback: documents by path, and a key that signs.
struct Issuer {
    origin: String,
    documents: Arc<Mutex<HashMap<String, Value>>>,
    pair: EcdsaKeyPair,
}

impl Issuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let documents: Arc<Mutex<HashMap<String, Value>>> = Arc::default();
        let found = Arc::clone(&documents);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                assert!(
                    head.to_lowercase()
                        .contains("user-agent: zebra-2/1.2.3\r\n"),
                    "{head}"
                );
                let path = head.split(' ').nth(1).unwrap();
                let document = found.lock().unwrap().get(path).map(Value::to_string);
                let (status, body) = match document {
                    Some(document) => ("200 OK", document),
                    None => ("404 Not Found", String::new()),
                };
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                client.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let random = SystemRandom::new();
        let how = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
        Self {
            origin,
            documents,
            pair: EcdsaKeyPair::from_pkcs8(how, made.as_ref(), &random).unwrap(),
        }
    }

    fn url(&self) -> String {
        format!("{}/realms/mcp", self.origin)
    }

    fn put(&self, path: &str, document: Value) {
        self.documents.lock().unwrap().insert(path.into(), document);
    }

    /// Publishes its key, and says that it is at this URL.
    fn publish(&self, jwks: &str) {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let key = json!({"kty": "EC", "crv": "P-256", "kid": "a", "x": x, "y": y});
        self.put("/keys", json!({"keys": [key]}));
        let metadata = json!({"issuer": self.url(), "jwks_uri": jwks});
        self.put("/realms/mcp/.well-known/openid-configuration", metadata);
    }

    fn token(&self, audience: &str) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let header = json!({"alg": "ES256", "kid": "a", "typ": "JWT"});
        let claims = json!({"iss": self.url(), "sub": "ali", "aud": audience, "exp": now + 300, "scope": "a b"});
        let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn ask(arguments: &[&str], token: &str) -> Result<Identity, Denied> {
    let authenticator = read(arguments).unwrap().authenticator(&program()).unwrap();
    let request = http::Request::builder().header("x-api-key", token);
    let (head, ()) = request.body(()).unwrap().into_parts();
    authenticator.authenticate(&head).await
}

#[tokio::test]
async fn tokens_of_an_issuer_on_loopback_are_accepted_by_its_metadata_and_by_its_keys_alone() {
    let issuer = Issuer::start().await;
    let keys = format!("{}/keys", issuer.origin);
    issuer.publish(&keys);
    let url = issuer.url();
    let by_metadata = [
        "--auth-issuer",
        &url,
        "--auth-audience",
        "other,mcp",
        "--auth-required-scopes",
        "a",
    ];
    let identity = ask(&by_metadata, &issuer.token("mcp")).await.unwrap();
    assert_eq!(*identity.subject, format!("{url}#ali"));
    assert_eq!(identity.scopes.to_string(), "a b");
    let denied = ask(&by_metadata, &issuer.token("else")).await.unwrap_err();
    assert_eq!(
        denied,
        Denied::Invalid("The token is not for this server (aud).")
    );

    issuer
        .documents
        .lock()
        .unwrap()
        .retain(|path, _| path == "/keys");
    let by_keys = [
        "--auth-issuer",
        &url,
        "--auth-audience",
        "mcp",
        "--auth-jwks",
        &keys,
    ];
    assert!(ask(&by_keys, &issuer.token("mcp")).await.is_ok());
    let lacking = [&by_keys[..], &["--auth-required-scopes", "a,c"]].concat();
    let denied = ask(&lacking, &issuer.token("mcp")).await.unwrap_err();
    assert_eq!(denied, Denied::Scopes(Scopes::parse("a c").unwrap()));
    let other = [&by_keys[..], &["--auth-algorithms", "RS256"]].concat();
    assert!(matches!(
        ask(&other, &issuer.token("mcp")).await,
        Err(Denied::Invalid(_))
    ));
}

#[tokio::test]
async fn no_other_host_than_those_that_were_named_is_asked() {
    let issuer = Issuer::start().await;
    let elsewhere = issuer.origin.replace("127.0.0.1", "localhost") + "/keys";
    issuer.publish(&elsewhere);
    let url = issuer.url();
    let arguments = ["--auth-issuer", &url, "--auth-audience", "mcp"];
    let denied = ask(&arguments, &issuer.token("mcp")).await.unwrap_err();
    assert!(matches!(denied, Denied::Unavailable { .. }), "{denied:?}");

    let egress = Egress::builder()
        .limits(LIMITS)
        .allow("login.example")
        .build();
    let error = Door(egress).fetch(&elsewhere).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "localhost is not the issuer's host; if the keys are there, set --auth-jwks to this address"
    );
}

#[test]
fn what_is_missing_is_said() {
    let error = |arguments: &[&str]| {
        let made = read(arguments).unwrap().authenticator(&program());
        let error = made.unwrap_err();
        (error.code(), error.sentence().unwrap().to_owned())
    };
    let (code, sentence) = error(&[]);
    assert_eq!(code, 2);
    assert!(sentence.ends_with("set --auth-issuer."), "{sentence}");
    let (_, sentence) = error(&["--auth-issuer=https://login.example"]);
    assert!(sentence.ends_with("set --auth-audience."), "{sentence}");
    assert!(!read(&["--auth-skew=0"]).unwrap().is_given());
    assert!(read(&["--auth-required-scopes=a"]).unwrap().is_given());
}

#[test]
fn what_cannot_be_used_is_refused() {
    for bad in [
        "--auth-issuer=login.example",
        "--auth-issuer=https://me@login.example",
        "--auth-issuer=https://login.example?a",
        "--auth-issuer=https://login.example#a",
        "--auth-issuer=ftp://login.example",
        "--auth-jwks=/keys",
        "--auth-audience=a,,b",
        "--auth-audience=",
        "--auth-client-ids=,",
        "--auth-algorithms=HS256",
        "--auth-algorithms=RS256,none",
        "--auth-algorithms=",
        "--auth-skew=301",
        "--auth-required-scopes=a\"b",
    ] {
        assert!(read(&[bad]).is_err(), "{bad}");
    }
    // As they are written: an issuer may end with a slash.
    let jwt = read(&[
        "--auth-issuer=https://login.example/",
        "--auth-jwks=https://login.example/keys?v=1",
    ])
    .unwrap();
    assert_eq!(jwt.auth_issuer.as_deref(), Some("https://login.example/"));
    assert_eq!(jwt.auth_algorithms, Algorithms::default());
}

/// The tokens of identity providers that the kit is tested with.
const SHAPES: [(&str, &str); 4] = [
    (
        "Microsoft Entra ID",
        include_str!("../../../../kit/tests/jwt/shapes/entra-v2.json"),
    ),
    (
        "Keycloak",
        include_str!("../../../../kit/tests/jwt/shapes/keycloak.json"),
    ),
    (
        "Auth0",
        include_str!("../../../../kit/tests/jwt/shapes/auth0.json"),
    ),
    (
        "Amazon Cognito",
        include_str!("../../../../kit/tests/jwt/shapes/cognito.json"),
    ),
];

#[test]
fn the_configurations_of_the_documents_are_those_that_are_tested() {
    let documents = include_str!("../../../../../docs/authentication.md");
    for (provider, shape) in SHAPES {
        let section = documents
            .split(&format!("### {provider}\n"))
            .nth(1)
            .unwrap();
        let block = section
            .split("```toml\n")
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap();
        let table = DeTable::parse(block).unwrap();
        let arguments: Vec<String> = table
            .get_ref()
            .iter()
            .map(|(name, value)| (name.get_ref(), value.get_ref()))
            .filter(|(name, _)| name.starts_with("auth-"))
            .map(|(name, value)| match value {
                DeValue::Array(all) => {
                    let all = all.iter().map(|one| one.get_ref().as_str().unwrap());
                    format!("--{name}={}", all.collect::<Vec<_>>().join(","))
                }
                value => format!("--{name}={}", value.as_str().unwrap()),
            })
            .collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let config = read(&arguments).unwrap().config().unwrap();
        let shape: Value = serde_json::from_str(shape).unwrap();
        assert_eq!(config.issuer, shape["issuer"], "{provider}");
        assert_eq!(json!(config.audiences), shape["audiences"], "{provider}");
        assert_eq!(json!(config.client_ids), shape["client_ids"], "{provider}");
        let scopes = config.required_scopes.to_string();
        assert_eq!(scopes, shape["required_scopes"], "{provider}");
    }
}
