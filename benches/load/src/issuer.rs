//! An identity provider on loopback: one key, and the tokens that are signed with it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::Result;

/// What tokens are for.
const AUDIENCE: &str = "https://mcp.example/mcp";

pub(crate) struct Issuer {
    url: String,
    key: Ed25519KeyPair,
}

impl Issuer {
    /// Publishes a new key for as long as the process lasts.
    pub(crate) fn start() -> Result<Self> {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| "no randomness for a key")?;
        let key = Ed25519KeyPair::from_pkcs8(made.as_ref()).map_err(|_| "a key that is none")?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let metadata = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let public = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
        let keys = json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "bench", "x": public },
        ] });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever does not hear it asks again.
                drop(answer(stream, &metadata, &keys));
            }
        });
        Ok(Self { url, key })
    }

    /// The flags of a server that takes its tokens.
    pub(crate) fn flags(&self) -> Vec<String> {
        let flags = ["--auth", "jwt", "--auth-algorithms", "EdDSA"];
        let own = ["--auth-issuer", &self.url, "--auth-audience", AUDIENCE];
        flags.into_iter().chain(own).map(str::to_owned).collect()
    }

    /// A token that lasts for two hours.
    pub(crate) fn token(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let head = json!({ "alg": "EdDSA", "kid": "bench", "typ": "at+jwt" });
        let claims = json!({
            "iss": self.url, "aud": AUDIENCE, "sub": "00000000-0000-4000-8000-000000000001", "client_id": "bench",
            "iat": now, "nbf": now, "exp": now + 7200, "scope": "mcp:use", "jti": "00000000-0000-4000-8000-000000000002",
        });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&head), encode(&claims));
        let signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn answer(stream: TcpStream, metadata: &Value, keys: &Value) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = first.clone();
    while !line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line)?;
    }
    let document = match first.starts_with("GET /keys ") {
        true => keys,
        false => metadata,
    };
    let body = document.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    let length = body.len();
    let mut stream = reader.into_inner();
    Ok(write!(
        stream,
        "{head}\r\ncontent-length: {length}\r\n\r\n{body}"
    )?)
}
