//! The bulletin: what every container must know that cannot ask Redis, in one partition that stays small whatever an
//! outage leaves behind, so that each degraded mutation can read it: the configuration document, and the open
//! invalidations of unfinished removal jobs.

use super::{Item, client::Store, document, error::L3Error, text, text_of};
use crate::{config::document::Document, selector::WrittenInvalidation};
use aws_sdk_dynamodb::types::{Delete, Put};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::try_join;

/// Its partition. The release before kept its notes here as well.
pub(super) const PARTITION: &str = "note";
/// Stands before a job's id in the sort key of its open invalidation.
const OPEN: char = '#';
/// Sorts after the bulletin, and before notes of the release before, which begin with digits.
pub(super) const END: &str = "0";

/// Most open invalidations, and most bytes of their texts, that may stand at a time: every mutation without Redis reads
/// them, which costs a unit for each 4 KB.
const MOST_OPENS: usize = 100;
const MOST_OPEN_BYTES: usize = 12 << 10;

/// What it says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bulletin {
    /// The configuration document, the empty one when nothing was ever changed; `None` when it cannot be read.
    pub document: Option<Document>,
    /// The texts of the open invalidations of unfinished jobs.
    pub open_invalidations: Vec<String>,
}

impl Bulletin {
    /// Whether another open invalidation of that text may stand. Nobody's may take more than what is left for all others.
    pub(crate) fn has_room_for(&self, open_invalidation: &str) -> bool {
        let bytes = |all: &[&String]| all.iter().map(|one| one.len()).sum::<usize>();
        let all: Vec<&String> = self.open_invalidations.iter().collect();
        let account = WrittenInvalidation::account_of(open_invalidation);
        let is_own = |one: &&String| account.is_some() && WrittenInvalidation::account_of(one) == account;
        let own: Vec<&String> = all.iter().copied().filter(is_own).collect();
        let left = MOST_OPENS.saturating_sub(all.len());
        let left_bytes = MOST_OPEN_BYTES.checked_sub(bytes(&all) + open_invalidation.len());
        all.is_empty() || left > own.len() && left_bytes.is_some_and(|left| left >= bytes(&own))
    }

    fn take(&mut self, item: &Item) {
        match text_of(item, "sk") {
            Some(document::NAME) => self.document = document::read(item),
            Some(sort) if sort.starts_with(OPEN) => {
                self.open_invalidations.push(text_of(item, "body").unwrap_or_default().to_owned());
            }
            _ => {}
        }
    }
}

/// The request that leaves the open invalidation of a job, for a transaction.
pub(super) fn put_open_invalidation(table: &str, job: &str, body: &str) -> Put {
    let mut item = open_invalidation_key(job);
    item.insert("body".to_owned(), text(body));
    Put::builder().table_name(table).set_item(Some(item)).build().expect("both are given")
}

/// The request that takes the open invalidation of a job away, for a transaction.
pub(super) fn delete_open_invalidation(table: &str, job: &str) -> Delete {
    Delete::builder().table_name(table).set_key(Some(open_invalidation_key(job))).build().expect("both are given")
}

impl Store {
    /// Reads the bulletin, consistently.
    ///
    /// # Errors
    /// Also when the tables belong to another deployment.
    pub(crate) fn bulletin(&self) -> BoxFuture<'_, Result<Bulletin, L3Error>> {
        // On the heap: it is large, seldom needed, and would make every operation as large.
        let read = async { try_join!(self.read_bulletin(), self.belong()).map(|(bulletin, ())| bulletin) };
        read.boxed()
    }

    async fn read_bulletin(&self) -> Result<Bulletin, L3Error> {
        let mut bulletin = Bulletin { document: Some(Document::default()), ..Bulletin::default() };
        let query = self.control_query(text(PARTITION)).await?.key_condition_expression("pk = :pk AND sk < :end");
        let items = self.pages(query.expression_attribute_values(":end", text(END))).await?;
        items.iter().for_each(|item| bulletin.take(item));
        Ok(bulletin)
    }
}

fn open_invalidation_key(job: &str) -> Item {
    Item::from([("pk".to_owned(), text(PARTITION)), ("sk".to_owned(), text(format!("{OPEN}{job}")))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_invalidation(of: &str, pattern: &str) -> String {
        format!(r#"{{"version":9,"levels":7,"pattern":"{pattern}","of":"{of}"}}"#)
    }

    #[test]
    fn nobody_s_take_more_than_what_is_left_for_others() {
        let long = "x".repeat(200);
        let mut bulletin = Bulletin::default();
        let room = |bulletin: &Bulletin| ["a", "b"].map(|of| bulletin.has_room_for(&open_invalidation(of, "p:*")));
        assert!(bulletin.has_room_for(&open_invalidation("a", &"x".repeat(MOST_OPEN_BYTES))), "one alone");
        for opens in 0..MOST_OPENS / 2 {
            assert_eq!(room(&bulletin), [true, true], "{opens}");
            bulletin.open_invalidations.push(open_invalidation("a", "p:*"));
        }
        assert_eq!(room(&bulletin), [false, true]);
        bulletin.open_invalidations.resize(MOST_OPENS, "what nobody can read".to_owned());
        assert_eq!(room(&bulletin), [false, false]);
        bulletin.open_invalidations = vec![open_invalidation("a", &long); 28];
        assert_eq!(room(&bulletin), [false, true], "more than half of the bytes");
        bulletin.open_invalidations = vec![open_invalidation("a", &long); 20];
        assert_eq!(room(&bulletin), [true, true]);
    }
}
