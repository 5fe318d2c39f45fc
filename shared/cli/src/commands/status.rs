//! `strata status`

use crate::{
    exit::Failure,
    output::{bytes, count, counted, percent},
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
            "{} of reads answered; {}, {}, {}",
            percent(overall.overall_hit_ratio),
            counted(overall.cache_promotion_count, "promotion", "promotions"),
            counted(overall.cache_demotion_count, "demotion", "demotions"),
            counted(overall.degraded_mutation_count.unwrap_or_default(), "degraded mutation", "degraded mutations"),
        ))?;
        match &status.fleet {
            None => Ok(()),
            Some(fleet) => output.line(&format!(
                "{}; window {} ms; {} in the journal; statistics {}",
                counted(fleet.containers, "container", "containers"),
                fleet.coherence_window_ms,
                counted(fleet.journal_records, "record", "records"),
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
