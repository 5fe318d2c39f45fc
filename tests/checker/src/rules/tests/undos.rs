use super::*;

fn undo(start: u64, end: u64, of: u64, outcome: Outcome) -> Operation {
    operation(start, end, "i", Action::Undo { scope: Scope::Keys(vec![0]), of: ms(of) }, outcome)
}

#[test]
fn what_was_undone_is_back() {
    let removed = || vec![put(0, 10, "a", 1), delete(20, 30, "a")];
    let then = |more: Vec<Operation>| removed().into_iter().chain(more).collect::<Vec<_>>();
    assert_fine(then(vec![read(3000, "b", Outcome::Absent)]));
    assert_fine(then(vec![undo(40, 50, 20, DONE), read(3000, "b", found(1))]));
    assert_wrong(Rule::Vanished, then(vec![undo(40, 50, 20, DONE), read(3000, "b", Outcome::Absent)]));
    for later in [
        // Within the window, not for certain, of something else, and where others have touched the key.
        vec![undo(40, 50, 20, DONE), read(500, "b", Outcome::Absent)],
        vec![undo(40, 50, 20, LOST), read(3000, "b", Outcome::Absent)],
        vec![undo(40, 50, 25, DONE), read(3000, "b", Outcome::Absent)],
        vec![sweep(32, 35, &[0]), undo(40, 50, 20, DONE), read(3000, "b", Outcome::Absent)],
        vec![sweep(45, 60, &[0]), undo(40, 50, 20, DONE), read(3000, "b", Outcome::Absent)],
    ] {
        assert_fine(then(later));
    }
}
