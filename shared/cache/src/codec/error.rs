//! Why bytes are not an envelope. All of them mean the same to a level, a miss whose copy is removed; the kinds are for
//! the log, where a newer release's envelope and a damaged one are different things.

use std::fmt;

/// Why an envelope cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// It does not begin with the magic bytes.
    NotAnEnvelope,
    /// It is written by another release: this version of the envelope.
    UnknownVersion(u8),
    /// It is written by another release: this format of the header.
    UnknownFormat(u8),
    /// It is written by another release: this compression of the payload.
    UnknownCompression(u8),
    /// It is written by another release: these flags.
    UnknownFlags(u8),
    /// It ends before its header does.
    Truncated,
    /// Prefix or header are not what was written.
    Seal,
    /// The header is sealed but cannot be read.
    Header,
    /// The text has so many bytes, which is more than the reader allows.
    TooLarge(u64),
    /// The payload is shorter or longer than the header says.
    Length,
    /// The payload cannot be decompressed to the length the header says.
    Compression,
    /// The text is not what was written.
    Checksum,
    /// The text is not UTF-8.
    Utf8,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::NotAnEnvelope => f.write_str("not an envelope"),
            DecodeError::UnknownVersion(code) => write!(f, "unknown envelope version {code}"),
            DecodeError::UnknownFormat(code) => write!(f, "unknown header format {code}"),
            DecodeError::UnknownCompression(code) => write!(f, "unknown compression {code}"),
            DecodeError::UnknownFlags(flags) => write!(f, "unknown flags {flags:#010b}"),
            DecodeError::Truncated => f.write_str("envelope ends inside its header"),
            DecodeError::Seal => f.write_str("header does not match its seal"),
            DecodeError::Header => f.write_str("header cannot be read"),
            DecodeError::TooLarge(bytes) => write!(f, "text of {bytes} bytes is over the limit"),
            DecodeError::Length => f.write_str("payload does not have the recorded length"),
            DecodeError::Compression => f.write_str("payload cannot be decompressed to the recorded length"),
            DecodeError::Checksum => f.write_str("text does not match its checksum"),
            DecodeError::Utf8 => f.write_str("text is not UTF-8"),
        }
    }
}

impl std::error::Error for DecodeError {}
