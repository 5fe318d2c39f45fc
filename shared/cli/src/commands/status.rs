//! `strata status`

use crate::{
    exit::Failure,
    output::{bytes, count, percent},
    paint::Paint,
    session::Session,
    table::Table,
};
use clap::Args;
use strata_client::{Health, LevelHealth, Status as Answer};

/// Show how the levels and the fleet are
#[derive(Debug, Args)]
pub struct Status {}

impl Status {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let status = session.client.status().await?;
        let output = &session.output;
        if output.json {
            return output.json(&status);
        }
        let paint = output.paint;
        output.line(&format!("{}  as of {}", coloured(health(status.status), paint), status.last_updated))?;
        for line in levels(&status).lines(paint, |column, cell| match column {
            1 => coloured(cell, paint),
            _ => cell.to_owned(),
        }) {
            output.line(&line)?;
        }
        let overall = &status.overall_stats;
        output.line(&format!(
            "{} of reads answered; {} promotions, {} demotions, {} degraded mutations",
            percent(overall.overall_hit_ratio),
            count(overall.cache_promotion_count),
            count(overall.cache_demotion_count),
            count(overall.degraded_mutation_count.unwrap_or_default()),
        ))?;
        match &status.fleet {
            None => Ok(()),
            Some(fleet) => output.line(&format!(
                "{} containers; window {} ms; {} records in the journal; statistics {}",
                count(fleet.containers),
                fleet.coherence_window_ms,
                count(fleet.journal_records),
                fleet.statistics,
            )),
        }
    }
}

/// The levels as a table.
pub fn levels(status: &Answer) -> Table {
    let mut table =
        Table::new(["LEVEL", "STATE", "ENTRIES>", "SIZE>", "HOUR>", "HITS>", "MISSES>", "REFUSED>", "ERRORS>"]);
    let known = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), count);
    for level in &status.levels {
        table.row([
            level.level.name(),
            state(level.status),
            &count(level.entries),
            &bytes(level.size),
            &percent(level.hit_ratio),
            &known(level.hits),
            &known(level.misses),
            &known(level.stale_refused),
            &known(level.errors),
        ]);
    }
    table
}

pub fn health(health: Health) -> &'static str {
    match health {
        Health::Healthy => "healthy",
        Health::Degraded => "degraded",
        Health::Unhealthy => "unhealthy",
    }
}

pub fn state(health: LevelHealth) -> &'static str {
    match health {
        LevelHealth::Healthy => "healthy",
        LevelHealth::Degraded => "degraded",
        LevelHealth::Unhealthy => "unhealthy",
        LevelHealth::Disabled => "disabled",
    }
}

fn coloured(state: &str, paint: Paint) -> String {
    match state {
        "healthy" => paint.good(state),
        "degraded" => paint.odd(state),
        "unhealthy" => paint.bad(state),
        _ => paint.dim(state),
    }
}
