//! HTTP/1.1 on plain sockets, as much of it as the bench's own ends of a connection need. A message is read in full
//! before anything is done with it, and nothing is allocated that the message does not hold.

use std::io::{self, BufRead, Error, Read};

/// A request or a response.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// Its first line.
    pub start: String,
    /// Its body.
    pub body: Vec<u8>,
}

/// Reads the next message; `None` at the end of the connection.
///
/// # Errors
/// When the connection breaks, or what comes is no HTTP.
pub fn read(stream: &mut impl BufRead) -> io::Result<Option<Message>> {
    let start = read_line(stream)?;
    if start.is_empty() {
        return Ok(None);
    }
    let (mut length, mut chunked) = (0, false);
    loop {
        let line = read_line(stream)?.to_ascii_lowercase();
        match line.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = value.trim().parse().map_err(Error::other)?,
            Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
            Some(_) => {}
        }
    }
    let body = if chunked { read_chunks(stream)? } else { read_exactly(stream, length)? };
    Ok(Some(Message { start, body }))
}

fn read_chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(&read_line(stream)?, 16).map_err(Error::other)?;
        body.extend(read_exactly(stream, length)?);
        read_line(stream)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

fn read_exactly(stream: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    line.truncate(line.trim_end().len());
    Ok(line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_bodies_of_known_and_of_unknown_length() {
        let mut stream = &b"POST /a/response HTTP/1.1\r\nContent-Length: 2\r\n\r\nab\
            POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n\
            HTTP/1.1 200 OK\r\nHost: x\r\n\r\n"[..];
        let mut next = || read(&mut stream).unwrap();
        let message = |start: &str, body: &[u8]| Some(Message { start: start.to_owned(), body: body.to_vec() });
        assert_eq!(next(), message("POST /a/response HTTP/1.1", b"ab"));
        assert_eq!(next(), message("POST /b HTTP/1.1", b"abcd"));
        assert_eq!(next(), message("HTTP/1.1 200 OK", b""));
        assert_eq!(next(), None);
    }
}
