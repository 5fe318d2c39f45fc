//! What belonged to a row that was replaced.

use super::{client::Store, rows::Before, schema::index_key, tag_rows::MOST_OWED};

impl Store {
    /// Drops the chunks and index rows of a row that was replaced.
    pub(crate) async fn drop_replaced(&self, key: &str, before: &Before) {
        if !before.keeps_parts {
            self.discard(key, before.parts, before.chunks, before.tags.iter().map(|tag| &**tag)).await;
        }
    }

    /// Leaves that to the next write, which takes as long in any case. Returns whether it does: chunks cost too much to
    /// stay where none comes.
    pub(crate) fn leave_replaced(&self, key: &str, before: &Before) -> bool {
        let rows = before.tags.iter().map(|tag| index_key(key, before.parts, tag));
        before.keeps_parts || (before.chunks == 0 && self.owe(rows, MOST_OWED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, config::L3Config, dynamo::Identity, lock::whole};

    fn store() -> Store {
        let identity = Identity { control: "control".into(), key_prefix: "strata".into() };
        Store::new(&L3Config::default(), identity, None, Clock::manual(0))
    }

    fn replaced(tags: usize) -> Before {
        Before { tags: (0..tags).map(|tag| tag.to_string().into()).collect(), ..Before::default() }
    }

    #[test]
    fn so_much_is_left_to_the_next_write_and_no_more() {
        let store = store();
        assert!(store.leave_replaced("k", &replaced(20)));
        assert!(!store.leave_replaced("k", &replaced(6)), "one batch");
        assert!(store.leave_replaced("k", &replaced(5)));
        assert!(store.leave_replaced("k", &Before { keeps_parts: true, ..replaced(1) }), "there is nothing to drop");
        let large = Before { chunks: 1, ..Before::default() };
        assert!(!store.leave_replaced("k", &large));
        assert_eq!(store.owed.enter(whole).len(), MOST_OWED);
    }
}
