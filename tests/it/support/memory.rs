//! A client of a server in the same process, over a pipe in memory.

use pymcp_kit::Server;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

use super::message::request;

pub(crate) struct Memory {
    pipe: BufReader<DuplexStream>,
}

impl Memory {
    /// Connects and shakes hands.
    pub(crate) async fn connect(server: &Server) -> Self {
        let mut client = Self {
            pipe: BufReader::new(pymcp_kit::testing::connect(server)),
        };
        let client_info = json!({ "name": "memory-test", "version": "1.0" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client_info });
        let answer = client.ask(&request("hello", "initialize", params)).await;
        assert_eq!(
            answer["result"]["protocolVersion"], "2025-11-25",
            "{answer}"
        );
        client
    }

    /// Sends a request and returns its answer; notifications before it are skipped.
    pub(crate) async fn ask(&mut self, request: &Value) -> Value {
        self.pipe
            .get_mut()
            .write_all(format!("{request}\n").as_bytes())
            .await
            .expect("a server");
        loop {
            let mut line = String::new();
            let read = self.pipe.read_line(&mut line).await.expect("a server");
            assert_ne!(read, 0, "no answer to {request}");
            let message: Value = serde_json::from_str(&line).expect("JSON");
            if message["id"] == request["id"] {
                return message;
            }
        }
    }
}
