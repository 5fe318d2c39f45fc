//! The SDK's client: built on first use, bounded by the level's timeouts, skipped for a moment when it fails.

use super::{
    Item,
    answers::{Answers, Listener},
    error::L3Error,
    floors::Floors,
    http::{self, Authorities},
    identity::{Foreign, Identity},
    retries::Conflicts,
};
use crate::{
    Clock,
    coherence::LAMBDA_MS,
    config::L3Config,
    lock::{Lock, whole},
    pause::Pause,
    stats::RowTally,
};
use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{
    Client,
    config::{
        http::HttpResponse,
        retry::{RetryPartition, TokenBucket},
    },
    error::{ProvideErrorMetadata, SdkError},
};
use std::{
    error::Error,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::OnceCell;

/// Keys of index rows that are of no use any more, to be dropped beside the next write.
type Owed = Lock<Vec<Item>>;

/// One attempt may take this much of `l3_config.timeout_ms`, the time of the operation as a whole: 300 ms of 1000. Where
/// none was answered within that, the next ones get all of it: L3 may be slow.
const ATTEMPT_SHARE: f64 = 0.3;
/// How often an operation is tried, as far as its time allows, and the pause before the second time at most; twice as long
/// each time.
const MOST_ATTEMPTS: u32 = 5;
const BACKOFF: Duration = Duration::from_millis(20);
/// What retries cost is taken from an account of so many tokens, by the SDK: 10 after an attempt that was not answered in
/// time, else 5. An empty one leaves each operation a single attempt; the SDK's own is never filled again but by successes.
const RETRY_TOKENS: usize = 500;
const RETRY_TOKENS_A_SECOND: f32 = 100.0;
/// How much longer than another operation one with chunks, megabytes at a time, may take; an attempt of it half of
/// that.
pub(super) const BULK_FACTOR: u32 = 5;

/// The way to both tables.
pub(crate) struct Store {
    client: OnceCell<Lock<Bounded>>,
    pub(super) entries: String,
    pub(super) control: String,
    region: Option<String>,
    /// Who is trusted instead of the web's.
    authorities: Option<Authorities>,
    /// In milliseconds; may change while it runs.
    timeout_ms: AtomicU64,
    pause: Pause,
    answers: Arc<Answers>,
    /// The number of the generation of notes that was read last.
    generation: AtomicU64,
    pub(super) clock: Clock,
    /// What is to be dropped beside the next write.
    pub(super) owed: Owed,
    /// What this container has added and taken away.
    pub(crate) tally: RowTally,
    /// See [`Floors`].
    pub(super) floors: Lock<Floors>,
    /// What the table of entries must belong to.
    pub(super) identity: Identity,
    /// Whether L3 is switched on, so that there is a table of entries.
    uses_entries: AtomicBool,
    /// It is known that it does.
    pub(super) belongs: OnceLock<()>,
    /// It belongs to another, and is left alone for good.
    pub(super) foreign: OnceLock<Foreign>,
    /// A server of one's own.
    #[cfg(feature = "in-memory")]
    server: Option<Arc<dyn super::DynamoServer>>,
}

/// A client and the time that its operations have.
struct Bounded {
    client: Client,
    /// One whose attempts have all the time of their operation; made when it is needed.
    patient: Option<Client>,
    timeout: Duration,
}

impl Store {
    pub(crate) fn new(config: &L3Config, identity: Identity, authorities: Option<Authorities>, clock: Clock) -> Store {
        let region = config.database_url.strip_prefix("dynamodb://").and_then(|url| url.split('/').next());
        Store {
            client: OnceCell::new(),
            entries: config.table_name.clone(),
            control: identity.control.clone(),
            region: region.filter(|region| !region.is_empty()).map(str::to_owned),
            authorities,
            timeout_ms: config.timeout_ms.into(),
            pause: Pause::new(clock.clone()),
            answers: Arc::new(Answers::new(clock.clone(), attempt_ms(config.timeout_ms))),
            generation: AtomicU64::new(0),
            clock,
            owed: Owed::default(),
            tally: RowTally::default(),
            floors: Lock::default(),
            identity,
            uses_entries: AtomicBool::new(config.enabled),
            belongs: OnceLock::new(),
            foreign: OnceLock::new(),
            #[cfg(feature = "in-memory")]
            server: None,
        }
    }

    /// The same to a server of one's own.
    #[cfg(feature = "in-memory")]
    pub(crate) fn to(self, server: Arc<dyn super::DynamoServer>) -> Store {
        Store { server: Some(server), ..self }
    }

    /// The client, made when it is needed first: reading TLS roots and settings takes milliseconds.
    pub(super) async fn client(&self) -> Result<Client, L3Error> {
        if let Some(foreign) = self.foreign.get() {
            return Err(L3Error::Foreign(Box::new(foreign.clone())));
        }
        if self.pause.is_on() {
            return Err(L3Error::Skipped);
        }
        let built = self.client.get_or_try_init(|| self.build()).await?;
        Ok(built.enter(whole).within(self.timeout(), self.is_slow()))
    }

    /// Makes the client if there is none yet; returns whether there was none.
    pub(crate) async fn start(&self) -> bool {
        let is_first = !self.client.initialized();
        // Where it is left alone it is not made either, and whoever asks is told.
        self.client().await.is_ok() && is_first
    }

    /// Goes by that configuration from now on.
    pub(crate) fn configure(&self, config: &L3Config) {
        self.timeout_ms.store(config.timeout_ms, Relaxed);
        self.answers.configure(attempt_ms(config.timeout_ms));
        self.uses_entries.store(config.enabled, Relaxed);
    }

    /// Whether there is a table of entries.
    pub(super) fn uses_entries(&self) -> bool {
        self.uses_entries.load(Relaxed)
    }

    /// How long one operation may take with its retries.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.load(Relaxed))
    }

    /// Whether L3 is left alone after a failure.
    pub(crate) fn is_paused(&self) -> bool {
        self.pause.is_on()
    }

    /// The number of the generation of notes that was read last; another one may be read by now.
    pub(super) fn known_generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    pub(super) fn know_generation(&self, number: u64) {
        self.generation.store(number, Relaxed);
    }

    /// How long an attempt waits for its answer where L3 is well.
    pub(super) fn attempt_time(&self) -> Duration {
        usual_attempt(self.timeout())
    }

    /// Whether L3 has lately answered nothing within the time of an attempt.
    pub(crate) fn is_slow(&self) -> bool {
        self.answers.are_slow()
    }

    /// Lets attempts wait for as long as their operations may, until one is answered as fast as usual: what is asked now
    /// decides whether L3 is dead, or only slow.
    pub(super) fn be_patient(&self) {
        self.answers.expect_slowness();
    }

    /// Whether anything was answered at `since_ms` or later.
    pub(crate) fn has_answered_since(&self, since_ms: i64) -> bool {
        self.answers.any_since(since_ms, LAMBDA_MS)
    }

    /// Whether anything was answered within the time of the operation that ends now.
    fn has_answered_meanwhile(&self) -> bool {
        let time_ms = i64::try_from(self.timeout_ms.load(Relaxed)).unwrap_or(i64::MAX);
        self.answers.any_since(i64::MIN, time_ms.saturating_sub(1))
    }

    /// Whether L3 may have done what others asked of it, although it does not do what this container has asked since
    /// `since_ms`: within Λ it has answered something since, or refused something. One that is silent is dead.
    pub(crate) fn is_sick(&self, since_ms: i64) -> bool {
        self.answers.any_since(since_ms, LAMBDA_MS) || self.answers.any_failure(LAMBDA_MS)
    }

    /// Bounds for operations that carry chunks.
    pub(super) fn bulk(&self) -> aws_sdk_dynamodb::config::Builder {
        self.longer(BULK_FACTOR)
    }

    /// Bounds for operations that may take so many times as long as others; an attempt of one half of that.
    pub(super) fn longer(&self, factor: u32) -> aws_sdk_dynamodb::config::Builder {
        aws_sdk_dynamodb::config::Builder::new().timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(self.timeout() * factor / 2)
                .operation_timeout(self.timeout() * factor)
                .build(),
        )
    }

    /// Makes an error of the SDK ours, and skips L3 for a moment when it says that the service is out of reach.
    /// Throttling is not that: the next request may pass. Nor is one of many requests that came too late.
    pub(super) fn failed<E>(&self, error: SdkError<E, HttpResponse>) -> L3Error
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        match &error {
            SdkError::ServiceError(_) => self.answers.note_failure(),
            SdkError::TimeoutError(_) if self.has_answered_meanwhile() => {}
            SdkError::TimeoutError(_) => {
                self.be_patient();
                self.pause.begin();
            }
            _ => self.pause.begin(),
        }
        let refused = match &error {
            SdkError::ConstructionFailure(_) => true,
            // Throttled, not allowed, not valid: DynamoDB answers 400 and has done nothing.
            SdkError::ServiceError(answer) => answer.raw().status().is_client_error(),
            _ => false,
        };
        if refused { L3Error::Refused(Box::new(error)) } else { L3Error::Failed(Box::new(error)) }
    }

    async fn build(&self) -> Result<Lock<Bounded>, L3Error> {
        let timeout = self.timeout();
        let retries = RetryConfig::standard().with_max_attempts(MOST_ATTEMPTS).with_initial_backoff(BACKOFF);
        let tokens = TokenBucket::builder().capacity(RETRY_TOKENS).refill_rate(RETRY_TOKENS_A_SECOND).build();
        let config = self
            .surroundings()
            .await?
            .timeout_config(bounds(timeout, usual_attempt(timeout)))
            .retry_config(retries)
            .retry_partition(RetryPartition::custom("strata").token_bucket(tokens).build())
            .interceptor(Listener(Arc::clone(&self.answers)))
            .retry_classifier(Conflicts)
            .build();
        Ok(Lock::new(Bounded { client: Client::from_conf(config), patient: None, timeout }))
    }

    /// What the surroundings say of the client: credentials, region, endpoint.
    async fn surroundings(&self) -> Result<aws_sdk_dynamodb::config::Builder, L3Error> {
        #[cfg(feature = "in-memory")]
        if let Some(server) = &self.server {
            return Ok(super::server::config(server, &self.clock));
        }
        let http = http::client(self.authorities.as_ref()).map_err(L3Error::Refused)?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        Ok(aws_sdk_dynamodb::config::Builder::from(&loader.load().await))
    }

    /// The floors in force.
    pub(crate) fn floors(&self) -> Floors {
        *self.floors.enter(whole)
    }

    /// From now on rows below these floors do not exist.
    pub(crate) fn raise_floors(&self, floors: Floors) {
        *self.floors.enter(whole) = floors;
    }
}

