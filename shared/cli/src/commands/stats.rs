//! `strata stats`: how much there is, by what its keys begin with.

use crate::{
    exit::Failure,
    output::{bytes, count},
    session::Session,
    table::Table,
};
use clap::Args;
use strata_client::{Amount, Stats as Answer};

/// Show entries and bytes by key prefix, as the last census counted them
#[derive(Debug, Args)]
pub struct Stats {
    /// What the parts of a key are separated by: one of : / # . |
    #[arg(long, short, value_name = "SIGN")]
    separator: Option<char>,
    /// With how many separators a prefix ends, 1 to 3
    #[arg(long, short)]
    depth: Option<u64>,
}

impl Stats {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut request = session.client.stats();
        if let Some(separator) = self.separator {
            request = request.separator(separator);
        }
        if let Some(depth) = self.depth {
            request = request.depth(depth);
        }
        let (stats, output) = (request.await?, &session.output);
        if output.json {
            return output.json(&stats);
        }
        let paint = output.paint;
        for line in table(&stats).lines(paint, |_, cell| cell.to_owned()) {
            output.line(&line)?;
        }
        match (stats.counted_at, stats.age_seconds) {
            (Some(at), Some(age)) => {
                output.note(&format!("counted in {} at {at}, {} s ago", stats.level.name(), count(age)))
            }
            _ => output.note("nothing has been counted yet"),
        }
        Ok(())
    }
}

fn table(stats: &Answer) -> Table {
    let mut table = Table::new(["PREFIX", "ENTRIES>", "STORED>"]);
    for amount in &stats.prefixes {
        table.row([&amount.prefix, &count(amount.entries), &bytes(amount.stored_bytes)]);
    }
    for (name, amount) in [("(others)", &stats.other), ("(all)", &stats.total)] {
        if let Some(Amount { entries, stored_bytes, .. }) = amount {
            table.row([name, &count(*entries), &bytes(*stored_bytes)]);
        }
    }
    table
}
