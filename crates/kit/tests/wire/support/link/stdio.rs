//! The framing of stdio, over a pipe in memory.

use pymcp_kit::Server;
use pymcp_kit::testing::PATIENCE;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::{Link, close};

pub(super) struct Pipe {
    pipe: BufReader<DuplexStream>,
    // The server runs in it.
    runtime: Runtime,
}

impl Pipe {
    pub(super) fn connect(server: &Server) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let entered = runtime.enter();
        let pipe = BufReader::new(pymcp_kit::testing::connect(server));
        drop(entered);
        Self { pipe, runtime }
    }
}

impl Link for Pipe {
    fn line(&self, message: &Value) -> Value {
        message.clone()
    }

    fn play(&mut self, line: &Value) {
        let pipe = self.pipe.get_mut();
        self.runtime.block_on(async {
            match *line == close() {
                true => pipe.shutdown().await.expect("a pipe"),
                false => {
                    let line = format!("{line}\n");
                    pipe.write_all(line.as_bytes()).await.expect("a server");
                }
            }
        });
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        let read = async { timeout(PATIENCE, self.pipe.read_line(&mut line)).await };
        let read = self.runtime.block_on(read).expect("a line in time");
        match read.expect("a pipe") {
            0 => json!({ "end": true }),
            _ => serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")),
        }
    }
}
