//! The miss of a read that may fill: who is to load the value, and with which token it is to be stored.
//!
//! The lease is taken in the round trip that finds no copy in L2, and the moment of the miss is that of the sync in the
//! same round trip. Only then L3 is read: what stands there is what the claim of the fill must find.

mod fenced;
pub(crate) mod leases;
mod wait;

pub(crate) use self::fenced::OUTWAIT;

use super::{
    TieredCache, ended,
    view::{Stop, View},
};
use crate::{
    chance,
    coherence::AsOf,
    dynamo::Standing,
    fill::{Fill, FillToken, Lease, hash},
    key::Key,
    level::Level,
    outcome::{CacheError, Lookup, Read, Step},
    redis::{Down, Leased, Reply, Wanted, leased},
    source_of_truth::SourceOfTruth,
    version::Position,
};

/// How often a miss is looked at again because something newer than it stood in L3 already.
const TRIES: usize = 3;
/// After how many seconds whoever does not have the lease is to come again.
const RETRY_SECONDS: u32 = 1;
/// How far the version of a miss may be ahead of Redis time, in microseconds: as many as others take at once.
const MOST_AHEAD_US: u64 = 1000;

/// What a read learns of a miss that is to be filled.
#[derive(Debug)]
pub(crate) struct Miss {
    pub(crate) wanted: Wanted,
    /// What came of the lease; `None` when it was not asked for.
    leased: Option<Leased>,
    /// What stands in L3.
    pub(crate) seen: Option<Standing>,
}

impl Miss {
    /// Nobody knows what it is: nothing is to be filled.
    pub(crate) fn give_up(&mut self) {
        self.leased = None;
    }

    /// Takes the reply to a command that asks for the lease apart, and returns what it says of the copy.
    pub(crate) fn take_lease(&mut self, reply: Reply) -> Result<Reply, Down> {
        let (copy, leased) = leased(reply)?;
        self.leased = Some(leased);
        Ok(copy)
    }
}

/// What one look gave.
enum Looked {
    Ended(Lookup, Option<Fill>),
    /// Something newer than the miss stands in L3.
    Overtaken(Lookup),
}

impl TieredCache {
    /// Reads `key` as [`get`](TieredCache::get) does. Where nothing is found, or only what has expired, says who is to load
    /// the value.
    ///
    /// # Errors
    /// When no level that can be reached is able to answer.
    pub async fn get_or_lease(
        &self,
        key: &Key,
        read: Read,
        lease: &Lease,
    ) -> Result<(Lookup, Option<Fill>), CacheError> {
        let wanted = Wanted { lease: chance::u64(1..), seconds: lease.seconds };
        let mut found = self.look_or_lease(key, read, wanted).await;
        let is_missing = matches!(found, Ok((Lookup { hit: None, .. }, Some(Fill::Held { .. }))));
        if !lease.wait.is_zero() && is_missing {
            found = self.wait_for_fill(key, read, wanted, lease, found).await;
        }
        self.prefetch().await;
        found
    }

    /// The same without waiting for anybody.
    async fn look_or_lease(&self, key: &Key, read: Read, wanted: Wanted) -> Result<(Lookup, Option<Fill>), CacheError> {
        let mut tries = 0;
        loop {
            match ended(self.view().look_for_fill(key, read, wanted).await) {
                Some(Ok(Looked::Ended(lookup, fill))) => return Ok((lookup, fill)),
                Some(Ok(Looked::Overtaken(lookup))) => {
                    tries += 1;
                    if tries == TRIES {
                        return Ok((lookup, Some(Fill::Unavailable)));
                    }
                }
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
    }
}

impl View<'_> {
    async fn look_for_fill(&self, key: &Key, read: Read, wanted: Wanted) -> Result<Looked, Stop> {
        let mut path = self.path();
        let mut miss = Miss { wanted, leased: None, seen: None };
        let by_journal = self.uses(Level::L2) && self.source_of_truth() == SourceOfTruth::L3;
        let found = self.look_up(key, read, by_journal.then_some(&mut miss), &mut path).await;
        let found = match found {
            Err(Stop::Superseded) => return Err(Stop::Superseded),
            Err(Stop::Failed(error)) => Err(error),
            Ok(hit) => Ok(hit),
        };
        self.count_lookup(&path, &found);
        let lookup = found.map(|hit| Lookup { hit, path })?;
        if lookup.hit.as_ref().is_some_and(|hit| !hit.stale) {
            return Ok(Looked::Ended(lookup, None));
        }
        let is_known = by_journal && path.l2 != Step::Unavailable;
        let fill = match miss.leased.filter(|_| is_known) {
            Some(Leased::Held(_)) => Fill::Held { retry_after: RETRY_SECONDS },
            Some(Leased::Yes) => match self.token(key, &miss) {
                Token::Good(token) => Fill::Granted { token, expires_in: wanted.seconds },
                Token::Overtaken => return Ok(Looked::Overtaken(lookup)),
                Token::None => Fill::Unavailable,
            },
            Some(Leased::No | Leased::Refused) | None => Fill::Unavailable,
        };
        Ok(Looked::Ended(lookup, Some(fill)))
    }

    /// The token of a miss, which L3 was asked about after the sync that is known by now.
    fn token(&self, key: &Key, miss: &Miss) -> Token {
        let (AsOf { position, started_us, .. }, epoch, is_certain) = self.moment();
        let version = self.version(self.as_of());
        if miss.seen.is_some_and(|seen| seen.version >= version) {
            return Token::Overtaken;
        }
        // What begins later may not exceed a version that is ahead of time.
        if !is_certain || epoch > position || version.micros() > started_us + MOST_AHEAD_US {
            return Token::None;
        }
        let Wanted { lease, seconds } = miss.wanted;
        Token::Good(FillToken { key: hash(key), since: position, epoch, version, seen: miss.seen, lease, seconds })
    }

    /// As of when the journal is known, the epoch, and whether all of that can be understood.
    fn moment(&self) -> (AsOf, Position, bool) {
        let knowledge = self.knowledge();
        (knowledge.as_of(), knowledge.epoch(), knowledge.is_certain())
    }
}

enum Token {
    Good(FillToken),
    /// Something newer stands already.
    Overtaken,
    /// None can be given.
    None,
}
