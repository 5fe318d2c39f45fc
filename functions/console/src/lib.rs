//! The console: a page for people, and the files it is made of.
//!
//! It stands alone: no token is asked for, because there is nothing here that is not in the source; and it can do nothing,
//! because it has no rights and knows no cache. What the page shows it asks of the API, as any client does, with the token
//! that somebody pasted into it.
//!
//! # Layout
//! - [`files`]: what is served; the page is in `page/`, its libraries are in `vendor/`;
//! - [`settings`]: what the page has to know of the deployment;
//! - [`event`]: what the gateway sends, and takes.
//!
//! # Addresses
//! The page is at `/cache/console`, its files below it at `{version}/{asset}`. The version is a hash of all that is served,
//! so that a file never changes at its address and may be kept for ever, and a page never gets parts of two releases: a
//! version that is another's is not found.
//!
//! # What keeps texts of the cache from becoming code
//! Keys, tags, values and names come from whoever may write. The page makes text nodes of them (a test forbids the ways to
//! make markup); and should it ever fail at that, the policy that comes with it lets the browser run no script but the
//! files here, make no markup of strings (trusted types), connect to nothing but its own origin, and send no form.

pub mod event;
pub mod files;
pub mod settings;

use crate::event::{Answer, Event};
use crate::files::{FILES, PAGE};
use crate::settings::Settings;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, Runtime, service_fn};
use serde_json::json;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};
use xxhash_rust::xxh3::Xxh3;

