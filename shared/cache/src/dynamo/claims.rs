//! Claims: a fill takes the row of its key before it looks into the journal, and puts its value there only after that.
//!
//! A claim is written as a stub that has expired, with the name of its owner. So every release reads it as nothing, and
//! whatever removes or replaces a stub does the same to a claim.

use super::{
    Item,
    client::Store,
    error::L3Error,
    number,
    row_state::{RowKind, RowState},
    rows::Before,
    schema::{CLAIM, KEEP_SECONDS, index_key, is_claim, row_key, tags_attribute, tombstone},
    tag_rows::parts_until,
    text,
};
use crate::entry::Entry;
use aws_sdk_dynamodb::types::ReturnValue;
use futures_util::future::try_join_all;

/// A row that a fill claims.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub key: &'a str,
    /// What is to be put there.
    pub entry: &'a Entry,
    /// What stood there at the miss.
    pub seen: Option<RowState>,
    /// Whose it is: the same name again is the same claim.
    pub name: u64,
}

/// What must hold for a value to take the place of the claim of that name.
pub(super) const CLAIMED: &str = "#v = :new AND claim = :claim";

impl Store {
    /// Claims a row that is as it was seen; returns what it said before, or nothing where it is not claimed.
    pub(crate) async fn claim_row(&self, claim: Claim<'_>) -> Result<Option<Before>, L3Error> {
        let own = "(#v = :own AND claim = :claim)";
        let seen = match claim.seen {
            None => "attribute_not_exists(#v)",
            Some(RowState { kind: RowKind::Claim, .. }) => "(#v = :seen AND #k = :kind AND attribute_exists(claim))",
            Some(_) => "(#v = :seen AND #k = :kind AND attribute_not_exists(claim))",
        };
        let mut put = self
            .client()
            .await?
            .put_item()
            .table_name(&self.entries)
            .set_item(Some(self.claimed(claim)))
            .condition_expression(format!("{seen} OR {own}"))
            .expression_attribute_names("#v", "version")
            .expression_attribute_values(":own", number(claim.entry.version.0))
            .expression_attribute_values(":claim", number(claim.name))
            .return_values(ReturnValue::AllOld);
        if let Some(RowState { version, kind }) = claim.seen {
            put = put
                .expression_attribute_names("#k", "kind")
                .expression_attribute_values(":seen", number(version.0))
                .expression_attribute_values(":kind", text(kind.kind()));
        }
        let Ok(put) = self.conditional(put.send().await)? else { return Ok(None) };
        let before = put.attributes.filter(|before| !is_claim(before));
        let before = before.map(|before| self.before_of(&before)).unwrap_or_default();
        self.count_gone(before.kept);
        Ok(Some(before))
    }

    fn claimed(&self, claim: Claim<'_>) -> Item {
        let mut item = row_key(claim.key);
        item.extend([
            ("version".to_owned(), number(claim.entry.version.0)),
            ("kind".to_owned(), text(RowKind::Claim.kind())),
            ("expires_at".to_owned(), number(0)),
            ("levels".to_owned(), number(0)),
            (CLAIM.to_owned(), number(claim.name)),
            ("ttl".to_owned(), number(self.clock.now_ms() / 1000 + KEEP_SECONDS)),
        ]);
        if !claim.entry.tags.is_empty() {
            item.insert("tags".to_owned(), tags_attribute(&claim.entry.tags));
        }
        item
    }

    /// Gives a claim up: nothing stands in its place.
    pub(crate) async fn unclaim(&self, claim: Claim<'_>) -> Result<(), L3Error> {
        let Claim { key, entry, name, .. } = claim;
        let put = self
            .client()
            .await?
            .put_item()
            .table_name(&self.entries)
            .set_item(Some(tombstone(key, entry.version, self.clock.now_ms())))
            .condition_expression(CLAIMED)
            .expression_attribute_names("#v", "version")
            .expression_attribute_values(":new", number(entry.version.0))
            .expression_attribute_values(":claim", number(name));
        if self.conditional(put.send().await)?.is_ok() {
            self.discard(key, entry.version, 0, entry.tags.iter().map(|tag| &**tag)).await;
        }
        Ok(())
    }

    /// Writes the index rows of a fill's tags, all at once. One that stands for longer stays: a token may be used twice, and
    /// what came first may live longer.
    pub(crate) async fn index_for_long(&self, key: &str, entry: &Entry) -> Result<(), L3Error> {
        let rows = entry.tags.iter().map(async |tag| {
            let mut item = index_key(key, entry.version, tag);
            let ttl = number(parts_until(entry));
            item.insert("ttl".to_owned(), ttl.clone());
            let put = self.client().await?.put_item().table_name(&self.entries).set_item(Some(item));
            let sent = put
                .condition_expression("attribute_not_exists(#ttl) OR #ttl < :ttl")
                .expression_attribute_names("#ttl", "ttl")
                .expression_attribute_values(":ttl", ttl)
                .send()
                .await;
            self.conditional(sent).map(drop)
        });
        try_join_all(rows).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamo::{head::Kind, text_of};

    #[test]
    fn a_claim_is_a_stub_to_releases_that_know_of_none() {
        let mut item = Item::from([("kind".to_owned(), text(RowKind::Claim.kind()))]);
        assert_eq!(text_of(&item, "kind"), Some("elsewhere"));
        assert_eq!(RowKind::of_row(Kind::Stub, &item), RowKind::Stub);
        item.insert(CLAIM.to_owned(), number(1));
        assert_eq!(RowKind::of_row(Kind::Stub, &item), RowKind::Claim);
    }
}
