//! One look at what a read does not find: who is to load it, and with which token.

use super::Miss;
use crate::tiered::{
    TieredCache, ended,
    view::{Stop, View},
};
use crate::{
    coherence::AsOf,
    fill::{Fill, FillToken, hash},
    key::Key,
    level::Level,
    outcome::{CacheError, Lookup, Read, Step},
    redis::{Leased, Wanted},
    source_of_truth::SourceOfTruth,
    version::Position,
};

/// How often a miss is looked at again because something newer than it stood in L3 already.
const TRIES: usize = 3;
/// After how many seconds whoever does not have the lease is to come again.
const RETRY_SECONDS: u32 = 1;
/// How far the version of a miss may be ahead of Redis time, in microseconds: as many as others take at once.
const MOST_AHEAD_US: u64 = 1000;

/// What one look gave.
enum Looked {
    Ended(Lookup, Option<Fill>),
    /// Something newer than the miss stands in L3.
    Overtaken(Lookup),
}

impl TieredCache {
    /// Reads `key`, and says who is to load what is not found, without waiting for anybody.
    pub(super) async fn look_or_lease(
        &self,
        key: &Key,
        read: Read,
        wanted: Wanted,
    ) -> Result<(Lookup, Option<Fill>), CacheError> {
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
