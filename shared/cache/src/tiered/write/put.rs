//! PUT and DELETE: begun anew until nothing overtakes them.

use crate::tiered::{
    TieredCache, ended,
    undo::begin::Wish,
    view::{Stop, View},
    write::{
        Attempts, TRIES,
        commit::{Ended, Plan},
        stock::StockQuestion,
        together::Together,
    },
};
use crate::{
    dynamo::KnownTags,
    key::Key,
    level::{Level, Levels},
    outcome::{CacheError, Deleted, Stored},
    put::Put,
    quota::{name_of, share_of},
    record::Change,
    source_of_truth::Expected,
    undo::UndoHandle,
    version::Version,
};
use tokio::join;

impl TieredCache {
    pub(crate) async fn put_with(
        &self,
        key: &Key,
        put: &Put,
        mut attempts: Attempts<'_>,
    ) -> Result<Stored, CacheError> {
        let refusals = put.refusals();
        if !refusals.is_empty() {
            return Err(CacheError::Refused(refusals));
        }
        if let Some(token) = &put.fill {
            return self.fill_with(key, put, token).await;
        }
        loop {
            if let Some(ended) = ended(self.view().put(key, put, &mut attempts).await) {
                return self.count_mutation(ended, |stored| stored.degraded);
            }
        }
    }

    /// `together`: the others that it is made with.
    pub(crate) async fn delete_with(
        &self,
        key: &Key,
        by: &str,
        wish: Option<&Wish>,
        together: Option<&Together>,
    ) -> Result<Deleted, CacheError> {
        let mut shared = together.is_some_and(|together| together.synced);
        loop {
            if let Some(ended) = ended(self.view().delete(key, (by, wish), together, &mut shared).await) {
                return self.count_mutation(ended, |deleted| deleted.degraded);
            }
        }
    }
}

impl View<'_> {
    async fn put(&self, key: &Key, put: &Put, before: &mut Attempts<'_>) -> Result<Stored, Stop> {
        let named = put.levels.unwrap_or(Levels::ALL).and(self.setup.config.enabled());
        let payload = self.payload(put);
        let Attempts { floor, own, shared, together } = before;
        for _ in 0..TRIES {
            let mut path = self.path();
            let own_version = own.map(|(version, _)| version);
            let (beside, asked) = self.beside_sync(key, put, named, *shared || own_version.is_some());
            let StockQuestion { mut commands, ended } = self.stock_question(key, put, named, *shared);
            commands.extend(asked);
            let begin = self.begin(key, *floor, named, (commands, &mut *shared), &mut path);
            let (begun, indexed) = join!(begin, beside.write());
            let mut begun = begun?;
            let own_tags = own_version.filter(|_| !put.tags.is_empty());
            let same_tags = own_tags.or(self.same_tags(put, &beside, &mut begun));
            self.allow(put)?;
            let (entry, envelope) = self.seal(&payload, put, named, (begun.version, begun.began_ms));
            let share = share_of(name_of(&put.api_key).as_ref(), key, &entry, envelope.len());
            let counted = share.as_ref().filter(|_| begun.redis && named.has(Level::L2));
            let _admitted = counted.map(|share| self.allow_share(key, share, &begun.answers, ended)).transpose()?;
            let expected = self.expectation(key, &put.condition, begun.redis, own_version).await?;
            let value = Some((&entry, &envelope));
            let tags = KnownTags::new(same_tags, expected, beside.ahead.as_ref().filter(|_| indexed.is_ok()));
            let (change, by, undo, together) = (Change::Put, &*put.by, None, *together);
            let plan = Plan { key, change, by, value, expected, share, undo, together, tags };
            // By far the largest part of a PUT's future, which is moved about on the stack in an unoptimised build.
            match Box::pin(self.commit(&plan, &begun, &mut path)).await? {
                Ended::Overtaken(version) => *floor = version,
                Ended::Repeat { replaced } => {
                    *own = Some((begun.version, own.map_or(replaced || begun.held, |(_, replaced)| replaced)));
                    *floor = begun.version;
                }
                Ended::Done(effect) => {
                    let mut stored = self.stored(key, entry, &begun, effect, path);
                    if let Some((_, replaced)) = *own {
                        stored.created = !replaced;
                    }
                    return Ok(stored);
                }
            }
        }
        Err(CacheError::Contended.into())
    }

    async fn delete(
        &self,
        key: &Key,
        (by, wish): (&str, Option<&Wish>),
        together: Option<&Together>,
        shared: &mut bool,
    ) -> Result<Deleted, Stop> {
        let undoable = match wish {
            Some(wish) => self.undo_of(wish, self.setup.config.enabled())?.map(|undo| (wish, undo)),
            None => None,
        };
        let mut floor = Version::ZERO;
        for _ in 0..TRIES {
            let mut path = self.path();
            let begun = self.begin(key, floor, Levels::ALL, (Vec::new(), &mut *shared), &mut path).await?;
            if !begun.redis && undoable.as_ref().is_some_and(|(wish, _)| wish.is_explicit) {
                return Err(CacheError::unavailable(Level::L2, "nothing is kept without the journal").into());
            }
            let (expected, tags) = (Expected::Anything, KnownTags::default());
            let undo = undoable.as_ref().filter(|_| begun.redis).map(|(wish, undo)| (*wish, undo));
            let (change, value, share) = (Change::Delete, None, None);
            let plan = Plan { key, change, by, value, expected, share, undo, together, tags };
            match self.commit(&plan, &begun, &mut path).await? {
                Ended::Overtaken(version) => floor = version,
                Ended::Repeat { .. } => floor = begun.version,
                Ended::Done(effect) => {
                    self.own_as_of(&begun, effect.propagation);
                    self.forget(key, &mut path);
                    let mut levels = effect.was_live;
                    if begun.held
                        || (!levels.is_empty() && effect.named.and(self.setup.config.enabled()).has(Level::L1))
                    {
                        levels = levels.with(Level::L1);
                    }
                    let undo = undoable.filter(|_| effect.can_undo).map(|(_, undo)| undo);
                    let undo = undo.map(|undo| UndoHandle { id: undo.id, until_ms: undo.until_ms });
                    let position = self.position_after(effect.propagation);
                    return Ok(Deleted { levels, degraded: effect.propagation.is_degraded(), position, path, undo });
                }
            }
        }
        Err(CacheError::Contended.into())
    }
}
