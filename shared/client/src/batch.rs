//! Many operations in one request.

use crate::{
    Result,
    call::{Call, Reply},
    client::{Client, awaited},
    delete::Deleted,
    entries::{Entry, Metadata, PutOptions, Stored, StoredMetadata},
    error::{ApiError, Code, Error, Said},
    level::Level,
    retry::Repeat,
    timestamp::Timestamp,
};
use reqwest::{Method, header::CACHE_CONTROL};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use std::time::Duration;

/// Most operations of one batch.
pub const MAX_OPERATIONS: usize = 100;

/// One operation of a batch.
#[derive(Debug, Clone, Serialize)]
pub struct Operation {
    op: Op,
    key: String,
    /// `None` is no JSON, and refused when it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    #[serde(flatten)]
    options: PutOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    if_match: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    if_none_match: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fill_token: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Op {
    Get,
    Put,
    Delete,
}

impl Operation {
    fn new(op: Op, key: impl Into<String>) -> Operation {
        let options = PutOptions::default();
        let key = key.into();
        Operation { op, key, value: None, options, if_match: None, if_none_match: None, fill_token: None }
    }

    /// Reads an entry.
    pub fn get(key: impl Into<String>) -> Operation {
        Operation::new(Op::Get, key)
    }

    /// Deletes an entry.
    pub fn delete(key: impl Into<String>) -> Operation {
        Operation::new(Op::Delete, key)
    }

    /// Stores a value. A [`RawValue`] is stored byte for byte as it is.
    pub fn put(key: impl Into<String>, value: &(impl Serialize + ?Sized)) -> Operation {
        Operation { value: to_raw_value(value).ok(), ..Operation::new(Op::Put, key) }
    }

    /// The time to live of a value that is stored, in whole seconds.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Operation {
        self.options.ttl_seconds = Some(ttl.as_secs());
        self
    }

    /// For how many whole seconds nobody may read a value that is stored without its end.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Operation {
        self.options.idle_seconds = Some(idle.as_secs());
        self
    }

    /// By which share of its life, 0 to 0.5, that of a value that is stored is shortened at most, by chance.
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Operation {
        self.options.ttl_jitter = Some(share);
        self
    }

    /// The tags of a value that is stored.
    #[must_use]
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Operation {
        self.options.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Whether a value that is stored may be compressed.
    #[must_use]
    pub fn compression(mut self, enabled: bool) -> Operation {
        self.options.compression_enabled = Some(enabled);
        self
    }

    /// The levels that a value may be stored in.
    #[must_use]
    pub fn levels(mut self, levels: impl IntoIterator<Item = Level>) -> Operation {
        self.options.cache_levels = Some(levels.into_iter().collect());
        self
    }

    /// Stores only where there is no value.
    #[must_use]
    pub fn if_absent(mut self) -> Operation {
        self.if_none_match = Some("*".to_owned());
        self
    }

    /// Reads or stores only where the value has this entity tag.
    #[must_use]
    pub fn if_match(mut self, etag: impl Into<String>) -> Operation {
        self.if_match = Some(etag.into());
        self
    }

    /// Stores only where nothing has touched the key since the miss that [granted](crate::Lease::Granted) this token.
    #[must_use]
    pub fn fill_token(mut self, token: impl Into<String>) -> Operation {
        self.fill_token = Some(token.into());
        self
    }

    /// Reads only where the value has another entity tag.
    #[must_use]
    pub fn if_none_match(mut self, etag: impl Into<String>) -> Operation {
        self.if_none_match = Some(etag.into());
        self
    }
}

/// What came of one operation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Outcome {
    /// The entry.
    Found(Box<Entry>),
    /// The value has the entity tag that was given.
    Unchanged,
    /// There is no such entry.
    Missing,
    /// The value is stored.
    Stored(Box<Stored>),
    /// The entry is deleted.
    Deleted(Box<Deleted>),
    /// It failed as it would have alone. With a status of 500 or more it may have happened.
    Failed(Box<ApiError>),
    /// It was not begun, or is a read whose answer did not fit: it may be asked for again.
    Unprocessed,
}

impl Client {
    /// Does up to [`MAX_OPERATIONS`], each on a key of its own, in one request: reads as of one position, mutations side
    /// by side, each as safe as alone, and not atomic together. The outcomes are in the order of the operations.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/batch.rs")]
    /// ```
    pub fn batch(&self, operations: impl IntoIterator<Item = Operation>) -> Batch<'_> {
        Batch { client: self, operations: operations.into_iter().collect(), fresh: false, repeat: Repeat::Never }
    }
}

/// See [`Client::batch`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Batch<'a> {
    client: &'a Client,
    operations: Vec<Operation>,
    fresh: bool,
    repeat: Repeat,
}