/// What the page may do, for the browser to hold it to.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
/// What a file may do where somebody opens it by itself: nothing.
const FILE_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// With every answer.
const ALWAYS: [(&str, &str); 6] = [
    // By the gateway's packing.
    ("vary", "accept-encoding"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// The page of this deployment; one per container.
pub struct Console {
    version: String,
    page: String,
    /// Of the page. Weak, because the gateway packs what it names.
    page_etag: String,
}

impl Console {
    /// Puts the page together.
    pub fn new(settings: &Settings) -> Self {
        let mut hash = Xxh3::new();
        for file in FILES {
            hash.update(file.name.as_bytes());
            hash.update(file.text.as_bytes());
        }
        let version = format!("{:016x}", hash.digest());
        let page = PAGE
            .replace("{version}", &version)
            .replace("{scopes_claim}", &attribute(&settings.scopes_claim))
            .replace("{prefixes_claim}", &attribute(&settings.prefixes_claim));
        hash.update(page.as_bytes());
        let page_etag = format!("W/\"{:016x}\"", hash.digest());
        Self { version, page, page_etag }
    }

    /// Answers one request.
    pub fn answer(&self, event: &Event) -> Answer {
        let [version, asset] = ["version", "asset"].map(|name| event.path_parameters.get(name));
        match (version, asset) {
            (None, None) if event.request_context.path.ends_with('/') => moved(),
            (None, None) => self.page(event),
            _ => {
                let of_this = version.is_some_and(|version| *version == self.version);
                let file = FILES.iter().find(|file| of_this && asset.is_some_and(|asset| asset == file.name));
                file.map_or_else(|| not_found(event), |file| self.file(event, file))
            }
        }
    }

    fn page(&self, event: &Event) -> Answer {
        let headers = [
            ("content-type", "text/html; charset=utf-8"),
            ("content-security-policy", PAGE_POLICY),
            // Asked for each time, and not sent again while it is the same.
            ("cache-control", "no-cache"),
            ("etag", &self.page_etag),
        ];
        unless_known(event, &self.page_etag, &headers, &self.page)
    }

    fn file(&self, event: &Event, file: &files::File) -> Answer {
        let etag = format!("W/\"{}\"", self.version);
        let headers = [
            ("content-type", file.media_type()),
            ("content-security-policy", FILE_POLICY),
            ("cache-control", "public, max-age=31536000, immutable"),
            ("etag", &etag),
        ];
        unless_known(event, &etag, &headers, file.text)
    }
}

/// The text of an attribute between double quotes.
fn attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

fn unless_known(event: &Event, etag: &str, headers: &[(&'static str, &str)], body: &str) -> Answer {
    if event.has(etag) { answer(304, headers, String::new()) } else { answer(200, headers, body.to_owned()) }
}

/// To the same address without the slash at its end: the page names its files relative to that.
fn moved() -> Answer {
    answer(308, &[("location", "../console"), ("cache-control", "no-store")], String::new())
}

/// In the shape of the API's errors; the time is in the gateway's own format, as in what the gateway itself refuses.
fn not_found(event: &Event) -> Answer {
    let error = json!({"error": {
        "code": "ROUTE_NOT_FOUND", "message": "There is no such file; the page may be of another release: load it again",
        "details": {}, "timestamp": event.request_context.request_time,
        "request_id": event.request_context.request_id,
    }});
    let headers = [("content-type", "application/json"), ("cache-control", "no-store")];
    answer(404, &[&headers[..], &[("content-security-policy", FILE_POLICY)]].concat(), error.to_string())
}

fn answer(status_code: u16, headers: &[(&'static str, &str)], body: String) -> Answer {
    let all = ALWAYS.iter().chain(headers).map(|(name, value)| (*name, (*value).to_owned()));
    Answer { status_code, headers: all.collect::<BTreeMap<_, _>>(), body }
}

/// Runs the console until Lambda stops the container.
///
/// # Errors
/// A setting is no text, or the Runtime API is gone.
pub async fn run() -> Result<(), Error> {
    let console = &Console::new(&Settings::from_env()?);
    let answer = |event: LambdaEvent<Event>| async move { answered(|| console.answer(&event.payload)) };
    Runtime::new(service_fn(answer)).run().await
}

/// What Lambda is told. A panic has a name as well: the runtime would tell the type of what holds it.
fn answered(answer: impl FnOnce() -> Answer) -> Result<Answer, Diagnostic> {
    catch_unwind(AssertUnwindSafe(answer))
        .map_err(|_| Diagnostic { error_type: "Panic".to_owned(), error_message: "The function panicked".to_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(path: &str, parameters: &[(&str, &str)]) -> Event {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut event = Event { path_parameters: parameters.collect(), ..Event::default() };
        event.request_context.path = path.to_owned();
        event
    }

    #[test]
    fn a_panic_has_a_name() {
        let told = answered(|| panic!("a path")).unwrap_err();
        assert_eq!((told.error_type.as_str(), told.error_message.as_str()), ("Panic", "The function panicked"));
    }

    #[test]
    fn a_page_is_of_its_deployment_and_stays_a_page() {
        let claims = ["https://a.example/scopes", "\"><script>alert(1)</script>"].map(str::to_owned);
        let [scopes_claim, prefixes_claim] = claims;
        let console = Console::new(&Settings { scopes_claim, prefixes_claim });
        let page = console.answer(&asked("/v1/cache/console", &[])).body;
        assert!(page.contains("data-scopes-claim=\"https://a.example/scopes\""));
        assert!(page.contains("data-prefixes-claim=\"&quot;>&lt;script>alert(1)&lt;/script>\""));
        assert!(!page.contains("{version}") && !page.contains("_claim}"));
        let other = Console::new(&Settings::default());
        assert_eq!(console.version, other.version);
        assert_ne!(console.page_etag, other.page_etag);
    }

    #[test]
    fn what_is_not_of_this_release_is_not_found() {
        let console = Console::new(&Settings::default());
        let file = |version: &str, asset: &str| {
            console.answer(&asked("/v1/cache/console/x/y", &[("version", version), ("asset", asset)])).status_code
        };
        assert_eq!(file(&console.version, "app.js"), 200);
        for (version, asset) in [("0", "app.js"), (&*console.version, "App.js"), (&*console.version, "../src/lib.rs")] {
            assert_eq!(file(version, asset), 404, "{version} {asset}");
        }
        assert_eq!(console.answer(&asked("/v1/cache/console/", &[])).status_code, 308);
    }
}
