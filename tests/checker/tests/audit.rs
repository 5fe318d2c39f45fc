//! Audits find a copy that is too old, shown by a mistake planted in the real code (`shared/cache/src/planted.rs`), and
//! nothing without it. `make planted` builds the binaries.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use serde_json::Value;
use strata_checker::PLANTED;
use strata_it::{Api, configured, entry};

const WINDOW_MS: u64 = 300;

/// The binaries with the mistakes in them.
fn binaries() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().nth(3).unwrap().join("planted");
    assert!(folder.join("status").is_file(), "{} has no binaries: make planted", folder.display());
    folder
}

async fn trim(api: &Api) {
    let client = redis::Client::open(api.stack.redis().url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut trim = redis::cmd("XTRIM");
    trim.arg("strata:cache:{j}journal").arg("MAXLEN").arg(1);
    trim.query_async::<u64>(&mut connection).await.unwrap();
}

/// What audits have found where a container missed that what it holds was overwritten, and each sync is audited.
async fn found(planted: &str) -> Value {
    let options = configured(serde_json::json!({"coherence": {"audit_every": 1}}))
        .functions(["authorizer", "entries", "status"])
        .coherence_window_ms(WINDOW_MS)
        .binaries(binaries())
        .env(PLANTED, planted);
    let api = Api::with(options).await;
    let put = async |key: &str| api.put(&entry(key), r#"{"value":1}"#).pin("entries-1").send().await;
    let read = async || api.get(&entry("k")).pin("entries-2").send().await.expect(200);
    put("k").await.expect(201);
    read().await;
    assert_eq!(read().await.level(), "L1_MEMORY");
    put("k").await.expect(200);
    put("other").await.expect(201);
    trim(&api).await;
    // Counts are reported with a sync, once a second at most.
    for _ in 0..20 {
        tokio::time::sleep(std::time::Duration::from_millis(2 * WINDOW_MS)).await;
        read().await;
        let status = api.get("/status").send().await.expect(200).json();
        let coherence = status["coherence"].clone();
        if coherence["violations"] != 0 || (planted.is_empty() && coherence["checked"].as_u64() > Some(3)) {
            return coherence;
        }
    }
    panic!("nothing was found in time");
}

#[tokio::test]
async fn a_copy_that_is_too_old_is_found() {
    let found = found("GapNotNoticed").await;
    assert!(found["greatest_age_ms"].as_u64() > Some(WINDOW_MS), "{found}");
}

#[tokio::test]
async fn nothing_is_found_where_there_is_nothing() {
    let found = found("").await;
    assert_eq!(found["violations"], 0, "{found}");
}
