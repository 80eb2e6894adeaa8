//! Replicas over HTTP, a legacy session that any of them serves, and who overhears what they say.

use std::io::{BufRead, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use pymcp_kit::testing::raw::{Client, Events, LocalServer, Response, Session, patient};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::super::server::RedisServer;
use super::{Replica, replicas};

/// A replica that listens.
pub(super) struct Http {
    pub(super) replica: Replica,
    local: LocalServer,
}

pub(super) async fn listening<const N: usize>(server: &RedisServer) -> [Http; N] {
    let all: [Replica; N] = replicas(server).await;
    all.map(|replica| {
        let serving = replica.server.clone();
        let local = block_in_place(|| LocalServer::start(serving, patient()));
        Http { replica, local }
    })
}

impl Http {
    /// A legacy session whose client can be asked and has a model, opened here.
    pub(super) fn open(&self) -> Session {
        let able = json!({ "elicitation": {}, "sampling": {} });
        block_in_place(|| Session::open(self.local.address(), "2025-11-25", able))
    }

    /// Posts a message of the session here.
    pub(super) fn post(&self, session: &Session, message: &Value) -> Response {
        let request = session.request(message);
        block_in_place(|| Client::connect(self.local.address()).ask(&request))
    }

    /// Begins a call of a tool here, and reads nothing yet.
    pub(super) fn call(&self, session: &Session, id: u64, tool: &str) -> Client {
        let message = json!({
            "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool },
        });
        let mut client = Client::connect(self.local.address());
        client.send(session.request(&message).bytes());
        client
    }

    /// Opens the session's GET stream here.
    pub(super) fn listen(&self, session: &Session) -> Events {
        block_in_place(|| {
            let mut client = Client::connect(self.local.address());
            client.send(session.listening().bytes());
            client.events()
        })
    }

    /// Posts a request of the session that is answered with `{}`.
    pub(super) fn done(&self, session: &Session, method: &str, params: Value) {
        let message = json!({ "jsonrpc": "2.0", "id": 77, "method": method, "params": params });
        let answer = self.post(session, &message).message();
        assert_eq!(answer["result"], json!({}), "{answer}");
    }

    pub(super) fn cancel(&self, session: &Session, id: u64) {
        let message = json!({
            "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id },
        });
        assert_eq!(self.post(session, &message).status, 202);
    }

    /// Answers a request of the server's.
    pub(super) fn answer(&self, session: &Session, id: &Value, result: Value) {
        let message = json!({ "jsonrpc": "2.0", "id": id, "result": result });
        assert_eq!(self.post(session, &message).status, 202);
    }
}

/// Hears all that replicas of "test" say to all of them or to one.
pub(crate) struct Overheard {
    heard: Arc<Mutex<Vec<Value>>>,
    stream: UnixStream,
}

impl Overheard {
    pub(crate) fn of(server: &RedisServer) -> Self {
        let url = server.url();
        let stream = UnixStream::connect(url.strip_prefix("unix://").unwrap()).unwrap();
        (&stream)
            .write_all(b"*2\r\n$10\r\nPSUBSCRIBE\r\n$13\r\ntest:{\\}:bus*\r\n")
            .unwrap();
        let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
        let said = Arc::clone(&heard);
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        // From here on it hears.
        while lines.next().unwrap().unwrap() != ":1" {}
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Ok(message) = serde_json::from_str::<Value>(&line)
                    && message.is_object()
                {
                    said.lock().unwrap().push(message);
                }
            }
        });
        Self { heard, stream }
    }

    /// What was said so far of this kind.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<Value> {
        let heard = self.heard.lock().unwrap();
        let found = heard.iter().filter(|message| message["kind"] == kind);
        found.cloned().collect()
    }
}

impl Drop for Overheard {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// The same message as if it was about a session of somebody else's.
pub(super) fn of_another(message: &Value) -> String {
    let mut forged = message.clone();
    let session = message["session"].as_str().unwrap();
    let (owner, nonce) = session.split_once(':').unwrap();
    assert_eq!(owner, "-", "nobody authenticates here");
    forged["session"] = format!("{:032x}:{nonce}", 7).into();
    forged.to_string()
}
