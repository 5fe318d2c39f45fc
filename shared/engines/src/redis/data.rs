//! What the server holds.

use super::Bytes;
use super::sorted::Sorted;
use super::streams::Stream;
use std::collections::{BTreeMap, BTreeSet};

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

/// What a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Text(Bytes),
    Hash(BTreeMap<Bytes, Bytes>),
    Set(BTreeSet<Bytes>),
    Sorted(Sorted),
    Stream(Stream),
}

#[derive(Debug, Clone)]
pub(super) struct Held {
    pub kind: Kind,
    pub expires_ms: Option<i64>,
}

/// All names and what they stand for.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(BTreeMap<Bytes, Held>);

/// One of the kinds, by the Rust type it is kept as.
pub(super) trait Of: Default {
    fn of(kind: &Kind) -> Option<&Self>;
    fn of_mut(kind: &mut Kind) -> Option<&mut Self>;
    fn kind(self) -> Kind;
}

macro_rules! kinds {
    ($($variant:ident: $of:ty;)*) => {
        $(impl Of for $of {
            fn of(kind: &Kind) -> Option<&Self> {
                match kind {
                    Kind::$variant(held) => Some(held),
                    _ => None,
                }
            }
            fn of_mut(kind: &mut Kind) -> Option<&mut Self> {
                match kind {
                    Kind::$variant(held) => Some(held),
                    _ => None,
                }
            }
            fn kind(self) -> Kind {
                Kind::$variant(self)
            }
        })*
    };
}

kinds! {
    Text: Bytes;
    Hash: BTreeMap<Bytes, Bytes>;
    Set: BTreeSet<Bytes>;
    Sorted: Sorted;
    Stream: Stream;
}

impl Kind {
    /// Whether a name that stands for this is gone: only texts and streams may be empty.
    fn is_empty(&self) -> bool {
        match self {
            Kind::Text(_) | Kind::Stream(_) => false,
            Kind::Hash(fields) => fields.is_empty(),
            Kind::Set(members) => members.is_empty(),
            Kind::Sorted(members) => members.is_empty(),
        }
    }
}

impl Names {
    /// What a name stands for at a time.
    pub(super) fn get(&mut self, name: &[u8], now_ms: i64) -> Option<&mut Held> {
        let is_over = self.0.get(name)?.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms);
        if is_over {
            self.0.remove(name);
        }
        self.0.get_mut(name)
    }

    /// What a name stands for, to be read; `None` where there is no such name.
    pub(super) fn read<T: Of>(&mut self, name: &[u8], now_ms: i64) -> Result<Option<&T>, String> {
        match self.get(name, now_ms) {
            Some(held) => T::of(&held.kind).map(Some).ok_or_else(|| WRONG_TYPE.to_owned()),
            None => Ok(None),
        }
    }

    /// What a name stands for, to be written to: something empty where there is no such name.
    pub(super) fn write<T: Of>(&mut self, name: &[u8], now_ms: i64) -> Result<&mut T, String> {
        self.get(name, now_ms);
        let empty = || Held { kind: T::default().kind(), expires_ms: None };
        let held = self.0.entry(name.to_vec()).or_insert_with(empty);
        T::of_mut(&mut held.kind).ok_or_else(|| WRONG_TYPE.to_owned())
    }

    /// Changes what a name stands for, if there is such a name; what is empty then is gone.
    pub(super) fn change<T: Of, R>(
        &mut self,
        name: &[u8],
        now_ms: i64,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<Option<R>, String> {
        let Some(held) = self.get(name, now_ms) else { return Ok(None) };
        let changed = change(T::of_mut(&mut held.kind).ok_or_else(|| WRONG_TYPE.to_owned())?);
        if held.kind.is_empty() {
            self.0.remove(name);
        }
        Ok(Some(changed))
    }

    pub(super) fn put(&mut self, name: &[u8], held: Held) {
        self.0.insert(name.to_vec(), held);
    }

    pub(super) fn take(&mut self, name: &[u8], now_ms: i64) -> Option<Held> {
        self.get(name, now_ms)?;
        self.0.remove(name)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The names there are at a time.
    pub(super) fn list(&self, now_ms: i64) -> impl Iterator<Item = (&Bytes, &Held)> {
        self.0.iter().filter(move |(_, held)| held.expires_ms.is_none_or(|expires_ms| expires_ms > now_ms))
    }
}
