//! A token is wanted, and the issuer of it is beside the server: documents, keys and one token that is taken.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::Faults;
use crate::http::{Request, Response};

const METADATA: &str = "/.well-known/oauth-protected-resource";

pub(crate) struct Auth {
    faults: Faults,
    /// The one that is taken.
    pub(crate) token: String,
    /// Where this server is.
    base: String,
    key: Value,
}

impl Auth {
    pub(crate) fn new(port: u16, faults: Faults) -> Self {
        let random = SystemRandom::new();
        let how = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(how, &random).expect("randomness");
        let pair = EcdsaKeyPair::from_pkcs8(how, made.as_ref(), &random).expect("a key");
        let base = format!("http://127.0.0.1:{port}");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        let mut claims = json!({
            "iss": format!("{base}/issuer"),
            "sub": "ali",
            "aud": format!("{base}/mcp"),
            "iat": now - 10,
            "exp": now + 3600,
            "scope": "stock:read",
        });
        if faults.has("token-issuer") {
            claims["iss"] = json!("https://other.example");
        }
        if faults.has("token-audience") {
            claims["aud"] = json!("https://other.example/mcp");
        }
        if faults.has("token-expired") {
            claims["exp"] = json!(now - 3600);
        }
        if faults.has("token-not-yet") {
            claims["nbf"] = json!(now + 3600);
        }
        if faults.has("token-scopes") {
            claims["scope"] = json!("other");
        }
        if faults.has("token-kind") {
            claims["at_hash"] = json!("x");
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let kid = if faults.has("token-key-unknown") {
            "lost"
        } else {
            "one"
        };
        let header = json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" });
        let mut signed = format!("{}.{}", part(&header), part(&claims));
        let signature = pair.sign(&random, signed.as_bytes()).expect("a signature");
        if faults.has("token-signature") {
            claims["sub"] = json!("eve");
            signed = format!("{}.{}", part(&header), part(&claims));
        }
        let token = match faults.has("token-opaque") {
            true => "opaque-token".to_owned(),
            false => format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())),
        };
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(32);
        let key = json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "kid": "one",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        });
        Self {
            faults,
            token,
            base,
            key,
        }
    }

    /// The response to a request for a document, or without a token that is taken; none for what may go on.
    pub(crate) fn answer(&self, request: &Request) -> Option<Response> {
        let path = request.path.as_str();
        if path.starts_with("/.well-known/") || path.starts_with("/issuer") {
            return Some(match self.document(path) {
                Some(document) => Response::json(200, &document),
                None => Response::new(404),
            });
        }
        let faults = &self.faults;
        let sent = request.header("authorization").strip_prefix("Bearer ");
        match sent {
            None if faults.has("auth-not-required") => None,
            None => Some(self.refuse(false)),
            Some(token) if token == self.token => self.judge(request),
            Some(_) if faults.has("token-unchecked") => None,
            Some(_) if faults.has("token-invalid-status") => Some(Response::new(403)),
            Some(_) => Some(self.refuse(true)),
        }
    }

    fn judge(&self, request: &Request) -> Option<Response> {
        let faults = &self.faults;
        let refused = [
            "token-audience",
            "token-expired",
            "token-not-yet",
            "token-issuer",
            "token-signature",
            "token-key-unknown",
            "token-kind",
            "token-denied",
        ];
        if refused.iter().any(|fault| faults.has(fault)) {
            return Some(self.refuse(true));
        }
        if faults.has("forbidden-body") {
            return Some(Response::new(403));
        }
        if faults.has("token-forbidden") || faults.has("token-scopes") {
            let error = json!({ "code": -32600, "message": "The scope stock:read is missing." });
            return Some(Response::json(
                403,
                &json!({ "jsonrpc": "2.0", "id": null, "error": error }),
            ));
        }
        let unauthorized = match request.method.as_str() {
            "GET" => faults.has("get-unauthorized"),
            "DELETE" => faults.has("delete-unauthorized"),
            _ => false,
        };
        unauthorized.then(|| self.refuse(true))
    }

    fn refuse(&self, with_error: bool) -> Response {
        let faults = &self.faults;
        if faults.has("challenge-status") {
            return Response::new(400);
        }
        let response = Response::new(401);
        if faults.has("challenge-missing") {
            return response;
        }
        let mut fields = Vec::new();
        if with_error || faults.has("challenge-error") {
            fields.push("error=\"invalid_token\"".to_owned());
        }
        if !faults.has("challenge-scope") {
            fields.push("scope=\"stock:read\"".to_owned());
        }
        if faults.has("resource-metadata-unreached") {
            fields.push(format!("resource_metadata=\"{}/lost\"", self.base));
        } else if faults.has("address-refused") {
            fields.push("resource_metadata=\"http://192.0.2.1/x\"".to_owned());
        } else if !faults.has("challenge-resource-metadata") {
            fields.push(format!("resource_metadata=\"{}{METADATA}/mcp\"", self.base));
        }
        response.header("www-authenticate", format!("Bearer {}", fields.join(", ")))
    }

    fn document(&self, path: &str) -> Option<Value> {
        let (faults, base) = (&self.faults, &self.base);
        if path.starts_with(METADATA) {
            let is_there = match path.strip_prefix(METADATA) {
                Some("/mcp") => true,
                Some("") => !faults.has("resource-metadata-place"),
                _ => false,
            };
            if !is_there || faults.has("resource-metadata-missing") {
                return None;
            }
            let mut document = json!({
                "resource": format!("{base}/mcp"),
                "authorization_servers": [format!("{base}/issuer")],
                "scopes_supported": ["stock:read"],
            });
            if faults.has("resource-mismatch") {
                document["resource"] = json!(base);
            }
            if faults.has("scopes-supported-empty") {
                document["scopes_supported"] = json!([]);
            }
            if faults.has("scopes-supported-missing") {
                document["scopes_supported"] = Value::Null;
            }
            if faults.has("authorization-servers-missing") {
                document["authorization_servers"] = Value::Null;
            }
            return Some(document);
        }
        match path {
            "/.well-known/oauth-authorization-server/issuer"
                if !faults.has("issuer-metadata-missing") =>
            {
                let mut document = json!({
                    "issuer": format!("{base}/issuer"),
                    "authorization_endpoint": format!("{base}/issuer/authorize"),
                    "token_endpoint": format!("{base}/issuer/token"),
                    "registration_endpoint": format!("{base}/issuer/register"),
                    "code_challenge_methods_supported": ["S256"],
                    "jwks_uri": format!("{base}/issuer/keys"),
                });
                for (fault, member) in [
                    ("issuer-mismatch", "issuer"),
                    ("issuer-endpoints", "token_endpoint"),
                    ("issuer-registration", "registration_endpoint"),
                    ("issuer-pkce", "code_challenge_methods_supported"),
                    ("issuer-keys-missing", "jwks_uri"),
                ] {
                    if faults.has(fault) {
                        document[member] = Value::Null;
                    }
                }
                Some(document)
            }
            "/issuer/keys" => {
                let mut key = self.key.clone();
                if faults.has("issuer-key-unnamed") {
                    key["kid"] = Value::Null;
                }
                if faults.has("issuer-keys-unusable") {
                    key["use"] = json!("enc");
                }
                Some(json!({ "keys": [key] }))
            }
            _ => None,
        }
    }
}
