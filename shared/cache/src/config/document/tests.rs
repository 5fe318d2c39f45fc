#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{FIELDS, Fault, RedisUrl};
use proptest::prelude::*;
use serde_json::json;

const AT: Moment<'_> = Moment { by: "admin", now_ms: 1000, version: Version(50), writer: 7 };

fn set(path: &str, value: Value) -> Assignment {
    (Field::find(path).unwrap(), value)
}

fn base() -> Config {
    let mut base = Config::default();
    base.l2_config.redis_url = RedisUrl::new("redis://user:secret@host:1");
    base
}

fn update(document: &Document, assignments: &[Assignment]) -> Update {
    document.update(&base(), assignments, AT).unwrap()
}

fn paths(update: &Update) -> Vec<&str> {
    update.changed.iter().map(|change| change.field.as_ref()).collect()
}

/// The fields that are refused.
fn refused(assignments: &[Assignment]) -> Vec<&'static str> {
    let refusals = Document::default().update(&base(), assignments, AT).unwrap_err();
    refusals.into_iter().map(|refusal| refusal.field).collect()
}

#[test]
fn the_table_is_the_document() {
    let document = Config::default().to_document();
    let mut leaves = 0;
    for section in document.as_object().unwrap().values() {
        leaves += section.as_object().map_or(1, |section| section.len());
    }
    assert_eq!(leaves, FIELDS.len());
    for field in &FIELDS {
        assert!(!field.of(&document).is_null(), "{}", field.path);
    }
    assert_eq!(Config::default().refusals(), []);
}

#[test]
fn what_changed_is_told_in_the_document_s_order() {
    let assignments = [
        set("compression.level", json!(3)),
        set("compression.algorithm", json!("zstd")),
        set("l1_config.max_capacity", json!(15_000)),
        set("l1_config.ttl_minutes", json!(60)),
    ];
    let first = update(&Document::default(), &assignments);
    assert_eq!(paths(&first), ["l1_config.max_capacity", "compression.algorithm", "compression.level"]);
    assert_eq!((first.document.version, first.document.updated_at_ms, first.document.switched), (1, 1000, 0));
    assert_eq!(first.config.l1_config.max_capacity, 15_000);
    assert_eq!(first.config.l2_config.redis_url.expose(), "redis://user:secret@host:1");
    let again = update(&first.document, &assignments);
    assert_eq!(paths(&again), [] as [&str; 0]);
    assert!(!serde_json::to_string(&first.document).unwrap().contains("secret"));
}

#[test]
fn the_deployment_still_decides_what_was_not_changed() {
    let document = update(&Document::default(), &[set("l1_config.max_capacity", json!(5))]).document;
    let mut other = base();
    other.l1_config.ttl_minutes = 7;
    other.l3_config.table_name = "other".to_owned();
    let config = document.over(&other).unwrap();
    assert_eq!((config.l1_config.max_capacity, config.l1_config.ttl_minutes), (5, 7));
    assert_eq!(config.l3_config.table_name, "other");
}

#[test]
fn what_contradicts_itself_is_refused() {
    assert_eq!(refused(&[set("compression.level", json!(3))]), ["compression.level"]);
    let off = [set("l2_config.enabled", json!(false)), set("l3_config.enabled", json!(false))];
    assert_eq!(refused(&off), ["l2_config.enabled", "l3_config.enabled"]);
    let l3_off = update(&Document::default(), &[set("l3_config.enabled", json!(false))]).document;
    let l2_off_too = l3_off.update(&base(), &[set("l2_config.enabled", json!(false))], AT).unwrap_err();
    assert_eq!(l2_off_too.iter().map(|refusal| refusal.field).collect::<Vec<_>>(), ["l2_config.enabled"]);
    let zstd = update(
        &Document::default(),
        &[set("compression.algorithm", json!("zstd")), set("compression.level", json!(9))],
    );
    assert!(zstd.document.update(&base(), &[set("compression.algorithm", json!("lz4"))], AT).is_err());
}

#[test]
fn every_refusal_is_told() {
    let assignments = [
        set("l1_config.max_capacity", json!(0)),
        set("l2_config.redis_url", json!("redis://other")),
        set("l3_config.table_name", json!("other")),
        set("max_entry_size_mb", json!(11)),
        set("compression.algorithm", json!("gzip")),
        set("l1_config.ttl_minutes", json!(5)),
    ];
    let expected = [
        "l1_config.max_capacity",
        "l2_config.redis_url",
        "l3_config.table_name",
        "max_entry_size_mb",
        "compression.algorithm",
    ];
    assert_eq!(refused(&assignments), expected);
}

#[test]
fn a_level_that_is_switched_on_begins_above_what_was_there() {
    let off = update(&Document::default(), &[set("l3_config.enabled", json!(false))]).document;
    assert_eq!((off.switched, off.switched_at_ms, off.l3_floor), (1, 1000, Version::ZERO));
    let on = update(&off, &[set("l3_config.enabled", json!(true))]).document;
    assert_eq!((on.switched, on.l3_floor, on.l2_floor), (2, Version(50), Version::ZERO));
    let other = update(&on, &[set("l1_config.enabled", json!(false))]).document;
    assert_eq!((other.version, other.switched), (3, 2), "L1 is every container's own");
    let l2_off = update(&other, &[set("l2_config.enabled", json!(false))]).document;
    let l2_on = update(&l2_off, &[set("l2_config.enabled", json!(true))]).document;
    assert_eq!((l2_on.l3_floor, l2_on.l2_floor), (Version(50), Version(51)), "a clock that stands still");
}

