//! The files of the page, which are part of the binary: nothing is read when it starts, and nothing can be missing.

/// A file that is served.
pub struct File {
    /// Its name in addresses.
    pub name: &'static str,
    /// What is in it.
    pub text: &'static str,
}

/// The page itself, with places for what it is not the same without: see [`crate::Console`].
pub const PAGE: &str = include_str!("../page/index.html");

macro_rules! files {
    ($($folder:literal: $($name:literal),+;)+) => {
        &[$($(File { name: $name, text: include_str!(concat!("../", $folder, "/", $name)) }),+),+]
    };
}

/// What the page is made of, each by a name that is the same wherever the page is.
pub static FILES: &[File] = files! {
    "page": "app.js", "api.js", "token.js", "ui.js", "format.js", "json.js", "value.js", "chart.js", "history.js",
        "levels.js", "keys.js", "entry.js", "explain.js", "put.js", "invalidate.js", "undo.js", "jobs.js", "journal.js",
        "config.js", "style.css", "icon.svg";
    "vendor": "preact.js", "hooks.js", "htm.js", "uplot.js", "uplot.css";
};

impl File {
    /// Its media type, by the end of its name.
    pub fn media_type(&self) -> &'static str {
        match self.name.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use sha2::{Digest, Sha256};
    use std::{collections::BTreeSet, fs, path::Path};

    fn folder(name: &str) -> Vec<(String, Vec<u8>)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
    }

    /// What vendor.sh wrote, and nobody has touched since.
    #[test]
    fn libraries_are_what_the_registry_has() {
        let known = |name: &str| !["README.md", "sums"].contains(&name);
        let sums: BTreeSet<String> =
            include_str!("../vendor/sums").lines().map(|line| line.replace("  ", " ")).collect();
        let there = folder("vendor").into_iter().filter(|(name, _)| known(name)).map(|(name, bytes)| {
            let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{sum} {name}")
        });
        assert_eq!(there.collect::<BTreeSet<_>>(), sums);
    }

    #[test]
    fn every_file_is_served_and_the_page_asks_for_all_of_them_at_once() {
        let is_code = |name: &String| [".js", ".css", ".svg"].iter().any(|end| name.ends_with(end));
        let all = ["page", "vendor"].into_iter().flat_map(folder).map(|(name, _)| name).filter(is_code);
        assert_eq!(all.collect::<BTreeSet<_>>(), FILES.iter().map(|file| file.name.to_owned()).collect());
        for file in FILES {
            assert!(PAGE.contains(&format!("\"console/{{version}}/{}\"", file.name)), "{}", file.name);
        }
    }

    /// What a module names it gets by its own address, so that one page never mixes two releases.
    #[test]
    fn modules_import_nothing_from_elsewhere() {
        let mut imports = 0;
        for file in FILES.iter().filter(|file| file.name.ends_with(".js")) {
            let statements = file.text.split([';', '\n']).filter(|text| text.trim_start().starts_with("import"));
            for name in statements.filter_map(|text| text.split("from").last()?.split('"').nth(1)) {
                let known = name.strip_prefix("./").is_some_and(|name| FILES.iter().any(|file| file.name == name));
                assert!(known, "{} imports {name}", file.name);
                imports += 1;
            }
        }
        assert!(imports > 20, "{imports}");
    }

    /// Texts of the cache are shown as text and nothing else: no markup is made of any string, and no code.
    #[test]
    fn modules_make_no_markup_and_no_code_of_texts() {
        let ways = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"];
        let ways = ways.iter().chain(&["srcdoc", "javascript:", "localStorage", "document.cookie"]);
        for (name, bytes) in folder("page") {
            let text = String::from_utf8(bytes).unwrap();
            let found: Vec<_> = ways.clone().filter(|way| text.contains(**way)).collect();
            assert!(found.is_empty(), "{name}: {found:?}");
        }
    }

    /// Small enough to be read.
    #[test]
    fn modules_are_short() {
        for (name, bytes) in folder("page") {
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
            assert!(lines <= 250, "{name} has {lines} lines");
        }
    }
}
