//! HTTP/1.1 by hand: a connection for each request.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::auth::Auth;
use crate::{Faults, messages, say};

/// A request.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A response.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let mut response = Self::new(status).header("content-type", "application/json");
        response.body = body.to_string();
        response
    }

    /// A JSON-RPC error.
    fn error(status: u16, code: i64) -> Self {
        let error = json!({ "code": code, "message": "Refused." });
        Self::json(
            status,
            &json!({ "jsonrpc": "2.0", "id": null, "error": error }),
        )
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

struct Server {
    faults: Faults,
    auth: Option<Auth>,
    port: u16,
    sessions: Mutex<Vec<String>>,
}

pub(crate) fn serve(faults: Faults) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let auth = faults.has("auth").then(|| Auth::new(port, faults.clone()));
    if let Some(auth) = &auth {
        say(&format!("token {}", auth.token));
    }
    say(&format!("listening on http://127.0.0.1:{port}/mcp"));
    let server = Arc::new(Server {
        faults,
        auth,
        port,
        sessions: Mutex::default(),
    });
    for stream in listener.incoming().flatten() {
        let server = Arc::clone(&server);
        std::thread::spawn(move || {
            // A client that leaves misses nothing.
            let _ = server.connection(stream);
        });
    }
}

impl Server {
    fn connection(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let Some(request) = read(&mut reader)? else {
            return Ok(());
        };
        let response = match &self.auth {
            Some(auth) => match auth.answer(&request) {
                Some(response) => response,
                None => self.answer(&request),
            },
            None => self.answer(&request),
        };
        let is_stream = response
            .headers
            .iter()
            .any(|(_, value)| value == "text/event-stream");
        let mut text = format!(
            "HTTP/1.1 {} Reason\r\nconnection: close\r\n",
            response.status
        );
        for (name, value) in &response.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !is_stream {
            text.push_str(&format!("content-length: {}\r\n", response.body.len()));
        }
        let mut stream = stream;
        stream.write_all(format!("{text}\r\n{}", response.body).as_bytes())?;
        if is_stream {
            // Until the client leaves.
            let _ = reader.read(&mut [0]);
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Response {
        let faults = &self.faults;
        if faults.has("redirected") {
            return Response::new(307).header("location", "/elsewhere");
        }
        let own = [
            format!("127.0.0.1:{}", self.port),
            format!("localhost:{}", self.port),
        ];
        if !own.iter().any(|own| own == request.header("host")) && !faults.has("host-unchecked") {
            return Response::error(403, -32600);
        }
        let origin = request.header("origin");
        let mut response = match origin.is_empty() || faults.has("origin-unchecked") {
            true => self.method(request),
            false => Response::error(403, -32600),
        };
        if !origin.is_empty() && faults.has("cors-credentials") {
            response = response
                .header("access-control-allow-origin", origin)
                .header("access-control-allow-credentials", "true");
        } else if !origin.is_empty() && faults.has("cors-any") {
            response = response.header("access-control-allow-origin", "*");
        }
        response
    }

    fn method(&self, request: &Request) -> Response {
        let faults = &self.faults;
        match request.method.as_str() {
            "POST" => self.post(request),
            "GET" if faults.has("get-status") => Response::new(404),
            "GET" => match self.session(request) {
                Some(refused) => refused,
                None => Response::new(200).header("content-type", "text/event-stream"),
            },
            "DELETE" if faults.has("delete-status") => Response::new(404),
            "DELETE" => {
                let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
                if !faults.has("session-after-delete") {
                    sessions.retain(|session| session != request.header("mcp-session-id"));
                }
                Response::new(204)
            }
            _ if faults.has("method-status") => Response::new(200),
            _ if faults.has("server-error") => Response::new(500),
            _ => Response::new(405).header("allow", "POST, GET, DELETE"),
        }
    }

    /// Refuses a session that there is not.
    fn session(&self, request: &Request) -> Option<Response> {
        let faults = &self.faults;
        let session = request.header("mcp-session-id");
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = sessions.iter().any(|known| known == session);
        match known || session.is_empty() || faults.has("session-unknown-accepted") {
            true => None,
            false if faults.has("session-unknown-status") => Some(Response::error(400, -32600)),
            false => Some(Response::error(404, -32600)),
        }
    }

    fn post(&self, request: &Request) -> Response {
        let faults = &self.faults;
        if request.header("content-type") != "application/json"
            && !faults.has("content-type-unchecked")
        {
            return Response::error(415, -32600);
        }
        let Ok(message) = serde_json::from_slice::<Value>(&request.body) else {
            return match faults {
                faults if faults.has("garbage-accepted") => Response::new(202),
                faults if faults.has("modern-error-not-json") => Response::new(400),
                _ => Response::error(400, -32700),
            };
        };
        if let Some(refused) = self.session(request) {
            return refused;
        }
        let version = request.header("mcp-protocol-version");
        if version == "1999-01-01" && !faults.has("version-header-unchecked") {
            return Response::error(400, -32600);
        }
        if message.get("id").is_none() {
            return match faults.has("notification-status") {
                true => Response::json(200, &json!({})),
                false => Response::new(202),
            };
        }
        let answers = messages::answers(&message, faults);
        let mut response = match answers.as_slice() {
            [one] => Response::json(200, one),
            several => {
                let mut response = Response::new(200).header("content-type", "text/event-stream");
                let events = several
                    .iter()
                    .map(|one| format!("event: message\ndata: {one}\n\n"));
                response.body = events.collect();
                response
            }
        };
        if faults.has("response-type") {
            response.headers = vec![("content-type", "text/plain".to_owned())];
        }
        if message["method"] == "initialize" {
            let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            let number = sessions.len();
            let session = match faults {
                faults if faults.has("session-id-characters") => {
                    format!("session number {number} of this server")
                }
                faults if faults.has("session-id-guessable") => format!("s{number}"),
                faults if faults.has("session-id-long") => format!("{number}{}", "x".repeat(2000)),
                _ => format!("3f2b8c1e-0a5d-4b7e-9a39-{number:012}"),
            };
            sessions.push(session.clone());
            response = response.header("mcp-session-id", session);
        }
        response
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Some(Request {
        method,
        path,
        headers,
        body,
    }))
}
