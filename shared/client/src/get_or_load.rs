//! Reading through the cache: the value that is there, or the one that is loaded, by one of all who miss it.

use crate::{
    Result,
    client::Client,
    entries::PutOptions,
    error::{Code, Error},
    flights::Landed,
    lease::{LEASE, Lease},
    level::Level,
    loaded::{LoadError, Loaded, Source},
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::{
    pin::Pin,
    time::{Duration, Instant},
};

/// Loads that are given up because something has touched the key meanwhile. What is loaded after that is returned, and not
/// stored: somebody changes the key all the time.
const LOST: u32 = 3;
/// The longest that the API lets a request wait for a value.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What is to be done about a key.
enum Look {
    /// Nothing: there is a value.
    Done(Loaded),
    /// It is to be loaded, and stored with the token, if there is one, until then; and what has expired.
    Load { token: Option<(String, Instant)>, expired: Option<Loaded> },
    /// Somebody else loads it.
    Later(Duration),
}

impl Client {
    /// Reads an entry; where it is missing, loads and stores it. Of all who miss it, in this process and elsewhere, one
    /// loads, and what was loaded before the key was changed or invalidated is neither stored nor, to callers that began
    /// after that, returned: it is loaded anew.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/get_or_load.rs")]
    /// ```
    pub fn get_or_load<F>(&self, key: impl Into<String>, load: F) -> GetOrLoad<'_, F> {
        let options = PutOptions::default();
        let (grace, soft_timeout) = (None, None);
        GetOrLoad { client: self, key: key.into(), load, options, grace, soft_timeout, lease: LEASE, patience: LEASE }
    }
}

/// See [`Client::get_or_load`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct GetOrLoad<'a, F> {
    client: &'a Client,
    key: String,
    load: F,
    pub(crate) options: PutOptions,
    pub(crate) grace: Option<Duration>,
    pub(crate) soft_timeout: Option<Duration>,
    lease: Duration,
    patience: Duration,
}

impl<F> GetOrLoad<'_, F> {
    /// The time to live of what is loaded, in whole seconds, of which there is at least one; the server's default is an
    /// hour.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.options.ttl_seconds = Some(ttl.as_secs());
        self
    }

    /// Ends what is loaded sooner when nobody reads it for so many whole seconds, of which there is at least one.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.options.idle_seconds = Some(idle.as_secs());
        self
    }

    /// Shortens the life of what is loaded by up to this share of it, 0 to 0.5, by chance.
    pub fn jitter(mut self, share: f64) -> Self {
        self.options.ttl_jitter = Some(share);
        self
    }

    /// The tags of what is loaded.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.options.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// The levels that what is loaded may be in; default all.
    pub fn levels(mut self, levels: impl IntoIterator<Item = Level>) -> Self {
        self.options.cache_levels = Some(levels.into_iter().collect());
        self
    }

    /// How long a load may take before somebody else may begin another, 1 to 60 whole seconds; default 10. What a load
    /// that took longer brought is not stored, and loaded anew.
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }

    /// How long to wait for what somebody else loads, before it is loaded here and not stored; default 10 s.
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }
}

