//! `strata undo` and `strata invalidations`: taking back what was invalidated by mistake.

use crate::{
    exit::Failure,
    output::{count, counted, entries},
    session::Session,
    table::Table,
};
use clap::Args;
use strata_client::{Invalidation, InvalidationState, Undone};

/// Invalidations of a page: as many as the API gives.
const PAGE: u64 = 100;

/// Bring back what an invalidation, or a rm, has removed
///
/// It must have been asked for with --undo-seconds, or by the configuration. What something else has touched since stays as
/// it is.
#[derive(Debug, Args)]
pub struct Undo {
    /// Its name, as `strata invalidate`, `strata rm` and `strata invalidations` say it
    id: String,
}

impl Undo {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let undone = session.client.undo(&self.id).await?;
        if session.output.json {
            return session.output.json(&undone);
        }
        session.output.note(&told(&undone));
        Ok(())
    }
}

fn told(undone: &Undone) -> String {
    let rest = [
        (undone.overwritten, "touched by something else since, and left as it is"),
        (undone.expired, "expired by now"),
        (undone.level2_only.unwrap_or_default(), "held by Redis alone, and kept by nothing"),
    ];
    let rest = rest.into_iter().filter(|(number, _)| *number > 0);
    let rest: Vec<String> = rest.map(|(number, why)| format!("; {} {why}", count(number))).collect();
    format!("brought back {}{}", entries(undone.restored), rest.concat())
}

/// List what can be undone, or could in the last day, the newest first
#[derive(Debug, Args)]
pub struct Invalidations {
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: u64,
}

impl Invalidations {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let (output, mut left, mut cursor) = (&session.output, self.limit, None::<String>);
        let mut table = Table::new(["INVALIDATION", "STATE", "UNTIL", "ENTRIES>", "WHAT", "BY"]);
        while left > 0 {
            let request = session.client.invalidations().limit(left.min(PAGE));
            let page = match cursor {
                Some(cursor) => request.cursor(cursor).await?,
                None => request.await?,
            };
            left = left.saturating_sub(page.invalidations.len() as u64);
            for invalidation in &page.invalidations {
                if output.json {
                    output.json(invalidation)?;
                } else {
                    row(&mut table, invalidation);
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        if output.json {
            return Ok(());
        }
        let paint = output.paint;
        let lines = table.lines(paint, |column, cell| match (column, cell) {
            (1, "undoable") => paint.good(cell),
            (1, "open") => paint.odd(cell),
            _ => cell.to_owned(),
        });
        lines.iter().try_for_each(|line| output.line(line))
    }
}

fn row(table: &mut Table, invalidation: &Invalidation) {
    let known = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), count);
    let until = invalidation.undo_until.filter(|_| invalidation.state == InvalidationState::Undoable);
    let until = until.map_or_else(|| "-".to_owned(), |until| until.to_string());
    let removed = known(invalidation.invalidated_count);
    let (state, by) = (invalidation.state.name(), invalidation.by.as_deref().unwrap_or_default());
    table.row([&invalidation.invalidation_id, state, &until, &removed, &what(invalidation), by]);
}

/// What it removed, in words.
fn what(invalidation: &Invalidation) -> String {
    let what = match (&invalidation.key, &invalidation.pattern, &invalidation.tags, invalidation.keys_count) {
        (Some(key), ..) => format!("{} {key}", invalidation.kind),
        (_, Some(pattern), ..) => pattern.clone(),
        (_, _, Some(tags), _) => format!("tags {}", tags.join(", ")),
        (.., Some(keys)) => counted(keys, "key", "keys"),
        _ => invalidation.kind.clone(),
    };
    match &invalidation.reason {
        Some(reason) => format!("{what}  “{reason}”"),
        None => what,
    }
}