#[derive(Serialize)]
struct Body<'a> {
    operations: &'a [Operation],
}

impl Batch<'_> {
    /// Reads no value older than the one in force.
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    /// Sends it again when it may have happened already, though it stores values; see [`Put::repeat`](crate::Put::repeat).
    pub fn repeat(mut self) -> Self {
        self.repeat = Repeat::Harmless;
        self
    }

    async fn send(self) -> Result<Vec<Outcome>> {
        let stores = || self.operations.iter().filter(|operation| operation.op == Op::Put);
        if let Some(wrong) = stores().find(|operation| operation.value.is_none()) {
            return Err(Error::Invalid(format!("the value of `{}` is no JSON", wrong.key)));
        }
        let is_conditional = stores().any(|operation| {
            operation.if_match.is_some() || operation.if_none_match.is_some() || operation.fill_token.is_some()
        });
        let repeat = match (stores().next().is_some(), is_conditional) {
            (false, _) => Repeat::Harmless,
            (true, true) => Repeat::Never,
            (true, false) => self.repeat,
        };
        let call = Call::new(Method::POST, "/batch")
            .header(CACHE_CONTROL, self.fresh.then_some("no-cache"))?
            .json(&Body { operations: &self.operations })?
            .repeat(repeat);
        read(&self.client.send(call).await?, &self.operations)
    }
}

awaited!(Batch<'a> => Vec<Outcome>);

#[derive(Deserialize)]
struct Answer {
    results: Vec<OperationReply>,
    #[serde(default)]
    unprocessed: Vec<usize>,
}

/// A result: of which operation it is says what it has.
#[derive(Deserialize)]
struct OperationReply {
    key: String,
    status: u16,
    #[serde(default, deserialize_with = "even_null")]
    value: Option<Box<RawValue>>,
    metadata: Option<Box<RawValue>>,
    etag: Option<String>,
    cache_status: Option<String>,
    message: Option<String>,
    #[serde(default)]
    degraded: bool,
    #[serde(default)]
    deleted_from_levels: Vec<Level>,
    deleted_at: Option<Timestamp>,
    error: Option<Said>,
}

/// `null` is a value like others.
fn even_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

fn read(reply: &Reply, operations: &[Operation]) -> Result<Vec<Outcome>> {
    let answer: Answer = reply.json()?;
    let mut results = answer.results.into_iter();
    let outcomes = operations.iter().enumerate().map(|(at, operation)| {
        if answer.unprocessed.contains(&at) {
            return Ok(Outcome::Unprocessed);
        }
        let told = results.next().filter(|told| told.key == operation.key);
        let told = told.ok_or_else(|| reply.not_understood(&format!("there is no result of `{}`", operation.key)))?;
        outcome(reply, operation.op, told)
    });
    outcomes.collect()
}

fn outcome(reply: &Reply, op: Op, told: OperationReply) -> Result<Outcome> {
    if let Some(error) = told.error {
        return Ok(match error.code {
            Code::CacheKeyNotFound => Outcome::Missing,
            _ => Outcome::Failed(Box::new(error.at(told.status, None))),
        });
    }
    let (key, etag, message) = (told.key, told.etag.unwrap_or_default(), told.message.unwrap_or_default());
    let absent = |name: &str| reply.not_understood(&format!("`{name}` is missing of `{key}`"));
    Ok(match op {
        Op::Get if told.status == 304 => Outcome::Unchanged,
        Op::Get => {
            let metadata = metadata::<Metadata>(reply, told.metadata)?;
            let value = told.value.ok_or_else(|| absent("value"))?;
            let cache_status = told.cache_status.unwrap_or_default();
            Outcome::Found(Box::new(Entry { found: true, key, value, metadata, etag, cache_status }))
        }
        Op::Put => {
            let metadata = metadata::<StoredMetadata>(reply, told.metadata)?;
            let (created, degraded) = (told.status == 201, told.degraded);
            Outcome::Stored(Box::new(Stored { success: true, message, key, metadata, degraded, created, etag }))
        }
        Op::Delete => {
            let deleted_at = told.deleted_at.ok_or_else(|| absent("deleted_at"))?;
            let (deleted_from_levels, degraded) = (told.deleted_from_levels, told.degraded);
            Outcome::Deleted(Box::new(Deleted {
                success: true,
                message,
                key,
                deleted_from_levels,
                deleted_at,
                invalidation_id: None,
                undo_until: None,
                degraded,
            }))
        }
    })
}

fn metadata<T: DeserializeOwned>(reply: &Reply, raw: Option<Box<RawValue>>) -> Result<T> {
    let raw = raw.ok_or_else(|| reply.not_understood("`metadata` is missing"))?;
    serde_json::from_str(raw.get()).map_err(|why| reply.not_understood(&why.to_string()))
}
