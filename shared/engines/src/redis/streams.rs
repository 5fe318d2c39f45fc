//! Streams.

use super::data::Bytes;
use super::reply::{SYNTAX, arity, bulk, count, integer, list};
use super::{Answer, Database};
use redis::Value;
use std::collections::BTreeMap;

type Id = (u64, u64);

const INVALID: &str = "ERR Invalid stream ID specified as stream command argument";

/// Records in the order of their positions.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Stream {
    records: BTreeMap<Id, Record>,
    last: Id,
    /// The node that takes the next record, and how many it has taken.
    node: (u64, usize),
}

#[derive(Debug, Clone, PartialEq)]
struct Record {
    node: u64,
    fields: Vec<Bytes>,
}

/// Up to where a stream is cut off.
#[derive(Debug, Clone, Copy)]
struct Trim {
    bound: Cut,
    /// Whole nodes only, and no more records than that.
    about: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Cut {
    MaxLen(usize),
    MinId(Id),
}

impl Stream {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    fn add(&mut self, id: Id, fields: Vec<Bytes>, per_node: usize) {
        if self.node.1 >= per_node || self.records.is_empty() {
            self.node = (self.node.0 + 1, 0);
        }
        self.node.1 += 1;
        self.records.insert(id, Record { node: self.node.0, fields });
        self.last = id;
    }

    /// Cuts off the oldest; returns how many.
    fn trim(&mut self, trim: Trim) -> usize {
        let mut gone = 0;
        while let Some(first) = self.records.first_entry() {
            let node = first.get().node;
            if let Cut::MaxLen(most) = trim.bound
                && self.records.len() <= most
            {
                break;
            }
            let whole: Vec<Id> =
                self.records.iter().take_while(|(_, record)| record.node == node).map(|(id, _)| *id).collect();
            if trim.about.is_some_and(|limit| limit > 0 && gone + whole.len() > limit) {
                break;
            }
            let is_past = |id: &Id| matches!(trim.bound, Cut::MinId(least) if *id < least);
            let goes = match trim.bound {
                Cut::MaxLen(most) => self.records.len() - whole.len() >= most,
                Cut::MinId(_) => whole.last().is_some_and(is_past),
            };
            let cut = match (goes, trim.bound) {
                (true, _) => whole.len(),
                (false, _) if trim.about.is_some() => 0,
                (false, Cut::MaxLen(most)) => self.records.len() - most,
                (false, Cut::MinId(_)) => whole.iter().take_while(|id| is_past(id)).count(),
            };
            whole.iter().take(cut).for_each(|id| drop(self.records.remove(id)));
            gone += cut;
            if !goes {
                break;
            }
        }
        gone
    }
}

pub(super) fn command(data: &mut Database, name: &str, arguments: &[&[u8]]) -> Option<Answer> {
    let now_ms = data.now_ms;
    Some(match (name, arguments) {
        ("XADD", [key, rest @ ..]) => add(data, key, rest),
        ("XLEN", [key]) => data.names.read::<Stream>(key, now_ms).map(|stream| count(stream.map_or(0, Stream::len))),
        ("XRANGE", [key, from, to, options @ ..]) => range(data, key, from, to, options, false),
        ("XREVRANGE", [key, to, from, options @ ..]) => range(data, key, from, to, options, true),
        ("XTRIM", [key, rest @ ..]) => (|| {
            let (trim, rest) = trim_of(rest, data.node)?;
            let trim = trim.filter(|_| rest.is_empty()).ok_or(SYNTAX)?;
            let gone = data.names.change::<Stream, _>(key, now_ms, |stream| stream.trim(trim))?;
            Ok(count(gone.unwrap_or_default()))
        })(),
        ("XDEL", [key, ids @ ..]) if !ids.is_empty() => (|| {
            let ids: Result<Vec<Id>, String> = ids.iter().map(|text| id(text, 0)).collect();
            let ids = ids?;
            let gone = data.names.change::<Stream, _>(key, now_ms, |stream| {
                ids.iter().filter(|id| stream.records.remove(id).is_some()).count()
            })?;
            Ok(count(gone.unwrap_or_default()))
        })(),
        ("XADD" | "XLEN" | "XRANGE" | "XREVRANGE" | "XTRIM" | "XDEL", _) => Err(arity(name)),
        _ => return None,
    })
}

fn add(data: &mut Database, key: &[u8], arguments: &[&[u8]]) -> Answer {
    let (now_ms, per_node) = (data.now_ms, data.node);
    let (trim, rest) = trim_of(arguments, per_node)?;
    let [wanted, fields @ ..] = rest else { return Err(arity("XADD")) };
    if fields.is_empty() || fields.len() % 2 != 0 {
        return Err(arity("XADD"));
    }
    let explicit = if *wanted == b"*" { None } else { Some(id(wanted, 0)?) };
    let last = data.names.read::<Stream>(key, now_ms)?.map_or((0, 0), |stream| stream.last);
    let at = match explicit {
        Some((0, 0)) => return Err("ERR The ID specified in XADD must be greater than 0-0".to_owned()),
        Some(at) if at <= last => {
            return Err("ERR The ID specified in XADD is equal or smaller than the target stream top item".to_owned());
        }
        Some(at) => at,
        None => {
            let now = u64::try_from(now_ms).unwrap_or_default();
            if now > last.0 { (now, 0) } else { (last.0, last.1 + 1) }
        }
    };
    let stream = data.names.write::<Stream>(key, now_ms)?;
    stream.add(at, fields.iter().map(|field| field.to_vec()).collect(), per_node);
    if let Some(trim) = trim {
        stream.trim(trim);
    }
    Ok(shown(at))
}

fn range(data: &mut Database, key: &[u8], from: &[u8], to: &[u8], options: &[&[u8]], reverse: bool) -> Answer {
    let most = match options {
        [] => usize::MAX,
        [option, most] if option.eq_ignore_ascii_case(b"COUNT") => usize::try_from(integer(most)?).unwrap_or_default(),
        _ => return Err(SYNTAX.to_owned()),
    };
    let (from, to) = (start(from)?, end(to)?);
    let now_ms = data.now_ms;
    let stream = data.names.read::<Stream>(key, now_ms)?;
    let (Some(stream), Some(from), Some(to)) = (stream, from, to) else { return Ok(Value::Array(Vec::new())) };
    if from > to {
        return Ok(Value::Array(Vec::new()));
    }
    let told = |(at, record): (&Id, &Record)| Value::Array(vec![shown(*at), list(&record.fields)]);
    let records = stream.records.range(from..=to);
    Ok(Value::Array(if reverse {
        records.rev().take(most).map(told).collect()
    } else {
        records.take(most).map(told).collect()
    }))
}

/// Reads what is said of trimming, and what follows it.
fn trim_of<'a, 'b>(arguments: &'a [&'b [u8]], per_node: usize) -> Result<(Option<Trim>, &'a [&'b [u8]]), String> {
    let [strategy, rest @ ..] = arguments else { return Ok((None, arguments)) };
    let strategy = strategy.to_ascii_uppercase();
    if strategy != b"MAXLEN" && strategy != b"MINID" {
        return Ok((None, arguments));
    }
    let (about, rest) = match rest {
        [b"~", rest @ ..] => (Some(100 * per_node), rest),
        [b"=", rest @ ..] => (None, rest),
        _ => (None, rest),
    };
    let [threshold, rest @ ..] = rest else { return Err(SYNTAX.to_owned()) };
    let bound = if strategy == b"MAXLEN" {
        Cut::MaxLen(usize::try_from(integer(threshold)?).map_err(|_| "ERR The MAXLEN argument must be >= 0.")?)
    } else {
        Cut::MinId(id(threshold, 0)?)
    };
    let (about, rest) = match rest {
        [limit, most, rest @ ..] if limit.eq_ignore_ascii_case(b"LIMIT") && about.is_some() => {
            (Some(usize::try_from(integer(most)?).unwrap_or_default()), rest)
        }
        _ => (about, rest),
    };
    Ok((Some(Trim { bound, about }), rest))
}

