//! Which deployment the table of entries belongs to.
//!
//! Two deployments over one table, each with a journal of its own, would not hear of each other's mutations, and nothing but
//! stale values would show it. So the first deployment that uses the table leaves its name there, and any other that finds it
//! is refused. Each container looks for it once, together with its first reading of the bulletin: a container whose journal
//! nobody else has written must read that before it trusts anything, and so must one that cannot reach Redis.

use super::{Item, client::Store, error::L3Error, text, text_of};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use std::fmt;

/// The partition of its only row; those of entries have a `#`.
const PARTITION: &str = "deployment";

/// What containers must have in common to hear of each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The control table: notes, jobs and the configuration.
    pub control: String,
    /// Stands before every key in Redis, the journal's as well.
    pub key_prefix: String,
}

impl Store {
    /// Makes sure that the table of entries is that of this deployment; asks once.
    ///
    /// # Errors
    /// From then on for everything, when it is another's.
    pub(super) async fn belong(&self) -> Result<(), L3Error> {
        if !self.uses_entries() || self.belongs.get().is_some() {
            return Ok(());
        }
        let owner = match self.owner().await? {
            Some(owner) => owner,
            None => self.leave_name().await?,
        };
        match owner == self.identity {
            true => {
                let _ = self.belongs.set(());
                Ok(())
            }
            false => {
                let foreign = Foreign { table: self.entries.clone(), theirs: owner, ours: self.identity.clone() };
                tracing::error!(%foreign, "this container answers nothing");
                let _ = self.foreign.set(foreign.clone());
                Err(L3Error::Foreign(Box::new(foreign)))
            }
        }
    }

    async fn owner(&self) -> Result<Option<Identity>, L3Error> {
        let get = self.client().await?.get_item().table_name(&self.entries).set_key(Some(key())).consistent_read(true);
        let got = get.send().await.map_err(|error| self.failed(error))?;
        Ok(got.item.as_ref().and_then(read))
    }

    /// Leaves own name where there is none; returns the one that stands.
    async fn leave_name(&self) -> Result<Identity, L3Error> {
        let mut item = key();
        item.insert("control".to_owned(), text(&self.identity.control));
        item.insert("key_prefix".to_owned(), text(&self.identity.key_prefix));
        let put = self.client().await?.put_item().table_name(&self.entries).set_item(Some(item));
        let put = put
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match self.conditional(put.send().await) {
            // Not every function may write the table; those that do leave the name.
            Ok(Ok(_)) | Err(L3Error::Refused(_)) => Ok(self.identity.clone()),
            Ok(Err(current)) => current
                .as_ref()
                .and_then(read)
                .ok_or_else(|| L3Error::Failed("the name of the table's deployment is unreadable".into())),
            Err(failed) => Err(failed),
        }
    }
}

fn key() -> Item {
    Item::from([("pk".to_owned(), text(PARTITION)), ("sk".to_owned(), text("-"))])
}

fn read(item: &Item) -> Option<Identity> {
    let part = |name| text_of(item, name).map(str::to_owned);
    Some(Identity { control: part("control")?, key_prefix: part("key_prefix")? })
}

/// The table is another deployment's.
#[derive(Debug, Clone)]
pub(crate) struct Foreign {
    table: String,
    theirs: Identity,
    ours: Identity,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Foreign { table, theirs, ours } = self;
        write!(
            f,
            "table {table} belongs to the deployment with control table {} and key_prefix {:?}; this one has {} and {:?}",
            theirs.control, theirs.key_prefix, ours.control, ours.key_prefix
        )
    }
}

impl std::error::Error for Foreign {}