#[test]
fn what_another_release_stored_is_taken_as_far_as_it_is_known() {
    let stored = json!({"version": 3, "later": true, "fields": {
        "l1_config.max_capacity": 5, "l1_config.later": 1, "max_entry_size_mb": 99,
    }});
    let document: Document = serde_json::from_value(stored).unwrap();
    let config = document.over(&base()).unwrap();
    assert_eq!((config.l1_config.max_capacity, config.max_entry_size_mb.0), (5, 10));
}

#[test]
fn a_deployment_that_contradicts_the_document_is_told_apart() {
    let document = update(&Document::default(), &[set("l3_config.enabled", json!(false))]).document;
    let mut without_l2 = base();
    without_l2.l2_config.enabled = false;
    assert_eq!(document.over(&without_l2), None);
}

#[test]
fn an_update_mends_a_document_that_contradicts_the_deployment() {
    let stored = [set("l3_config.enabled", json!(false)), set("l1_config.max_capacity", json!(5))];
    let document = update(&Document::default(), &stored).document;
    let mut without_l2 = base();
    without_l2.l2_config.enabled = false;
    let as_it_is = [set("max_entry_size_mb", json!(10))];
    let mended = document.update(&without_l2, &as_it_is, AT).unwrap();
    assert!(mended.mends);
    assert_eq!(mended.document.version, 2);
    assert_eq!(paths(&mended), ["l1_config.max_capacity"], "what did not contradict is in force again");
    assert_eq!(mended.document.over(&without_l2), Some(mended.config));
    let again = mended.document.update(&without_l2, &as_it_is, AT).unwrap();
    assert!(!again.mends && again.changed.is_empty());
    assert!(document.update(&without_l2, &[set("l3_config.enabled", json!(false))], AT).is_err());
}

#[test]
fn a_setting_of_the_deployment_may_be_sent_back_as_it_is_shown() {
    let shown = base().to_document();
    let all: Vec<Assignment> = FIELDS.iter().map(|field| (field, field.of(&shown).clone())).collect();
    let nothing = update(&Document::default(), &all);
    assert_eq!(paths(&nothing), [] as [&str; 0]);
    assert!(!serde_json::to_string(&nothing.document).unwrap().contains("redis_url"));
    assert_eq!(refused(&[set("l2_config.redis_url", json!("redis://user:secret@host:1"))]), ["l2_config.redis_url"]);
}

#[test]
fn whole_numbers_beyond_every_range_are_of_the_right_type() {
    let field = Field::find("max_entry_size_mb").unwrap();
    for number in [json!(18_446_744_073_709_551_615_u64), json!(1e300), json!(-1e300), json!(11.0), json!(i64::MIN)] {
        assert_eq!(field.check(&number), Err(Fault::NotAllowed("must be from 1 to 10".to_owned())), "{number}");
    }
    assert!(matches!(field.check(&json!(5.0)), Err(Fault::NotAllowed(_))), "it would not be read back");
    assert!(matches!(field.check(&json!(5.5)), Err(Fault::WrongType(_))));
}

fn assignments() -> impl Strategy<Value = Vec<Assignment>> {
    let value = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..20_000_u64).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just("lz4"), Just("zstd"), Just("json"), Just("LRU"), Just("x")].prop_map(Value::from),
        Just(Value::Null),
    ];
    prop::collection::vec(((0..FIELDS.len()).prop_map(|index| &FIELDS[index]), value), 1..8)
}

proptest! {
    #[test]
    fn an_update_is_refused_or_valid(assignments in assignments()) {
        match Document::default().update(&base(), &assignments, AT) {
            Err(refusals) => prop_assert!(!refusals.is_empty()),
            Ok(update) => {
                prop_assert_eq!(update.config.refusals(), []);
                // The document says the same once it is stored.
                let stored: Document = serde_json::from_str(&serde_json::to_string(&update.document).unwrap()).unwrap();
                prop_assert_eq!(stored.over(&base()), Some(update.config.clone()));
                for (field, value) in &assignments {
                    prop_assert!(field.check(value).is_ok());
                }
                let shown = update.config.to_document();
                let last = assignments.last().unwrap();
                prop_assert_eq!(last.0.of(&shown), &last.1);
            }
        }
    }

    #[test]
    fn fields_that_are_not_named_stay(assignments in assignments()) {
        if let Ok(update) = Document::default().update(&base(), &assignments, AT) {
            let (before, after) = (base().to_document(), update.config.to_document());
            for field in FIELDS.iter().filter(|field| !assignments.iter().any(|(named, _)| named.path == field.path)) {
                prop_assert_eq!(field.of(&before), field.of(&after));
            }
        }
    }

    #[test]
    fn a_value_is_of_the_wrong_type_or_not_allowed_or_taken(index in 0..FIELDS.len(), number in any::<i64>()) {
        match FIELDS[index].check(&json!(number)) {
            Ok(()) | Err(Fault::NotAllowed(_)) => {}
            Err(Fault::WrongType(message)) => prop_assert!(!message.contains("whole number")),
        }
    }
}
