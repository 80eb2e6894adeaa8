//! A keep-alive HTTP/1.1 client, just enough for the requests around a measurement.
//!
//! It counts the bytes of an answer, so that the load tool's total can be held against what a right
//! answer weighs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Result;

/// Far above any honest answer; a server that hangs fails the run loudly.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

/// A request to `/mcp`; the method is always POST.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Everything that came over the wire: status line, headers, framing, body.
    pub(crate) wire_bytes: usize,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(key, _)| key == name);
        named.next().map(|(_, value)| value.as_str())
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
            address,
        })
    }

    pub(crate) fn post(&mut self, post: &Post) -> Result<Response> {
        let text = post.text(self.address);
        self.stream.get_mut().write_all(text.as_bytes())?;
        read_response(&mut self.stream)
    }
}

impl Post {
    /// The request as it goes over the wire.
    pub(crate) fn text(&self, server: SocketAddr) -> String {
        let mut text = format!("POST /mcp HTTP/1.1\r\nhost: {server}\r\n");
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("content-length: {}\r\n\r\n", self.body.len());
        text + &self.body
    }
}

pub(crate) fn read_response(from: &mut impl BufRead) -> Result<Response> {
    let mut wire_bytes = 0;
    let status_line = read_line(from, &mut wire_bytes)?;
    let status = status_line
        .split(' ')
        .nth(1)
        .ok_or_else(|| format!("not an HTTP answer: {status_line:?}"))?
        .parse()?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(from, &mut wire_bytes)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response {
        status,
        headers,
        body: String::new(),
        wire_bytes,
    };
    let mut body = Vec::new();
    if response.header("transfer-encoding") == Some("chunked") {
        while read_chunk(from, &mut body, &mut response.wire_bytes)? {}
    } else if let Some(length) = response.header("content-length") {
        body.resize(length.parse()?, 0);
        from.read_exact(&mut body)?;
        response.wire_bytes += body.len();
    }
    response.body = String::from_utf8(body)?;
    Ok(response)
}

/// Appends one chunk; false after the last.
fn read_chunk(from: &mut impl BufRead, body: &mut Vec<u8>, wire_bytes: &mut usize) -> Result<bool> {
    let size = usize::from_str_radix(&read_line(from, wire_bytes)?, 16)?;
    let got = from.by_ref().take(size as u64).read_to_end(body)?;
    if got != size {
        return Err("the connection ended within a chunk".into());
    }
    *wire_bytes += size;
    if read_line(from, wire_bytes)?.is_empty() {
        Ok(size > 0)
    } else {
        Err("a chunk longer than it said".into())
    }
}

fn read_line(from: &mut impl BufRead, wire_bytes: &mut usize) -> Result<String> {
    let mut line = String::new();
    *wire_bytes += from.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err("the server closed the connection within an answer".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::read_response;
    use crate::Result;

    #[test]
    fn a_sized_answer_ends_where_it_says() -> Result<()> {
        let wire = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b:c\r\n\r\nhiHTTP/1.1 …";
        let response = read_response(&mut wire.as_bytes())?;
        assert_eq!((response.status, response.body.as_str()), (200, "hi"));
        assert_eq!(response.header("x-a"), Some("b:c"));
        assert_eq!(wire.find("HTTP/1.1 …"), Some(response.wire_bytes));
        Ok(())
    }

    #[test]
    fn chunks_are_joined_and_counted() -> Result<()> {
        let wire =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        let response = read_response(&mut wire.as_bytes())?;
        assert_eq!(response.body, "abcd");
        assert_eq!(response.wire_bytes, wire.len());
        Ok(())
    }

    #[test]
    fn a_cut_answer_is_an_error() {
        for wire in [
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
            "HTTP/1.1 200 OK\r\ncontent-le",
            "",
        ] {
            assert!(read_response(&mut wire.as_bytes()).is_err(), "{wire:?}");
        }
    }
}
