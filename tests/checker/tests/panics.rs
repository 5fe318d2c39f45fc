//! A container whose operation panicked goes on with nothing of what that may have left half done, shown by binaries that
//! panic when they are told to (`shared/cache/src/planted.rs`). `make planted` builds them.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Duration;

use strata_checker::PLANTED;
use strata_it::{Answer, Api, configured, entry};

const WINDOW: Duration = Duration::from_millis(300);
/// The container that panics.
const CONTAINER: &str = "entries-2";

struct Panicking {
    api: Api,
    folder: tempfile::TempDir,
}

impl Panicking {
    /// Two containers, of which one holds an old value of `k`, and `other`, in L1.
    async fn start(planted: &str) -> Panicking {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(CONTAINER)).unwrap();
        let options = configured(serde_json::json!({}))
            .functions(["authorizer", "entries"])
            .coherence_window_ms(WINDOW.as_millis().try_into().unwrap())
            .binaries(binaries())
            .env(PLANTED, planted)
            .env("STRATA_PLANTED_FOLDER", folder.path().to_str().unwrap());
        let api = Api::with(options).await;
        for key in ["k", "other"] {
            api.put(&entry(key), r#"{"value":"old"}"#).pin("entries-1").send().await.expect(201);
        }
        let panicking = Panicking { api, folder };
        for key in ["k", "other"] {
            panicking.read(key).await.expect(200);
            assert_eq!(panicking.read(key).await.level(), "L1_MEMORY");
        }
        panicking
    }

    async fn read(&self, key: &str) -> Answer {
        self.api.get(&entry(key)).pin(CONTAINER).send().await
    }

    /// The next operation that comes to this place panics.
    fn panic_at(&self, place: &str) {
        std::fs::write(self.folder.path().join(CONTAINER).join(place), "").unwrap();
    }

    /// Another container changes `k`, and the window passes.
    async fn change(&self) {
        self.api.put(&entry("k"), r#"{"value":"new"}"#).pin("entries-1").send().await.expect(200);
        tokio::time::sleep(WINDOW).await;
    }
}

/// The binaries that can be told to panic.
fn binaries() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().nth(3).unwrap().join("planted");
    assert!(folder.join("entries").is_file(), "{} has no binaries: make planted", folder.display());
    folder
}

#[tokio::test]
async fn a_delta_that_l1_has_not_applied_is_read_again() {
    let container = Panicking::start("").await;
    container.change().await;
    container.panic_at("DeltaUnapplied");
    container.read("k").await.expect(500);
    let found = container.read("k").await;
    assert_eq!((found.value(), found.cache_status("L1_MEMORY")), ("\"new\"", "fwd=uri-miss"));
    assert_eq!(container.read("other").await.cache_status("L1_MEMORY"), "fwd=uri-miss", "it begins with nothing");
    assert_eq!(container.read("other").await.level(), "L1_MEMORY", "and goes on");
}

#[tokio::test]
async fn a_container_that_went_on_with_them_would_return_what_is_old() {
    let container = Panicking::start("PanicIgnored").await;
    container.change().await;
    container.panic_at("DeltaUnapplied");
    container.read("k").await.expect(500);
    assert_eq!(container.read("k").await.value(), "\"old\"");
}

#[tokio::test]
async fn a_panic_in_another_place_empties_l1_as_well() {
    let container = Panicking::start("").await;
    for (number, place) in ["Fill", "Piggybacked"].into_iter().enumerate() {
        let fresh = format!("fresh:{number}");
        container.api.put(&entry(&fresh), r#"{"value":1}"#).pin("entries-1").send().await.expect(201);
        tokio::time::sleep(WINDOW).await;
        container.panic_at(place);
        container.read(&fresh).await.expect(500);
        assert_eq!(container.read("other").await.cache_status("L1_MEMORY"), "fwd=uri-miss", "{place}");
        assert_eq!(container.read("other").await.level(), "L1_MEMORY", "{place}");
    }
}
