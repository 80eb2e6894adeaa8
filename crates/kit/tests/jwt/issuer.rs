//! An issuer for tests: real keys, documents in memory, and a way to be down.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use pymcp_kit::auth::jwt::{Fetch, FetchError, JwtAuthenticator, JwtConfig};
use pymcp_kit::auth::{Authenticator as _, Denied, Identity};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://login.example/tenant";
pub(crate) const AUDIENCE: &str = "https://mcp.example/mcp";

/// A private key of tests alone, made with `openssl genpkey`: `ring` makes no RSA keys.
const TEST_ONLY_RSA: &[u8] = include_bytes!("test-only-rsa-2048.pk8");

/// A key pair with its name.
pub(crate) struct Signer {
    pub(crate) kid: String,
    pub(crate) alg: &'static str,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl Signer {
    /// A new key; the same one each time for RSA.
    pub(crate) fn new(kid: &str, alg: &'static str) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |how| {
            let made = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
            Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(how, made.as_ref(), &random).unwrap())
        };
        let pair = match alg {
            "ES256" => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => {
                let made = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
            }
            _ => Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(TEST_ONLY_RSA).unwrap())),
        };
        Self {
            kid: kid.into(),
            alg,
            pair,
        }
    }

    /// The public key, as an issuer publishes it.
    pub(crate) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Ecdsa(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let crv = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": crv, "x": text(x), "y": text(y)})
            }
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())})
            }
            Pair::Rsa(pair) => {
                let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "n": text(&public.n), "e": text(&public.e)})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.alg, "kid": self.kid, "typ": "at+jwt"})
    }

    /// A token of these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// A token of this header and these claims, as they are written.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let signed = unsigned(header, claims);
        let signature = self.signature(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let how: &'static dyn ring::signature::RsaEncoding = match self.alg {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(how, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }
}

/// Header and claims, with the dot between.
pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}", part(header), part(claims))
}

/// Seconds since 1970, `offset` from now.
pub(crate) fn at(offset: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() as i64 + offset
}

/// What an ordinary token says.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "ali",
        "aud": AUDIENCE,
        "iat": at(-10),
        "exp": at(300),
        "scope": "stock:read stock:write",
    })
}

/// These claims with others in their place; `null` takes one away.
pub(crate) fn with(changes: Value) -> Value {
    let mut all = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value.is_null() {
            true => drop(all.as_object_mut().unwrap().remove(name)),
            false => all[name] = value.clone(),
        }
    }
    all
}

/// What an issuer publishes, by address.
#[derive(Default)]
pub(crate) struct Documents {
    found: Mutex<HashMap<String, Bytes>>,
    pub(crate) fetched: AtomicUsize,
}

impl Documents {
    /// An issuer that publishes its metadata and these keys.
    pub(crate) fn of(keys: &[&Signer]) -> Arc<Self> {
        let documents = Self::default();
        documents.publish(keys);
        Arc::new(documents)
    }

    /// Publishes these keys, in place of those before.
    pub(crate) fn publish(&self, keys: &[&Signer]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        self.put(&format!("{ISSUER}/keys"), &json!({ "keys": keys }));
        self.put(
            "https://login.example/.well-known/openid-configuration/tenant",
            &json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys")}),
        );
    }

    pub(crate) fn put(&self, url: &str, document: &Value) {
        let text = document.to_string();
        self.found.lock().unwrap().insert(url.into(), text.into());
    }

    /// Nothing is found any more.
    pub(crate) fn go_down(&self) {
        self.found.lock().unwrap().clear();
    }

    pub(crate) fn count(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }
}

/// What the documents are fetched with.
pub(crate) struct Door(pub(crate) Arc<Documents>);

impl Fetch for Door {
    fn fetch<'a>(
        &'a self,
        url: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, FetchError>> + Send + 'a>> {
        Box::pin(async move {
            self.0.fetched.fetch_add(1, Ordering::SeqCst);
            // As a network has it: what others do comes between.
            tokio::task::yield_now().await;
            let found = self.0.found.lock().unwrap().get(url).cloned();
            found.ok_or_else(|| FetchError("it answered with the status 404".into()))
        })
    }
}

pub(crate) fn config() -> JwtConfig {
    JwtConfig::new(ISSUER, [AUDIENCE])
}

pub(crate) fn authenticator(config: JwtConfig, documents: &Arc<Documents>) -> JwtAuthenticator {
    JwtAuthenticator::new(config, Arc::new(Door(Arc::clone(documents)))).unwrap()
}

/// What becomes of a request with this token.
pub(crate) async fn ask(authenticator: &JwtAuthenticator, token: &str) -> Result<Identity, Denied> {
    let request = http::Request::builder().header("authorization", format!("Bearer {token}"));
    let (head, ()) = request.body(()).unwrap().into_parts();
    authenticator.authenticate(&head).await
}

/// Why it is denied.
#[track_caller]
pub(crate) fn sentence(asked: Result<Identity, Denied>) -> &'static str {
    match asked {
        Err(Denied::Invalid(sentence) | Denied::Malformed(sentence)) => sentence,
        other => panic!("{other:?}"),
    }
}