impl Bounded {
    /// The client whose attempts wait as they usually do, or as long as they can; made anew when its operations have another
    /// time now.
    fn within(&mut self, timeout: Duration, patiently: bool) -> Client {
        if self.timeout != timeout {
            let client = self.with(bounds(timeout, usual_attempt(timeout)));
            *self = Bounded { client, patient: None, timeout };
        }
        if !patiently {
            return self.client.clone();
        }
        let patient = self.patient.take().unwrap_or_else(|| self.with(bounds(timeout, timeout)));
        self.patient.insert(patient).clone()
    }

    fn with(&self, bounds: TimeoutConfig) -> Client {
        Client::from_conf(self.client.config().to_builder().timeout_config(bounds).build())
    }
}

/// How long an attempt waits for its answer where L3 is well, of the time of its operation.
fn usual_attempt(timeout: Duration) -> Duration {
    timeout.mul_f64(ATTEMPT_SHARE)
}

/// The same in milliseconds.
fn attempt_ms(timeout_ms: u64) -> i64 {
    i64::try_from(usual_attempt(Duration::from_millis(timeout_ms)).as_millis()).unwrap_or(i64::MAX)
}

fn bounds(operation: Duration, attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        // Who is there takes a connection at once, however slow its answers are.
        .connect_timeout(usual_attempt(operation))
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build()
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("entries", &self.entries).finish_non_exhaustive()
    }
}
