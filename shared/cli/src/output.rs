//! What is shown: answers on standard output, to people or to programs; messages on standard error.

use crate::{
    exit::Failure,
    global::{Color, Global},
    paint::{Paint, visible},
    pretty::pretty,
    settings,
};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// How to show it.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// For programs.
    pub json: bool,
    is_terminal: bool,
    is_quiet: bool,
    pub paint: Paint,
}

impl Output {
    pub fn new(global: &Global) -> Output {
        let is_terminal = io::stdout().is_terminal();
        let is_painted = match global.color {
            Color::Auto => is_terminal && !settings::has_no_color(),
            Color::Always => true,
            Color::Never => false,
        };
        Output { json: global.json, is_terminal, is_quiet: global.quiet, paint: Paint(is_painted) }
    }

    /// A line of an answer.
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        Ok(writeln!(stdout, "{text}")?)
    }

    /// An answer for programs.
    pub fn json(&self, answer: &impl Serialize) -> Result<(), Failure> {
        self.line(&serde_json::to_string(answer).map_err(|why| Failure::at("the answer", why))?)
    }

    /// A value: on a terminal so that it can be read, elsewhere byte for byte.
    pub fn value(&self, json: &str) -> Result<(), Failure> {
        if self.is_terminal || self.paint.0 { self.line(&pretty(json, self.paint)) } else { self.line(json) }
    }

    /// A message.
    pub fn note(&self, text: &str) {
        if !self.is_quiet {
            eprintln!("{}", visible(text));
        }
    }

    /// Whether bars may be drawn.
    pub fn shows_progress(&self) -> bool {
        !self.is_quiet && io::stderr().is_terminal()
    }
}

/// A count with its thousands apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of something, by its name for one and for several.
pub fn counted(number: u64, one: &str, several: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { several })
}

/// So many entries.
pub fn entries(number: u64) -> String {
    counted(number, "entry", "entries")
}

/// Bytes in the unit that fits.
pub fn bytes(number: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut size = number as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", units[unit])
}

/// A share of the whole.
pub fn percent(ratio: f64) -> String {
    format!("{:.1} %", 100.0 * ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_can_be_read() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1, 2, 1000].map(entries), ["0 entries", "1 entry", "2 entries", "1,000 entries"]);
        assert_eq!([0, 1023, 1536, 3 << 30].map(bytes), ["0 B", "1023 B", "1.5 KiB", "3.0 GiB"]);
    }
}
