//! Invalidations that can be undone, in the control table: what each meant, and what became of it; in partitions of their
//! own its parts, which are what the records of the journal say, and what is to be tidied up after its time.

use super::{Item, client::Store, error::L3Error, names, number, number_of, text, text_of};
use aws_sdk_dynamodb::types::{Put, ReturnValue, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};

/// The partition of what was meant; sorted by id, which begins with the time.
const HEADS: &str = "undos";
/// Stands before an id in the partition of its parts.
const PARTS: &str = "undo#";
/// The partition of those that are not tidied up yet.
const DUE: &str = "undos#due";
/// How long it is told of an invalidation that cannot be undone any more, in seconds.
const KEEP_SECONDS: i64 = 86_400;

/// What is written down when an invalidation begins.
#[derive(Debug, Clone)]
pub(crate) struct NewUndo {
    pub id: String,
    /// What it means, as JSON.
    pub meant: String,
    pub by: String,
    pub account: String,
    pub reason: Option<String>,
    pub created_ms: i64,
    pub until_ms: i64,
}

/// What an invalidation has removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RemovedCounts {
    /// Distinct keys that were met.
    pub matched: u64,
    /// Those of whose values L3 keeps one.
    pub kept: u64,
    /// Those whose value was in L2 alone.
    pub elsewhere: u64,
}

/// An invalidation that can be undone, or could.
#[derive(Debug, Clone)]
pub(crate) struct UndoRecord {
    pub new: NewUndo,
    pub removed: RemovedCounts,
    /// How many of its parts have not removed all they mean.
    pub open: i64,
    /// How far an undo has come that was cut off, as JSON; empty before it began.
    pub progress: String,
    /// What came of the undo, as JSON.
    pub outcome: Option<String>,
}

impl RemovedCounts {
    /// Adds what was removed besides.
    pub(crate) fn add(&mut self, other: RemovedCounts) {
        self.matched += other.matched;
        self.kept += other.kept;
        self.elsewhere += other.elsewhere;
    }
}

impl Store {
    /// Writes down an invalidation that begins, or another part of one, or what one has removed that has ended already.
    pub(crate) async fn begin_undoable(
        &self,
        new: &NewUndo,
        (part, body): (&str, &str),
        ended: Option<RemovedCounts>,
    ) -> Result<(), L3Error> {
        let ttl = number(new.until_ms / 1000 + KEEP_SECONDS);
        let said = ["meant", "by", "account", "created", "until", "ttl"];
        let set: Vec<String> = said.iter().map(|name| format!("#{name} = :{name}")).collect();
        let mut head = Update::builder()
            .table_name(&self.control)
            .set_key(Some(key(HEADS, &new.id)))
            .expression_attribute_values(":meant", text(&new.meant))
            .expression_attribute_values(":by", text(&new.by))
            .expression_attribute_values(":account", text(&new.account))
            .expression_attribute_values(":created", number(new.created_ms))
            .expression_attribute_values(":until", number(new.until_ms))
            .expression_attribute_values(":ttl", ttl.clone())
            .expression_attribute_values(":open", number(u8::from(ended.is_none())))
            .expression_attribute_values(":matched", number(ended.unwrap_or_default().matched))
            .expression_attribute_values(":kept", number(ended.unwrap_or_default().kept));
        let mut all = said.to_vec();
        all.extend(["open", "matched", "kept"]);
        let mut set = set.join(", ");
        if let Some(reason) = &new.reason {
            set.push_str(", #reason = :reason");
            all.push("reason");
            head = head.expression_attribute_values(":reason", text(reason));
        }
        let head = head
            .update_expression(format!("SET {set} ADD #open :open, #matched :matched, #kept :kept"))
            .set_expression_attribute_names(Some(names(&all)))
            .build()
            .expect("all are given");
        let mut item = key(&format!("{PARTS}{}", new.id), part);
        item.extend([("body".to_owned(), text(body)), ("ttl".to_owned(), ttl.clone())]);
        let mut due = key(DUE, &new.id);
        due.extend([("until".to_owned(), number(new.until_ms)), ("ttl".to_owned(), ttl)]);
        let mut writes = vec![TransactWriteItem::builder().update(head).build()];
        writes.extend([item, due].map(|item| {
            let put = Put::builder().table_name(&self.control).set_item(Some(item));
            TransactWriteItem::builder().put(put.build().expect("table and item are given")).build()
        }));
        self.transact(writes).await.map(drop)
    }