/// Where a range begins; nothing where that is after the last position there can be.
fn start(text: &[u8]) -> Result<Option<Id>, String> {
    match text {
        b"-" => Ok(Some((0, 0))),
        b"+" => Ok(Some((u64::MAX, u64::MAX))),
        [b'(', rest @ ..] => {
            let (ms, seq) = id(rest, 0)?;
            Ok(match seq.checked_add(1) {
                Some(seq) => Some((ms, seq)),
                None => ms.checked_add(1).map(|ms| (ms, 0)),
            })
        }
        text => id(text, 0).map(Some),
    }
}

/// Where a range ends; nothing where that is before the first position there can be.
fn end(text: &[u8]) -> Result<Option<Id>, String> {
    match text {
        b"-" => Ok(Some((0, 0))),
        b"+" => Ok(Some((u64::MAX, u64::MAX))),
        [b'(', rest @ ..] => {
            let (ms, seq) = id(rest, u64::MAX)?;
            Ok(match seq.checked_sub(1) {
                Some(seq) => Some((ms, seq)),
                None => ms.checked_sub(1).map(|ms| (ms, u64::MAX)),
            })
        }
        text => id(text, u64::MAX).map(Some),
    }
}

fn id(text: &[u8], seq: u64) -> Result<Id, String> {
    let parse = || {
        let text = std::str::from_utf8(text).ok()?;
        match text.split_once('-') {
            Some((ms, seq)) => Some((ms.parse().ok()?, seq.parse().ok()?)),
            None => Some((text.parse().ok()?, seq)),
        }
    };
    parse().ok_or_else(|| INVALID.to_owned())
}

fn shown((ms, seq): Id) -> Value {
    bulk(format!("{ms}-{seq}").as_bytes())
}
