//! A server that is spoken to over its standard input and output.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::Result;
use crate::mcp;
use crate::server::ChildGuard;

pub(crate) struct StdioServer {
    child: ChildGuard,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl StdioServer {
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = ChildGuard(command.stderr(Stdio::null()).spawn()?);
        let input = child.0.stdin.take();
        let output = BufReader::new(child.0.stdout.take().ok_or("no stdout")?);
        Ok(Self {
            child,
            input,
            output,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Hands out the input, for a writer that does not wait for answers.
    pub(crate) fn take_input(&mut self) -> Result<ChildStdin> {
        Ok(self.input.take().ok_or("the input is taken")?)
    }

    /// Sends `initialize`, waits for its answer and starts the session.
    pub(crate) fn initialize(&mut self) -> Result<()> {
        let params = mcp::initialize_params();
        self.send(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }))?;
        let answer = self.next_answer()?;
        if answer["result"]["protocolVersion"] != mcp::LEGACY {
            return Err(format!("not initialized: {answer}").into());
        }
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        let input = self.input.as_mut().ok_or("the input is taken")?;
        Ok(input.write_all(format!("{message}\n").as_bytes())?)
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn call(&mut self, message: &Value) -> Result<Value> {
        self.send(message)?;
        self.next_answer()
    }

    /// The next message that is no notification.
    pub(crate) fn next_answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line)? == 0 {
                return Err("the server closed its output".into());
            }
            let message: Value = serde_json::from_str(&line)?;
            if message.get("method").is_none() {
                return Ok(message);
            }
        }
    }
}
