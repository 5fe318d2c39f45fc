//! A port of this program that others connect to.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

/// Opens a port for as long as the process lasts, and gives each connection to `serve`.
///
/// # Errors
/// When no port can be had.
pub fn open(serve: impl Fn(TcpStream) + Send + 'static) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    Ok(address)
}
