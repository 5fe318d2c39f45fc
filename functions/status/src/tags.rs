//! GET `/cache/tags`: the tags there are, page by page, and how many entries have each.

use crate::request::{self, DEFAULT_PAGE, MAX_PAGE};
use serde::Serialize;
use strata_api::{Answer, ApiError, Call, CursorOf, Query, Response, http::StatusCode};
use strata_cache::{ListTags, MAX_TAG_BYTES, Mark, TagCount, Within};

#[derive(Serialize)]
struct Answered<'a> {
    tags: Vec<Tag<'a>>,
    /// What to give as `cursor` for the ones that come after these.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Tag<'a> {
    tag: &'a str,
    entries: u64,
}

/// Answers with a page of the tags of entries that the caller may touch.
pub async fn handle(call: Call<'_>) -> Answer {
    let (list, cursor) = read(&call)?;
    let page = call.cache.list_tags(&list).await?;
    let tags = page.found.iter().map(|TagCount { tag, entries }| Tag { tag, entries: *entries }).collect();
    let next = page.next.map(|next| cursor.seal(next.as_str()));
    Response::json(StatusCode::OK, &Answered { tags, next })
}

/// What is asked for, and what its cursors belong to. They may hold a tag of others, which no client can read, and need
/// not lie within the list: where it goes on is in any case no other tag than it had.
fn read(call: &Call<'_>) -> Result<(ListTags, CursorOf), ApiError> {
    let mut query = Query::of(&call.event, &["prefix", "limit", "cursor"]);
    let prefix = query.optional("prefix", |text| request::prefix(text, MAX_TAG_BYTES)).unwrap_or_default();
    let limit = query.count("limit", MAX_PAGE);
    let cursor = CursorOf::list("tags", &call.principal, &[&prefix]);
    let from = query.optional("cursor", |text| cursor.open(text)).map(Mark::read);
    query.finish()?;
    let within =
        Within::of("", call.principal.prefixes().as_deref()).ok_or_else(|| ApiError::PrefixForbidden(String::new()))?;
    let list = ListTags { prefix: prefix.into(), within, from, limit: limit.unwrap_or(DEFAULT_PAGE) };
    Ok((list, cursor))
}
