//! `strata rm`

use crate::{
    exit::{Exit, Failure},
    session::Session,
};
use clap::Args;

/// Delete entries by key; exit code 3 when there was none of one of them
#[derive(Debug, Args)]
pub struct Rm {
    #[arg(required = true)]
    keys: Vec<String>,
}

impl Rm {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let output = &session.output;
        let mut missing = 0;
        for key in &self.keys {
            match session.client.delete(key).await? {
                Some(deleted) if output.json => output.json(&deleted)?,
                Some(deleted) => {
                    let levels: Vec<&str> = deleted.deleted_from_levels.iter().map(|level| level.name()).collect();
                    output.note(&format!("deleted {key} from {}", levels.join(", ")));
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
