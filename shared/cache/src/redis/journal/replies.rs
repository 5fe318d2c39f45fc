//! What Redis says to the commands of the journal.

use crate::{
    coherence::{Fenced, Published, Recorded, Said, SyncReply},
    open_invalidations::OpenInvalidations,
    record::Record,
    redis::{Down, link::read},
    selector::{Invalidation, WrittenInvalidation},
    version::{Position, Version},
};
use redis::Value;
use std::collections::HashMap;
use tokio::time::Instant;

/// Digits of [`Version::sortable`].
const VERSION_DIGITS: usize = 20;

/// Fields of a raw record.
pub(crate) type Fields = HashMap<String, String>;

type RawReply = (u64, u64, String, String, RawOpen, u8, Vec<(String, Fields)>, RawPublished, u64, String, u64, RawSaid);
type RawSaid = (Vec<String>, Vec<String>);
type RawOpen = (String, u8, Vec<(String, String)>);
type RawPublished = (String, String, String, u8);

impl From<RawPublished> for Published {
    fn from((version, document, switched, settling): RawPublished) -> Published {
        Published {
            version: version.parse().ok(),
            document: Some(document).filter(|document| !document.is_empty()),
            switched: Position::parse(&switched).unwrap_or(Position::ZERO),
            settling: settling == 1,
        }
    }
}

impl SyncReply {
    pub(crate) fn parse(reply: Value) -> Result<SyncReply, Down> {
        let (seconds, micros, epoch, notes, open, gap, raw, published, ahead_us, newest, count, (said, fenced)) =
            read::<RawReply>(reply, "a sync")?;
        let gap =
            if gap == 1 { Some(Position::parse(&newest).ok_or(Down::Odd("the end of the journal"))?) } else { None };
        let (open_set, is_known, open) = open;
        let mut records = raw
            .iter()
            .map(|(id, fields)| Record::parse(id, fields))
            .collect::<Option<Vec<_>>>()
            .ok_or(Down::Odd("a record's position"))?;
        records.sort_by_key(|record| record.at);
        Ok(SyncReply {
            time_us: seconds * 1_000_000 + micros,
            received: Instant::now(),
            epoch: Position::parse(&epoch).ok_or(Down::Odd("the epoch"))?,
            notes_checked_ms: notes.parse().unwrap_or_default(),
            open: (is_known == 0).then(|| {
                let open = open.iter().map(|(id, body)| (Position::parse(id), body.as_str()));
                OpenInvalidations::read(open).named(open_set)
            }),
            ahead: if ahead_us > 0 { Version::at(ahead_us, u16::MAX) } else { Version::ZERO },
            published: published.into(),
            gap,
            count,
            said: Said::read(&said)?,
            fenced: Fenced::read(&fenced)?,
            records,
        })
    }
}

impl Fenced {
    fn read(fenced: &[String]) -> Result<Option<Fenced>, Down> {
        let [end, is_whole, invalidations @ ..] = fenced else { return Ok(None) };
        let end = Position::parse(end).ok_or(Down::Odd("the end of the journal"))?;
        let read = |pair: &[String]| WrittenInvalidation::read(Position::parse(&pair[0])?, &pair[1]);
        let (pairs, rest) = invalidations.as_chunks::<2>();
        let all: Option<Vec<Invalidation>> = pairs.iter().map(|pair| read(pair)).collect();
        Ok(Some(Fenced { end, invalidations: all.filter(|_| is_whole == "1" && rest.is_empty()) }))
    }
}

impl Said {
    fn read(said: &[String]) -> Result<Option<Said>, Down> {
        let Some((floor, keys)) = said.split_first() else { return Ok(None) };
        let odd = || Down::Odd("the index of the journal");
        let floor = Position::parse(floor).ok_or_else(odd)?;
        let keys = keys.iter().map(|text| match text.split_at_checked(VERSION_DIGITS) {
            None if text.is_empty() => Ok(None),
            Some((greatest, last)) => match (Version::parse(greatest), Position::parse(last)) {
                (Some(greatest), Some(last)) => Ok(Some(Recorded { greatest, last })),
                _ => Err(odd()),
            },
            None => Err(odd()),
        });
        Ok(Some(Said { floor, keys: keys.collect::<Result<_, _>>()? }))
    }

    /// Reads the reply to [`Journal::ask`]; `None` where the index says nothing.
    pub(crate) fn parse(reply: Value) -> Result<Option<Said>, Down> {
        Said::read(&read::<Vec<String>>(reply, "the index of the journal")?)
    }
}

/// Reads the reply to [`Journal::history`], oldest first.
pub(crate) fn history(reply: Value) -> Result<Vec<(Position, Fields)>, Down> {
    let raw: Vec<(String, Fields)> = read(reply, "the journal")?;
    let mut records: Vec<_> =
        raw.into_iter().filter_map(|(id, fields)| Some((Position::parse(&id)?, fields))).collect();
    records.sort_by_key(|(at, _)| *at);
    Ok(records)
}

/// Reads the reply to [`Journal::configure`]: whether the document stands there now, and not another that is as new or
/// newer.
pub(crate) fn is_published(reply: Value) -> Result<bool, Down> {
    read::<i64>(reply, "a configuration").map(|said| said != 2)
}

/// Reads the reply to [`Journal::notes_checked`]: whether the epoch has not ended.
pub(crate) fn checked(reply: Value) -> Result<bool, Down> {
    read(reply, "the notes")
}

/// What came of beginning an invalidation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opened {
    /// Its record stands there.
    At(Position),
    /// The operation was too old to go on.
    Late,
    /// Too many are open.
    Full,
    /// One of this version was undone: begin again with a greater one.
    Behind(Version),
}

/// Reads the reply to [`Journal::invalidate`].
pub(crate) fn opened(reply: Value) -> Result<Opened, Down> {
    let reply = read::<String>(reply, "an invalidation")?;
    if let Some(undone) = reply.strip_prefix("behind ") {
        return Version::parse(undone).map(Opened::Behind).ok_or(Down::Odd("what was undone"));
    }
    Ok(match reply.as_str() {
        "full" => Opened::Full,
        id => Position::parse(id).map_or(Opened::Late, Opened::At),
    })
}

/// Reads the reply to [`Journal::close`]: whether it is closed; if not, its record was lost.
pub(crate) fn closed(reply: Value) -> Result<bool, Down> {
    read::<i64>(reply, "a close").map(|closed| closed == 1)
}

/// Reads the reply to [`Journal::mark_undone`].
pub(crate) fn marked(reply: Value) -> Result<(), Down> {
    read::<i64>(reply, "what was undone").map(drop)
}

/// Reads the reply to [`Journal::open_now`].
pub(crate) fn open_now(reply: Value) -> Result<Vec<String>, Down> {
    read(reply, "the open invalidations")
}

/// Reads the reply to [`Journal::append`], [`Journal::raise`], [`Journal::invalidated`] and [`Journal::warm`]: `None` when
/// the operation was too old to go on.
pub(crate) fn appended(reply: Value) -> Result<Option<Position>, Down> {
    read::<String>(reply, "an append").map(|id| Position::parse(&id))
}
