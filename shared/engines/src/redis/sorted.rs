//! Sorted sets.

use super::data::Bytes;
use super::reply::{SYNTAX, arity, bulk, count, integer, list, span};
use super::{Answer, Database};
use redis::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

/// Members by themselves and by their scores.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sorted {
    scores: BTreeMap<Bytes, Score>,
    order: BTreeSet<(Score, Bytes)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl Ord for Score {
    fn cmp(&self, other: &Score) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Score) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Sorted {
    pub(super) fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    fn add(&mut self, member: &[u8], score: f64) -> bool {
        let is_new = !self.remove(member);
        self.scores.insert(member.to_vec(), Score(score));
        self.order.insert((Score(score), member.to_vec()));
        is_new
    }

    fn remove(&mut self, member: &[u8]) -> bool {
        let Some((member, score)) = self.scores.remove_entry(member) else { return false };
        self.order.remove(&(score, member))
    }
}

pub(super) fn command(data: &mut Database, name: &str, arguments: &[&[u8]]) -> Option<Answer> {
    let now_ms = data.now_ms;
    Some(match (name, arguments) {
        ("ZADD", [name, pairs @ ..]) if !pairs.is_empty() => add(data, name, pairs),
        ("ZREM", [name, members @ ..]) if !members.is_empty() => data
            .names
            .change::<Sorted, _>(name, now_ms, |set| members.iter().filter(|member| set.remove(member)).count())
            .map(|gone| count(gone.unwrap_or_default())),
        ("ZREMRANGEBYSCORE", [name, from, to]) => remove_by_score(data, name, from, to),
        ("ZRANDMEMBER", [key, wanted]) => (|| {
            let wanted = integer(wanted)?;
            let set = data.names.read::<Sorted>(key, now_ms)?.cloned().unwrap_or_default();
            Ok(draw(&set, wanted, &mut data.chance))
        })(),
        (
            "ZCARD" | "ZSCORE" | "ZRANGE" | "ZREVRANGE" | "ZRANGEBYLEX" | "ZLEXCOUNT" | "ZRANGEBYSCORE",
            [key, rest @ ..],
        ) => match data.names.read::<Sorted>(key, now_ms) {
            Ok(set) => read(set.unwrap_or(&Sorted::default()), name, rest),
            Err(wrong) => Err(wrong),
        },
        ("ZADD" | "ZREM" | "ZREMRANGEBYSCORE" | "ZRANDMEMBER", _) => Err(arity(name)),
        _ => return None,
    })
}

fn add(data: &mut Database, name: &[u8], pairs: &[&[u8]]) -> Answer {
    if !pairs.len().is_multiple_of(2) {
        return Err(SYNTAX.to_owned());
    }
    let scores: Result<Vec<f64>, String> = pairs.iter().step_by(2).map(|text| score(text)).collect();
    let members = pairs.iter().skip(1).step_by(2);
    let (scores, now_ms) = (scores?, data.now_ms);
    let set = data.names.write::<Sorted>(name, now_ms)?;
    Ok(count(members.zip(scores).filter(|(member, score)| set.add(member, *score)).count()))
}

fn read(set: &Sorted, name: &str, arguments: &[&[u8]]) -> Answer {
    match (name, arguments) {
        ("ZCARD", []) => Ok(count(set.len())),
        ("ZSCORE", [member]) => Ok(set.scores.get(*member).map_or(Value::Nil, |score| shown(*score))),
        ("ZRANGE", [start, end]) => {
            let range = span(integer(start)?, integer(end)?, set.len());
            Ok(list(set.order.iter().skip(range.start).take(range.len()).map(|(_, member)| member)))
        }
        ("ZREVRANGE", [start, end, options @ ..]) => {
            let range = span(integer(start)?, integer(end)?, set.len());
            let with_scores = options.first().is_some_and(|option| option.eq_ignore_ascii_case(b"WITHSCORES"));
            let ranked = set.order.iter().rev().skip(range.start).take(range.len());
            let items = ranked
                .flat_map(|(score, member)| std::iter::once(bulk(member)).chain(with_scores.then(|| shown(*score))));
            Ok(Value::Array(items.collect()))
        }
        ("ZRANGEBYSCORE", [from, to]) => Ok(list(by_score(set, from, to)?)),
        ("ZLEXCOUNT", [from, to]) => Ok(count(by_name(set, from, to)?.count())),
        ("ZRANGEBYLEX", [from, to, options @ ..]) => {
            let found = by_name(set, from, to)?;
            match options {
                [] => Ok(list(found)),
                [limit, skip, most] if limit.eq_ignore_ascii_case(b"LIMIT") => {
                    let skip = usize::try_from(integer(skip)?).unwrap_or(usize::MAX);
                    let most = usize::try_from(integer(most)?).unwrap_or(usize::MAX);
                    Ok(list(found.skip(skip).take(most)))
                }
                _ => Err(SYNTAX.to_owned()),
            }
        }
        _ => Err(arity(name)),
    }
}