    /// Adds what was removed, and whether with that a part has ended.
    pub(crate) async fn note_removed(&self, id: &str, removed: RemovedCounts, ended: bool) -> Result<(), L3Error> {
        let update = self
            .control_update(key(HEADS, id))
            .await?
            .update_expression("ADD #matched :matched, #kept :kept, #elsewhere :elsewhere, #open :open")
            .condition_expression("attribute_exists(pk)")
            .set_expression_attribute_names(Some(names(&["matched", "kept", "elsewhere", "open"])))
            .expression_attribute_values(":matched", number(removed.matched))
            .expression_attribute_values(":kept", number(removed.kept))
            .expression_attribute_values(":elsewhere", number(removed.elsewhere))
            .expression_attribute_values(":open", number(-i64::from(ended)));
        self.update(update).await.map(drop)
    }

    /// The invalidation of that name.
    pub(crate) async fn undo_record(&self, id: &str) -> Result<Option<UndoRecord>, L3Error> {
        Ok(self.control_item(key(HEADS, id)).await?.as_ref().and_then(UndoRecord::of))
    }

    /// Its parts, as the journal has them, by their versions.
    pub(crate) async fn undo_parts(&self, id: &str) -> Result<Vec<String>, L3Error> {
        let parts = self.pages(self.control_query(text(format!("{PARTS}{id}"))).await?).await?;
        Ok(parts.iter().filter_map(|item| text_of(item, "body")).map(str::to_owned).collect())
    }

    /// A page of the invalidations, the newest first, after that one; and whether there may be more.
    pub(crate) async fn undo_records(
        &self,
        after: Option<&str>,
        most: usize,
    ) -> Result<(Vec<UndoRecord>, bool), L3Error> {
        let query = self
            .control_query(text(HEADS))
            .await?
            .scan_index_forward(false)
            .limit(i32::try_from(most).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after.map(|after| key(HEADS, after)));
        let page = self.page(query).await?;
        let more = page.last_evaluated_key.is_some();
        Ok((page.items.iter().flatten().filter_map(UndoRecord::of).collect(), more))
    }

    /// Writes down how far an undo has come.
    pub(crate) async fn save_undo(&self, id: &str, progress: &str) -> Result<(), L3Error> {
        let update = self
            .control_update(key(HEADS, id))
            .await?
            .update_expression("SET #progress = :progress")
            .condition_expression("attribute_exists(pk)")
            .set_expression_attribute_names(Some(names(&["progress"])))
            .expression_attribute_values(":progress", text(progress));
        self.update(update).await.map(drop)
    }

    /// Ends an undo, unless another has; returns what came of the first that did.
    pub(crate) async fn end_undo(&self, id: &str, outcome: &str) -> Result<Option<String>, L3Error> {
        let update = self
            .control_update(key(HEADS, id))
            .await?
            .update_expression("SET #outcome = if_not_exists(#outcome, :outcome) REMOVE #progress")
            .condition_expression("attribute_exists(pk)")
            .set_expression_attribute_names(Some(names(&["outcome", "progress"])))
            .expression_attribute_values(":outcome", text(outcome))
            .return_values(ReturnValue::AllNew);
        let ended = self.update(update).await?;
        Ok(ended.and_then(|ended| ended.attributes).and_then(|item| text_of(&item, "outcome").map(str::to_owned)))
    }

    /// Names of invalidations whose time was over at `by_ms` and which are not tidied up yet: the first of them.
    pub(crate) async fn undos_due(&self, by_ms: i64) -> Result<Vec<String>, L3Error> {
        let page = self.page(self.control_query(text(DUE)).await?).await?;
        let is_over = |item: &&Item| number_of(item, "until").is_none_or(|until: i64| until <= by_ms);
        let over = page.items.iter().flatten().filter(is_over);
        Ok(over.filter_map(|item| text_of(item, "sk")).map(str::to_owned).collect())
    }

    /// That one is tidied up.
    pub(crate) async fn undo_tidied(&self, id: &str) -> Result<(), L3Error> {
        let delete = self.client().await?.delete_item().table_name(&self.control).set_key(Some(key(DUE, id)));
        delete.send().await.map(drop).map_err(|error| self.failed(error))
    }
}

impl UndoRecord {
    fn of(item: &Item) -> Option<UndoRecord> {
        let said = |name| text_of(item, name).unwrap_or_default().to_owned();
        let count = |name| number_of(item, name).unwrap_or_default();
        let new = NewUndo {
            id: text_of(item, "sk")?.to_owned(),
            meant: said("meant"),
            by: said("by"),
            account: said("account"),
            reason: text_of(item, "reason").map(str::to_owned),
            created_ms: number_of(item, "created")?,
            until_ms: number_of(item, "until")?,
        };
        let removed = RemovedCounts { matched: count("matched"), kept: count("kept"), elsewhere: count("elsewhere") };
        let open = number_of(item, "open").unwrap_or_default();
        let outcome = text_of(item, "outcome").map(str::to_owned);
        Some(UndoRecord { new, removed, open, progress: said("progress"), outcome })
    }
}

fn key(partition: &str, sort: &str) -> Item {
    Item::from([("pk".to_owned(), text(partition)), ("sk".to_owned(), text(sort))])
}
