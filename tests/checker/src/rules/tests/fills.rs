use super::*;

#[test]
fn what_was_loaded_at_a_miss_is_as_old_as_that() {
    let filled = || put_like(40, 50, Put { loaded: Some(ms(15)), ..plain(1) });
    for end in [delete(20, 30, "a"), sweep(20, 30, &[0]), put(20, 30, "a", 2)] {
        assert_wrong(Rule::Stale, vec![filled(), end, read(2000, "b", found(1))]);
    }
    assert_fine(vec![filled(), delete(10, 30, "a"), read(2000, "b", found(1))]);
    assert_fine(vec![with(filled(), Outcome::Refused(412)), delete(20, 30, "a"), read(2000, "b", Outcome::Absent)]);
}
