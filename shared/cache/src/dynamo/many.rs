//! Reading the rows of many keys at once, as far as the answer to their reader goes.

use super::{
    Item,
    client::Store,
    error::L3Error,
    head::{Head, Kind, Until},
    rows::Row,
    schema::{inline_body, owner_of, row_key},
    text_of,
};
use crate::key::Key;
use futures_util::future::join_all;
use std::collections::{HashMap, HashSet};

/// What a row of many says.
enum Part {
    Row(Row),
    /// A live value in chunks, which is read by itself.
    Large(Head),
}

impl Store {
    /// Reads the rows of keys, consistently. Those are missing for which there was no room any more in so many bytes of
    /// values, and those that DynamoDB would not read now; the first has room in any case. What is over by then is gone.
    ///
    /// # Errors
    /// When they cannot be read. A value in chunks may fail alone.
    pub(crate) async fn read_many<'k>(
        &self,
        keys: &[&'k Key],
        most_bytes: usize,
        until: Until,
    ) -> Result<HashMap<&'k Key, Result<Option<Row>, L3Error>>, L3Error> {
        // A request that has a key twice is refused.
        let mut distinct = HashSet::with_capacity(keys.len());
        let keys: Vec<&'k Key> = keys.iter().copied().filter(|key| distinct.insert(*key)).collect();
        let wanted = keys.iter().map(|key| row_key(key.as_str())).collect();
        let (items, unread) = self.read_some(wanted, most_bytes).await?;
        let unread: HashSet<&str> = unread.iter().filter_map(|key| text_of(key, "sk")).collect();
        let mut parts: HashMap<String, Part> = items.into_iter().filter_map(|item| self.part(item, until)).collect();
        let (mut rows, mut large, mut left) = (HashMap::with_capacity(keys.len()), Vec::new(), most_bytes as u64);
        for key in keys.into_iter().filter(|key| !unread.contains(key.as_str())) {
            match parts.remove(key.as_str()) {
                None => drop(rows.insert(key, Ok(None))),
                Some(Part::Row(row)) => drop(rows.insert(key, Ok(Some(row)))),
                Some(Part::Large(head)) if head.bytes <= left || large.is_empty() => {
                    left = left.saturating_sub(head.bytes);
                    large.push(key);
                }
                Some(Part::Large(_)) => {}
            }
        }
        let read = large.into_iter().map(async |key: &'k Key| (key, self.read_until(key.as_str(), until).await));
        rows.extend(join_all(read).await);
        Ok(rows)
    }

    fn part(&self, item: Item, until: Until) -> Option<(String, Part)> {
        let key = text_of(&item, "sk")?.to_owned();
        let head = self.head_of(&item);
        let is_there = head.kind == Kind::Value && !head.is_over(until, self.clock.now_ms());
        Some((
            key,
            match head.chunks {
                0 => {
                    let owner = owner_of(&item);
                    Part::Row(head.row(inline_body(item).filter(|_| is_there), owner))
                }
                _ if is_there => Part::Large(head),
                _ => Part::Row(head.row(None, None)),
            },
        ))
    }
}