impl<'a, F, L, T, E> GetOrLoad<'a, F>
where
    F: Fn() -> L + Send + Sync + 'a,
    L: Future<Output = std::result::Result<T, E>> + Send,
    T: Serialize + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    async fn send(self) -> Result<Loaded, LoadError> {
        // Who takes what has expired does not load for who does not; no key has a control character.
        let of_grace = self.grace.map(|grace| format!("{}\0{}", self.key, grace.as_secs()));
        self.client.flights().one(of_grace.as_ref().unwrap_or(&self.key), self.filled()).await
    }

    async fn filled(&self) -> Landed<Result<Loaded, LoadError>> {
        let mut as_of = Instant::now();
        let what = self.fill(&mut as_of).await;
        Landed { as_of, what }
    }

    /// Notes in `as_of` the time of which the value is.
    async fn fill(&self, as_of: &mut Instant) -> Result<Loaded, LoadError> {
        let begun = Instant::now();
        let mut lost = 0;
        loop {
            *as_of = Instant::now();
            let asked = *as_of;
            let (token, expired) = match self.look().await? {
                Look::Done(loaded) => return Ok(loaded),
                Look::Load { token, expired } => (token, expired),
                Look::Later(after) if begun.elapsed() + after > self.patience => {
                    let value = self.load(as_of).await?;
                    return Ok(Loaded { value: value.into(), source: Source::Unstored(None) });
                }
                Look::Later(after) => {
                    tokio::time::sleep(after).await;
                    continue;
                }
            };
            let value = match self.load_in_time(as_of, expired.is_some()).await {
                Ok(Some(value)) => value,
                unloaded => {
                    if let Some((token, until)) = token {
                        self.client.flights().keep_lease(&self.key, token, until);
                    }
                    return match (unloaded, expired) {
                        (Ok(_) | Err(LoadError::Load(_)), Some(expired)) => {
                            *as_of = asked;
                            Ok(expired)
                        }
                        (Err(error), _) => Err(error),
                        (Ok(_), None) => unreachable!("who has nothing to go on with waits"),
                    };
                }
            };
            let sent = Instant::now();
            let source = match self.store(&value, token.map(|(token, _)| token)).await {
                Err(error) if error.code() == Some(&Code::LeaseLost) && lost < LOST => {
                    lost += 1;
                    continue;
                }
                Err(error) => Source::Unstored(Some(error)),
                Ok(is_proven) => {
                    // Nothing has touched the key until then.
                    *as_of = if is_proven { sent } else { *as_of };
                    Source::Load
                }
            };
            return Ok(Loaded { value: value.into(), source });
        }
    }

    async fn ask(&self) -> Result<Lease> {
        // The answer must be there in time.
        let wait = self.patience.min(LONGEST_WAIT).min(self.client.timeout() / 2);
        let ask = self.client.get_or_lease(&self.key).lease(self.lease).wait(wait);
        match self.grace {
            Some(grace) => ask.max_stale(grace).await,
            None => ask.await,
        }
    }

    /// What is there, and whether it is to be loaded.
    async fn look(&self) -> Result<Look, LoadError> {
        let (lease, expired) = match self.ask().await.map_err(LoadError::Cache)? {
            Lease::Found(entry) => return Ok(Look::Done(Loaded { value: entry.value.into(), source: Source::Cache })),
            Lease::Stale { entry, lease } => {
                (*lease, Some(Loaded { value: entry.value.into(), source: Source::Expired }))
            }
            lease => (lease, None),
        };
        let token = match lease {
            Lease::Granted { token, expires_in } => Some((token, Instant::now() + expires_in)),
            Lease::Held { retry_after } => match self.client.flights().lease(&self.key) {
                None => return Ok(expired.map_or(Look::Later(retry_after), Look::Done)),
                kept => kept,
            },
            _ => None,
        };
        Ok(Look::Load { token, expired })
    }

    /// Loads it; nothing where that took too long for who has something to go on with.
    async fn load_in_time(&self, as_of: &mut Instant, is_there: bool) -> Result<Option<Box<RawValue>>, LoadError> {
        let loading = self.load(as_of);
        match self.soft_timeout.filter(|_| is_there) {
            Some(time) => tokio::time::timeout(time, loading).await.ok().transpose(),
            None => loading.await.map(Some),
        }
    }

    /// Loads it, as of now.
    async fn load(&self, as_of: &mut Instant) -> Result<Box<RawValue>, LoadError> {
        *as_of = Instant::now();
        let value = (self.load)().await.map_err(|error| LoadError::Load(error.into().into()))?;
        to_raw_value(&value).map_err(|why| LoadError::Cache(Error::Invalid(format!("the value is no JSON: {why}"))))
    }

    /// Stores it; whether that proves that nothing has touched the key since the miss. Without a lease it is stored where
    /// there is nothing yet.
    async fn store(&self, value: &RawValue, token: Option<String>) -> Result<bool> {
        let is_proven = token.is_some();
        let put = self.client.put(&self.key, value).options(self.options.clone());
        match token {
            Some(token) => put.fill_token(token).await?,
            None => put.if_absent().await?,
        };
        Ok(is_proven)
    }
}

impl<'a, F, L, T, E> IntoFuture for GetOrLoad<'a, F>
where
    F: Fn() -> L + Send + Sync + 'a,
    L: Future<Output = std::result::Result<T, E>> + Send + 'a,
    T: Serialize + Send + 'a,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'a,
{
    type Output = Result<Loaded, LoadError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
