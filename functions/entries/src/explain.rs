//! GET `/cache/explain`: why a read of a key is answered as it is, in the container that is asked.
//!
//! Who did it, and why, is told to those only who may read that in the journal; to a token with prefixes, no position
//! either that is the newest of all at some time, for it would tell when others write.

use crate::address;
use serde::Serialize;
use std::sync::Arc;
use strata_api::{
    Answer, Call, Principal, Response, Scope, Timestamp,
    http::StatusCode,
    mutation::{Line, may_see},
};
use strata_cache::{Explained, LevelFacts, Mutation, Prediction};

#[derive(Serialize)]
struct Answered<'a> {
    key: &'a str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    get: Predicted,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Line<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_until: Option<Timestamp>,
    levels: Vec<LevelAnswer<'a>>,
    container: Container<'a>,
}

/// What a GET would be answered with.
#[derive(Serialize)]
struct Predicted {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'static str>,
}

/// What a level has.
#[derive(Serialize)]
struct LevelAnswer<'a> {
    level: &'static str,
    trusted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [Arc<str>]>,
}

#[derive(Serialize)]
struct Container<'a> {
    id: &'a str,
    coherence_window_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sync: Option<Timestamp>,
}

/// Answers with what is known of the request's key.
pub async fn handle(mut call: Call<'_>) -> Answer {
    let key = address::key(&mut call)?;
    let explained = call.cache.explain(&key).await;
    let principal = &call.principal;
    let is_confined = principal.prefixes().is_some();
    let answered = Answered {
        key: key.as_str(),
        verdict: explained.verdict.name(),
        reason: explained.reason.map(|reason| reason.name()),
        get: predicted(explained.prediction),
        cause: explained.cause.as_ref().map(|cause| cause_answer(principal, cause)),
        known_since: explained.known_since_ms.map(Timestamp::ceil),
        stale_until: explained.stale_until_ms.map(Timestamp::ceil),
        levels: explained.levels.iter().map(|level| level_answer(level, is_confined)).collect(),
        container: container(&explained),
    };
    Response::json(StatusCode::OK, &answered)
}

fn predicted(prediction: Prediction) -> Predicted {
    let (status, level) = match prediction {
        Prediction::Found(level) => (StatusCode::OK, Some(level.name())),
        Prediction::Absent => (StatusCode::NOT_FOUND, None),
        Prediction::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
    };
    Predicted { status: status.as_u16(), level }
}

fn cause_answer<'a>(principal: &Principal, cause: &'a Mutation) -> Line<'a> {
    let is_shown = principal.require(Scope::Journal).is_ok() && may_see(principal, cause);
    if is_shown { Line::of(cause) } else { Line::in_outline(cause) }
}

fn level_answer(facts: &LevelFacts, is_confined: bool) -> LevelAnswer<'_> {
    let copy = facts.copy.as_ref();
    LevelAnswer {
        level: facts.level.name(),
        trusted: facts.trusted,
        reason: facts.reason.map(|reason| reason.name()),
        version: copy.map(|copy| copy.version.0.to_string()),
        as_of: copy.and_then(|copy| copy.as_of).filter(|_| !is_confined).map(|position| position.to_string()),
        expires_at: copy.and_then(|copy| copy.expires_at_ms).map(Timestamp::ceil),
        tags: copy.filter(|copy| copy.expires_at_ms.is_some()).map(|copy| &copy.tags[..]),
    }
}

fn container(explained: &Explained) -> Container<'_> {
    Container {
        id: &explained.container,
        coherence_window_ms: explained.window_ms,
        last_sync: explained.synced_ms.map(Timestamp::floor),
    }
}
