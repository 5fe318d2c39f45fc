//! The configuration document: the record of what was changed by the API, which survives the loss of Redis.
//!
//! It is part of the bulletin, so that a container that looks for outage notes learns of a change as well.

use super::{Item, bulletin::PARTITION, client::Store, error::L3Error, number, text, text_of};
use crate::config::document::Document;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

/// Its sort key.
pub(super) const NAME: &str = "!document";

impl Store {
    /// Reads the document, consistently; the empty one when nothing was ever changed.
    pub(crate) async fn document(&self) -> Result<Document, L3Error> {
        match self.control_item(key()).await? {
            Some(item) => read(&item).ok_or_else(|| L3Error::Failed("the configuration document is unreadable".into())),
            None => Ok(Document::default()),
        }
    }

    /// Writes a document over the one of version `before`. Returns whether that stood there.
    pub(crate) async fn write_document(&self, document: &Document, before: u64) -> Result<bool, L3Error> {
        let body = serde_json::to_string(document).map_err(|error| L3Error::Refused(error.into()))?;
        let mut item = key();
        item.insert("version".to_owned(), number(document.version));
        item.insert("document".to_owned(), text(body));
        let put = self.client().await?.put_item().table_name(&self.control).set_item(Some(item));
        let put = match before {
            0 => put.condition_expression("attribute_not_exists(#v)"),
            _ => put.condition_expression("#v = :before").expression_attribute_values(":before", number(before)),
        };
        let sent = put
            .expression_attribute_names("#v", "version")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        Ok(match self.conditional(sent)? {
            Ok(_) => true,
            // The repetition of a request whose answer was lost finds its own document.
            Err(current) => current.as_ref().and_then(read).as_ref() == Some(document),
        })
    }
}

fn key() -> Item {
    Item::from([("pk".to_owned(), text(PARTITION)), ("sk".to_owned(), text(NAME))])
}

/// The document that an item of the partition is, if it is one.
pub(super) fn read(item: &Item) -> Option<Document> {
    serde_json::from_str(text_of(item, "document")?).ok()
}