/// The members between two names; all scores are the same where this is asked.
fn by_name<'a>(set: &'a Sorted, from: &[u8], to: &[u8]) -> Result<Box<dyn Iterator<Item = &'a Bytes> + 'a>, String> {
    let (from, to) = (name_bound(from)?, name_bound(to)?);
    let (Some(from), Some(to)) = (from.or_first(), to.or_last()) else { return Ok(Box::new(std::iter::empty())) };
    let is_empty = match (&from, &to) {
        (Bound::Included(a), Bound::Included(b)) => a > b,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => a >= b,
        _ => false,
    };
    if is_empty {
        return Ok(Box::new(std::iter::empty()));
    }
    Ok(Box::new(set.scores.range::<[u8], _>((as_slice(&from), as_slice(&to))).map(|(member, _)| member)))
}

fn as_slice(bound: &Bound<Bytes>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(name) => Bound::Included(name),
        Bound::Excluded(name) => Bound::Excluded(name),
        Bound::Unbounded => Bound::Unbounded,
    }
}

enum NameBound {
    First,
    Last,
    At(Bound<Bytes>),
}

impl NameBound {
    /// As the lower one; nothing where no name is above it.
    fn or_first(self) -> Option<Bound<Bytes>> {
        match self {
            NameBound::First => Some(Bound::Unbounded),
            NameBound::Last => None,
            NameBound::At(bound) => Some(bound),
        }
    }

    /// As the upper one; nothing where no name is below it.
    fn or_last(self) -> Option<Bound<Bytes>> {
        match self {
            NameBound::First => None,
            NameBound::Last => Some(Bound::Unbounded),
            NameBound::At(bound) => Some(bound),
        }
    }
}

fn name_bound(text: &[u8]) -> Result<NameBound, String> {
    match text {
        b"-" => Ok(NameBound::First),
        b"+" => Ok(NameBound::Last),
        [b'[', name @ ..] => Ok(NameBound::At(Bound::Included(name.to_vec()))),
        [b'(', name @ ..] => Ok(NameBound::At(Bound::Excluded(name.to_vec()))),
        _ => Err("ERR min or max not valid string range item".to_owned()),
    }
}

fn by_score<'a>(set: &'a Sorted, from: &[u8], to: &[u8]) -> Result<impl Iterator<Item = &'a Bytes> + 'a, String> {
    let (from, to) = (score_bound(from)?, score_bound(to)?);
    let above = move |score: f64| if from.1 { score > from.0 } else { score >= from.0 };
    let below = move |score: f64| if to.1 { score < to.0 } else { score <= to.0 };
    let within = set.order.iter().filter(move |(score, _)| above(score.0) && below(score.0));
    Ok(within.map(|(_, member)| member))
}

fn score_bound(text: &[u8]) -> Result<(f64, bool), String> {
    let (text, exclusive) = match text {
        [b'(', rest @ ..] => (rest, true),
        _ => (text, false),
    };
    score(text).map(|score| (score, exclusive)).map_err(|_| "ERR min or max is not a float".to_owned())
}

fn remove_by_score(data: &mut Database, name: &[u8], from: &[u8], to: &[u8]) -> Answer {
    let now_ms = data.now_ms;
    let gone = data.names.change::<Sorted, _>(name, now_ms, |set| {
        let gone: Vec<Bytes> = by_score(set, from, to)?.cloned().collect();
        for member in &gone {
            set.remove(member);
        }
        Ok::<_, String>(gone.len())
    })?;
    Ok(count(gone.transpose()?.unwrap_or_default()))
}

/// So many members, each at most once, or as many as are asked for with a minus, by lot each time.
fn draw(set: &Sorted, wanted: i64, chance: &mut fastrand::Rng) -> Value {
    let members: Vec<&Bytes> = set.scores.keys().collect();
    if members.is_empty() {
        return Value::Array(Vec::new());
    }
    let most = usize::try_from(wanted.unsigned_abs()).unwrap_or(usize::MAX);
    if wanted < 0 {
        return Value::Array((0..most).map(|_| bulk(members[chance.usize(..members.len())])).collect());
    }
    let mut members = members;
    chance.shuffle(&mut members);
    list(members.into_iter().take(most))
}

fn score(text: &[u8]) -> Result<f64, String> {
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    let parsed = match text.as_str() {
        "inf" | "+inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        text => text.parse().ok(),
    };
    parsed.ok_or_else(|| "ERR value is not a valid float".to_owned())
}

fn shown(score: Score) -> Value {
    Value::BulkString(format!("{}", score.0).into_bytes())
}
