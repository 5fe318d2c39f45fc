//! Tables for people.

use crate::paint::{Paint, visible};
use unicode_width::UnicodeWidthStr;

const GAP: &str = "  ";

/// Rows under a head. Columns whose name ends in `>` are ranged right.
#[derive(Debug)]
pub struct Table {
    names: Vec<&'static str>,
    is_right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new<const N: usize>(names: [&'static str; N]) -> Table {
        let is_right = names.iter().map(|name| name.ends_with('>')).collect();
        Table { names: names.iter().map(|name| name.trim_end_matches('>')).collect(), is_right, rows: Vec::new() }
    }

    /// One more row. What others wrote can command no terminal.
    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.into_iter().map(visible).collect());
    }

    /// Its lines; `paint` gives a cell its colour, by its column.
    pub fn lines(&self, paint: Paint, colour: impl Fn(usize, &str) -> String) -> Vec<String> {
        let names: Vec<String> = self.names.iter().map(|name| (*name).to_owned()).collect();
        let widths: Vec<usize> = (0..names.len())
            .map(|column| {
                let cells = self.rows.iter().chain([&names]).filter_map(|row| row.get(column));
                cells.map(|cell| cell.width()).max().unwrap_or(0)
            })
            .collect();
        let line = |cells: &[String], colour: &dyn Fn(usize, &str) -> String| {
            let padded = cells.iter().enumerate().map(|(column, cell)| {
                let space = " ".repeat(widths[column] - cell.width());
                let cell = colour(column, cell);
                if self.is_right[column] { format!("{space}{cell}") } else { format!("{cell}{space}") }
            });
            padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
        };
        let head = line(&names, &|_, cell| paint.dim(cell));
        std::iter::once(head).chain(self.rows.iter().map(|row| line(row, &colour))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_are_seen() {
        let mut table = Table::new(["KEY", "SIZE>"]);
        table.row(["日本", "1"]);
        table.row(["abcdef\x1b", "1000"]);
        let lines = table.lines(Paint(false), |_, cell| cell.to_owned());
        assert_eq!(lines, ["KEY           SIZE", "日本             1", "abcdef\\u{1b}  1000"]);
    }
}
