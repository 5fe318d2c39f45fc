//! How `top` looks.

use super::seen::Seen;
use crate::{
    commands::{
        jobs, journal,
        status::{health, state},
    },
    output::{bytes, count, counted, percent},
    paint::visible,
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, List, Paragraph, Row, Sparkline, SparklineBar, Table},
};
use strata_client::{Level, LevelStatus};

const HEAD: [&str; 8] = ["LEVEL", "STATE", "ENTRIES", "SIZE", "HOUR", "HITS", "MISSES", "ERRORS"];
const WIDTHS: [u16; 8] = [12, 10, 12, 11, 8, 14, 14, 10];

/// Draws all that was seen.
pub fn draw(frame: &mut Frame<'_>, seen: &Seen) {
    let of_jobs = if seen.jobs.is_empty() { 0 } else { seen.jobs.len() as u16 + 2 };
    let rows = [2, 6, 5, of_jobs].map(Constraint::Length);
    let [head, levels, ratios, jobs, journal] =
        Layout::vertical(rows.into_iter().chain([Constraint::Min(3)])).areas(frame.area());
    frame.render_widget(heading(seen), head);
    frame.render_widget(table(&seen.status.levels), levels);
    draw_ratios(frame, seen, ratios);
    frame.render_widget(List::new(seen.jobs.iter().map(jobs::line)).block(Block::bordered().title(" Jobs ")), jobs);
    draw_journal(frame, seen, journal);
}

fn heading(seen: &Seen) -> Paragraph<'_> {
    let status = &seen.status;
    let whole = health(status.status);
    let mut first = vec![
        Span::styled(whole, colour(whole).add_modifier(Modifier::BOLD)),
        Span::raw(format!("  {}  as of {}", seen.url, status.last_updated)),
    ];
    if let Some(fleet) = &status.fleet {
        let containers = counted(fleet.containers, "container", "containers");
        first.push(Span::raw(format!("  {containers}, window {} ms", fleet.coherence_window_ms)));
    }
    let second = match &seen.trouble {
        Some(trouble) => Line::styled(visible(trouble), Style::new().fg(Color::Red)),
        None => Line::styled("q ends it", Style::new().add_modifier(Modifier::DIM)),
    };
    Paragraph::new(vec![Line::from(first), second])
}

fn table(levels: &[LevelStatus]) -> Table<'static> {
    let rows = levels.iter().map(|level| {
        let known = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), count);
        let cells = [
            level.level.name().to_owned(),
            state(level.status).to_owned(),
            count(level.entries),
            bytes(level.size),
            percent(level.hit_ratio),
            known(level.hits),
            known(level.misses),
            known(level.errors),
        ];
        Row::new(cells).style(colour(state(level.status)))
    });
    let head = Row::new(HEAD).style(Style::new().add_modifier(Modifier::DIM));
    Table::new(rows, WIDTHS.map(Constraint::Length)).header(head).block(Block::bordered().title(" Levels "))
}

/// The hits of each level, minute by minute, the newest at the right.
fn draw_ratios(frame: &mut Frame<'_>, seen: &Seen, area: Rect) {
    let areas: [Rect; 3] = Layout::horizontal([Constraint::Ratio(1, 3); 3]).areas(area);
    for (level, area) in Level::ALL.into_iter().zip(areas) {
        let ratios: Vec<Option<u64>> = seen.ratios(level).collect();
        let last = ratios.iter().rev().find_map(|ratio| *ratio);
        let last = last.map_or_else(|| "not asked".to_owned(), |ratio| format!("{ratio} %"));
        let width = usize::from(area.width.saturating_sub(2));
        let newest = ratios.iter().skip(ratios.len().saturating_sub(width)).map(|ratio| SparklineBar::from(*ratio));
        let block = Block::bordered().title(format!(" {level} hits: {last} "));
        frame.render_widget(Sparkline::default().data(newest).max(100).block(block), area);
    }
}

/// The newest mutations, as many as fit.
fn draw_journal(frame: &mut Frame<'_>, seen: &Seen, area: Rect) {
    let lines = usize::from(area.height.saturating_sub(2));
    let newest = seen.mutations.iter().rev().take(lines).map(journal::line);
    frame.render_widget(List::new(newest).block(Block::bordered().title(" Journal, newest first ")), area);
}

fn colour(state: &str) -> Style {
    match state {
        "healthy" => Style::new().fg(Color::Green),
        "degraded" => Style::new().fg(Color::Yellow),
        "unhealthy" => Style::new().fg(Color::Red),
        _ => Style::new().add_modifier(Modifier::DIM),
    }
}
