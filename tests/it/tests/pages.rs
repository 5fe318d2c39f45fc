//! The documentation is held against what it describes: its commands are run, its links followed, its tables compared.

mod commands;
mod links;
mod tables;

use std::fs;
use strata_it::stack::repository;

/// A page of the documentation.
pub struct Page {
    /// From the repository's root, such as `docs/api.md`.
    pub path: String,
    pub text: String,
}

/// A fenced block of a page.
pub struct Block {
    /// What stands after the fence.
    pub info: String,
    pub text: String,
}

/// README first, then the pages in `docs`.
pub fn pages() -> Vec<Page> {
    let mut paths = vec!["README.md".to_owned()];
    let docs = fs::read_dir(repository().join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let names = docs.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".md"));
    paths.extend(names.map(|name| format!("docs/{name}")));
    paths[1..].sort();
    paths.into_iter().map(page).collect()
}

pub fn page(path: impl Into<String>) -> Page {
    let path = path.into();
    Page { text: fs::read_to_string(repository().join(&path)).unwrap(), path }
}

impl Page {
    /// What stands between fences; those within a list are indented.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            let Some(info) = line.trim_start().strip_prefix("```") else { continue };
            let indent = line.len() - line.trim_start().len();
            let inside = lines.by_ref().take_while(|line| line.trim_start() != "```");
            let text: String = inside.map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect();
            blocks.push(Block { info: info.to_owned(), text });
        }
        blocks
    }

    /// The lines that are no part of a block.
    pub fn prose(&self) -> impl Iterator<Item = &str> {
        let mut is_inside = false;
        self.text.lines().filter(move |line| {
            let is_fence = line.trim_start().starts_with("```");
            is_inside ^= is_fence;
            !is_fence && !is_inside
        })
    }

    /// The cells of every row of its tables, headings included.
    pub fn rows(&self) -> impl Iterator<Item = Vec<&str>> {
        let rows = self.prose().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
        rows.map(|row| row.split('|').map(str::trim).collect())
    }
}
