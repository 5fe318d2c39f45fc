//! Every link leads somewhere, and every page and picture can be found.

use super::{Page, page, pages};
use std::{collections::BTreeSet, fs, path::Path};
use strata_it::stack::repository;

/// Lines a newcomer is asked to read first.
const MOST_LINES_OF_README: usize = 200;
const PICTURES: &str = "docs/pictures";

/// Pages that are no part of `docs` and have links all the same.
const BESIDE: [&str; 3] = ["CHANGELOG.md", "events/README.md", "findings/README.md"];

/// What a page links to, pictures included: `(target)` after `]`. What stands in code is none.
fn links(page: &Page) -> Vec<String> {
    let prose: String = page.prose().map(without_code).collect();
    let targets = prose.split("](").skip(1).map(|rest| rest.split_once(')').unwrap().0.to_owned());
    targets.collect()
}

/// A line less what stands between its backticks.
fn without_code(line: &str) -> String {
    line.split('`').enumerate().filter(|(at, _)| at % 2 == 0).map(|(_, text)| text).collect::<String>() + "\n"
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &Page) -> BTreeSet<String> {
    let headings =
        page.prose().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    headings
        .map(|text| text.to_lowercase().chars().filter(|c| kept(*c)).collect::<String>().replace(' ', "-"))
        .collect()
}

/// The path that a relative link of `page` means, from the repository's root.
fn target(page: &Page, link: &str) -> String {
    let mut parts: Vec<&str> = page.path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop().expect("a link stays within the repository")),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn every_link_leads_somewhere() {
    let mut followed = 0;
    for page in pages().into_iter().chain(BESIDE.map(page)) {
        for link in links(&page).iter().filter(|link| !link.starts_with("https://")) {
            let (file, anchor) = link.split_once('#').map_or((link.as_str(), None), |(file, at)| (file, Some(at)));
            let path = if file.is_empty() { page.path.clone() } else { target(&page, file) };
            assert!(repository().join(&path).exists(), "{}: there is no {path}", page.path);
            if let Some(anchor) = anchor {
                let known = anchors(&super::page(path.as_str()));
                assert!(known.contains(anchor), "{}: {path} has no #{anchor}, but {known:?}", page.path);
            }
            followed += 1;
        }
    }
    assert!(followed > 50, "{followed} links");
}

#[test]
fn an_anchor_is_made_as_on_github() {
    let text = "# PUT /config\n## When `x` fails, plainly\n```sh\n# no heading\n```\n".to_owned();
    let page = Page { path: "docs/x.md".to_owned(), text };
    assert_eq!(anchors(&page), ["put-config", "when-x-fails-plainly"].map(str::to_owned).into());
}

#[test]
fn readme_is_short() {
    let lines = page("README.md").text.lines().count();
    assert!(lines <= MOST_LINES_OF_README, "README.md has {lines} lines: what more there is to say is for docs/");
}

#[test]
fn every_page_is_in_the_index() {
    let index: BTreeSet<String> = links(&page("docs/README.md")).into_iter().collect();
    for page in pages().into_iter().filter(|page| page.path != "docs/README.md") {
        let name = page.path.strip_prefix("docs/").unwrap_or("../README.md");
        let is_linked = index.iter().any(|link| link.split('#').next() == Some(name));
        assert!(is_linked, "docs/README.md does not say who should read {}", page.path);
    }
}

#[test]
fn every_picture_is_shown_and_suits_dark_and_light_pages() {
    let shown: BTreeSet<String> =
        pages().iter().flat_map(|page| links(page).into_iter().map(|link| target(page, &link))).collect();
    for entry in fs::read_dir(repository().join(PICTURES)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(shown.contains(&format!("{PICTURES}/{name}")), "no page shows {name}");
        assert_suits_both(&path);
    }
}

/// A picture brings its own ground, says what it shows to whoever cannot see it, and is complete.
#[track_caller]
fn assert_suits_both(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    for part in ["<svg ", "<title id=\"title\">", "class=\"page\"", "prefers-color-scheme: dark", "</svg>"] {
        assert!(text.contains(part), "{}: no {part}", path.display());
    }
    // Every colour is a class's, so that none is left behind on a dark page.
    let drawn = text.split_once("</style>").unwrap().1;
    assert!(!drawn.contains("fill=\"") && !drawn.contains("stroke=\""), "{}", path.display());
}

/// What stands in code and begins so is a path of the repository.
const FOLDERS: [&str; 6] = ["docs/", "events/", "findings/", "functions/", "shared/", "tests/"];

#[test]
fn every_path_that_a_page_names_is_there() {
    let mut named = 0;
    for page in pages() {
        let code = page.prose().flat_map(|line| line.split('`').skip(1).step_by(2));
        let paths = code.filter(|text| FOLDERS.iter().any(|folder| text.starts_with(folder)));
        for path in paths.filter(|path| !path.contains(['*', '<', ' '])) {
            named += 1;
            assert!(repository().join(path).exists(), "{}: there is no {path}", page.path);
        }
    }
    assert!(named > 20, "{named} are too few: paths are not found any more");
}
