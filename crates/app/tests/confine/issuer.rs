//! A server that is confined in full still fetches the keys of its issuer, by name.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::serving::{Started, post, until};
use super::*;

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// An issuer on loopback, until the test ends.
struct Issuer {
    name: String,
    pair: EcdsaKeyPair,
    is_up: Arc<AtomicBool>,
}

impl Issuer {
    fn start() -> Self {
        let (how, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let made = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(how, made.as_ref(), &random).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let name = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let key = json!({ "kty": "EC", "crv": "P-256", "kid": "a", "use": "sig", "x": text(x), "y": text(y) });
        let keys = json!({ "keys": [key] });
        let about = json!({ "issuer": name, "jwks_uri": format!("{name}/keys") });
        let is_up = Arc::new(AtomicBool::new(false));
        let up = Arc::clone(&is_up);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let document = match up.load(Ordering::SeqCst) {
                    true => Some((&about, &keys)),
                    false => None,
                };
                // Who asks may have left.
                let _ = answer(client, document);
            }
        });
        Self { name, pair, is_up }
    }

    fn token(&self) -> String {
        let header = json!({ "alg": "ES256", "kid": "a", "typ": "at+jwt" });
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = now.as_secs();
        let claims = json!({ "iss": self.name, "sub": "ali", "aud": "market", "iat": now, "exp": now + 600 });
        let signed = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        format!("{signed}.{}", text(signature.unwrap()))
    }
}

/// Answers one request; without documents it says to come later.
fn answer(mut client: TcpStream, documents: Option<(&Value, &Value)>) -> std::io::Result<()> {
    let mut lines = BufReader::new(client.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines.map_while(Result::ok) {
        if line.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match documents {
        Some((_, keys)) if path == "/keys" => ("200 OK", keys.to_string()),
        Some((about, _)) if path.contains("/.well-known/") => ("200 OK", about.to_string()),
        Some(_) => ("404 Not Found", String::new()),
        None => ("503 Service Unavailable", String::new()),
    };
    write!(
        client,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn keys_are_fetched_when_the_issuer_has_them_at_last() {
    if !is_confinable() {
        return;
    }
    let issuer = Issuer::start();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("run")).unwrap();
    let socket = folder.join("run/mischief.sock");
    let flags = [
        &format!("--unix-socket={}", socket.display())[..],
        "--auth=jwt",
        &format!("--auth-issuer={}", issuer.name),
        "--auth-audience=market",
    ];
    let mut server = Started::new(folder, &flags);
    let token = issuer.token();
    let answer = post(&socket, &token);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    issuer.is_up.store(true, Ordering::SeqCst);
    until("the keys are there", || {
        post(&socket, &token).starts_with("HTTP/1.1 200")
    });
    server.ends();
}
