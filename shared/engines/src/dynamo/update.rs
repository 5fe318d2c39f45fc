//! Update expressions.

use super::{
    error::Failure,
    expression::{Word, Words},
    item::Item,
};
use serde_json::{Value, json};

/// What an item is after the update of a request. All of it goes by what the item was before.
pub(super) fn updated(request: &Value, before: Option<&Item>) -> Result<Item, Failure> {
    let nothing = Item::default();
    let before = before.unwrap_or(&nothing);
    let mut after = before.clone();
    let key = Item::of(&request["Key"]);
    after.0.extend(key.0);
    let Some(text) = request["UpdateExpression"].as_str() else { return Ok(after) };
    let mut words = Words::read(text, request)?;
    while words.peek().is_some() {
        let clause = words.name()?.to_ascii_uppercase();
        loop {
            let name = words.name()?;
            match clause.as_str() {
                "SET" => {
                    words.expect("=")?;
                    let value = sum(&mut words, before)?;
                    after.0.insert(name, value);
                }
                "REMOVE" => drop(after.0.remove(&name)),
                "ADD" => {
                    let by = words.operand(before)?;
                    let zero = json!({"N": "0"});
                    let value = added(before.get(&name).unwrap_or(&zero), by.as_ref().unwrap_or(&zero), 1)?;
                    after.0.insert(name, value);
                }
                _ => return Err(Failure::invalid("Invalid UpdateExpression: Syntax error")),
            }
            if !words.takes(",") {
                break;
            }
        }
    }
    Ok(after)
}

fn sum(words: &mut Words, item: &Item) -> Result<Value, Failure> {
    let mut value = part(words, item)?;
    loop {
        let sign = if words.takes("+") {
            1
        } else if words.takes("-") {
            -1
        } else {
            return Ok(value);
        };
        value = added(&value, &part(words, item)?, sign)?;
    }
}

fn part(words: &mut Words, item: &Item) -> Result<Value, Failure> {
    let missing = || Failure::invalid("The provided expression refers to an attribute that does not exist in the item");
    if !matches!(words.peek(), Some(Word::Name(name)) if name == "if_not_exists") {
        return words.operand(item)?.ok_or_else(missing);
    }
    words.next()?;
    words.expect("(")?;
    let standing = words.operand(item)?;
    words.expect(",")?;
    let otherwise = words.operand(item)?;
    words.expect(")")?;
    standing.or(otherwise).ok_or_else(missing)
}

fn added(a: &Value, b: &Value, sign: i128) -> Result<Value, Failure> {
    let number = |value: &Value| value["N"].as_str().and_then(|text| text.parse::<i128>().ok());
    match number(a).zip(number(b)) {
        Some((a, b)) => Ok(json!({"N": (a + sign * b).to_string()})),
        None => Err(Failure::invalid("An operand in the update expression has an incorrect data type")),
    }
}
