//! `strata rm`

use crate::{
    commands::invalidate::note_undo,
    exit::{Exit, Failure},
    session::Session,
};
use clap::Args;
use std::time::Duration;

/// Delete entries by key; exit code 3 when there was none of one of them
#[derive(Debug, Args)]
pub struct Rm {
    #[arg(required = true)]
    keys: Vec<String>,
    /// Keep the values, so that `strata undo` can bring them back within so many seconds, up to 3600; 0 to keep nothing
    ///
    /// By default as the API's configuration says.
    #[arg(long, value_name = "SECONDS")]
    undo_seconds: Option<u64>,
}

impl Rm {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let output = &session.output;
        let mut missing = 0;
        for key in &self.keys {
            let mut delete = session.client.delete(key);
            if let Some(seconds) = self.undo_seconds {
                delete = delete.undo_within(Duration::from_secs(seconds));
            }
            match delete.await? {
                Some(deleted) if output.json => output.json(&deleted)?,
                Some(deleted) => {
                    let levels: Vec<&str> = deleted.deleted_from_levels.iter().map(|level| level.name()).collect();
                    output.note(&format!("deleted {key} from {}", levels.join(", ")));
                    note_undo(output, deleted.invalidation_id.as_deref(), deleted.undo_until);
                }
                None => {
                    missing += 1;
                    output.note(&format!("there is no entry `{key}`"));
                }
            }
        }
        if missing == 0 { Ok(()) } else { Err(Failure::silent(Exit::NotFound)) }
    }
}
