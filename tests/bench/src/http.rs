//! HTTP/1.1 on plain sockets, as much of it as the bench's own ends of a connection need. A message is read in full
//! before anything is done with it, and nothing is allocated that the message does not hold.

use std::io::{self, BufRead, Error, Read};

/// A request or a response.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// Its first line and its headers, each with its end of line.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Message {
    /// Its first line.
    pub fn start(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

/// Reads the next message; `None` at the end of the connection.
///
/// # Errors
/// When the connection breaks, or what comes is no HTTP.
pub fn read(stream: &mut impl BufRead) -> io::Result<Option<Message>> {
    let mut head = String::new();
    // The line that ends the head has nothing but its own end.
    while stream.read_line(&mut head)? > 2 {}
    if head.is_empty() {
        return Ok(None);
    }
    let body = if header(&head, "transfer-encoding") == Some("chunked") {
        read_chunks(stream)?
    } else {
        let length = header(&head, "content-length").unwrap_or("0");
        read_exactly(stream, length.parse().map_err(Error::other)?)?
    };
    head.truncate(head.len().saturating_sub(2));
    Ok(Some(Message { head, body }))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    headers.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value.trim()))
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
        let first = next().unwrap();
        assert_eq!((first.start(), first.header("content-length")), ("POST /a/response HTTP/1.1", Some("2")));
        assert_eq!(first.body, b"ab");
        assert_eq!(next().unwrap().body, b"abcd");
        let last = next().unwrap();
        assert_eq!((last.head.as_str(), last.header("length")), ("HTTP/1.1 200 OK\r\nHost: x\r\n", None));
        assert_eq!(next(), None);
    }
}
