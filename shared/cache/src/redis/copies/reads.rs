//! Reading copies: whole, or only the beginning of those that may be large.

use super::{Copies, Found, form, lines};
use crate::{level::Levels, redis::Down, version::Version};
use bytes::Bytes;
use redis::{Cmd, Value, cmd};
use std::sync::Arc;

impl Copies {
    /// The command that reads the copy of `key`.
    pub(crate) fn read(&self, key: &str) -> Cmd {
        let mut read = cmd("GET");
        read.arg(self.keys.copy(key));
        read
    }

    /// The command that reads the copy of `key`, if its envelope has at most so many bytes, and else its beginning.
    pub(crate) fn read_within(&self, key: &str, envelope_bytes: usize) -> Cmd {
        self.beginning(key, form::most_of(envelope_bytes))
    }

    /// The command that reads so many bytes of the copy of `key`.
    pub(super) fn beginning(&self, key: &str, bytes: usize) -> Cmd {
        let mut read = cmd("GETRANGE");
        read.arg(self.keys.copy(key)).arg(0).arg(bytes - 1);
        read
    }

    /// The command that asks whether the copy of `key` has these tags.
    pub(crate) fn tags(&self, key: &str, tags: &[Arc<str>]) -> Cmd {
        self.beginning(key, form::most_of_tags(lines(tags).len()))
    }

    /// The command that asks for the bytes of the envelope of `key`.
    pub(crate) fn size(&self, key: &str) -> Cmd {
        self.beginning(key, form::HEAD_BYTES)
    }
}

/// Reads the reply to [`Copies::tagged`]: the version of a copy that has these tags, and the levels that its PUT named.
pub(crate) fn with_tags(reply: Value, tags: &[Arc<str>]) -> Option<(Version, Levels)> {
    form::with_tags(&form::text(reply).ok()?, &lines(tags))
}

impl Found {
    /// The version of a tombstone in the reply to [`Copies::read`].
    pub(crate) fn tombstone(reply: &Value) -> Option<Version> {
        let Value::BulkString(text) = reply else { return None };
        let read = form::Beginning::of(Bytes::copy_from_slice(text))?;
        (read.envelope_bytes == 0).then_some(read.found.version)
    }

    /// Reads the reply to [`Copies::read`]; `None` where there is no copy, or only a tombstone, or something else has its
    /// name, which the next write replaces.
    pub(crate) fn parse(reply: Value) -> Result<Option<Found>, Down> {
        let read = form::Beginning::of(form::text(reply)?);
        let whole = read.filter(|read| read.envelope_bytes > 0 && read.found.envelope.len() == read.envelope_bytes);
        Ok(whole.map(|read| read.found))
    }

    /// Reads the reply to [`Copies::read_within`]: the copy, or how many bytes its envelope has that was not read whole.
    pub(crate) fn parse_within(reply: Value) -> Result<Result<Option<Found>, usize>, Down> {
        let Some(read) = form::Beginning::of(form::text(reply)?) else { return Ok(Ok(None)) };
        let is_whole = read.found.envelope.len() == read.envelope_bytes;
        Ok(if is_whole { Ok((read.envelope_bytes > 0).then_some(read.found)) } else { Err(read.envelope_bytes) })
    }
}

/// Reads the reply to [`Copies::size`]; 0 where there is no copy.
pub(crate) fn size(reply: Value) -> Result<usize, Down> {
    Ok(form::Beginning::of(form::text(reply)?).map_or(0, |read| read.envelope_bytes))
}
