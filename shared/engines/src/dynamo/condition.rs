//! Conditions of writes and of queries.

use super::{
    error::Failure,
    expression::{Word, Words},
    item::{Item, compare},
};
use serde_json::Value;
use std::cmp::Ordering;

/// Whether an expression of a request holds of an item; one that is not there has no attributes.
pub(super) fn holds(text: &str, request: &Value, item: Option<&Item>) -> Result<bool, Failure> {
    let nothing = Item::default();
    let (item, mut words) = (item.unwrap_or(&nothing), Words::read(text, request)?);
    let holds = any(&mut words, item)?;
    if words.peek().is_some() {
        return Err(Failure::invalid("Invalid expression: Syntax error"));
    }
    Ok(holds)
}

fn any(words: &mut Words, item: &Item) -> Result<bool, Failure> {
    let mut holds = all(words, item)?;
    while words.takes_keyword("OR") {
        holds |= all(words, item)?;
    }
    Ok(holds)
}

fn all(words: &mut Words, item: &Item) -> Result<bool, Failure> {
    let mut holds = one(words, item)?;
    while words.takes_keyword("AND") {
        holds &= one(words, item)?;
    }
    Ok(holds)
}

fn one(words: &mut Words, item: &Item) -> Result<bool, Failure> {
    if words.takes_keyword("NOT") {
        return Ok(!one(words, item)?);
    }
    if words.takes("(") {
        let holds = any(words, item)?;
        words.expect(")")?;
        return Ok(holds);
    }
    for function in ["attribute_not_exists", "attribute_exists", "begins_with"] {
        if words.takes_keyword(function) {
            return call(function, words, item);
        }
    }
    let left = words.operand(item)?;
    if words.takes_keyword("BETWEEN") {
        let from = words.operand(item)?;
        if !words.takes_keyword("AND") {
            return Err(Failure::invalid("Invalid expression: BETWEEN without AND"));
        }
        let to = words.operand(item)?;
        let order = |a: &Option<Value>, b: &Option<Value>| compare(a.as_ref()?, b.as_ref()?);
        return Ok(order(&left, &from).is_some_and(Ordering::is_ge) && order(&left, &to).is_some_and(Ordering::is_le));
    }
    if words.takes_keyword("IN") {
        words.expect("(")?;
        let mut found = false;
        loop {
            found |= is_same(left.as_ref(), words.operand(item)?.as_ref());
            if !words.takes(",") {
                break;
            }
        }
        words.expect(")")?;
        return Ok(found);
    }
    let Word::Sign(sign) = words.next()? else { return Err(Failure::invalid("Invalid expression: no comparison")) };
    let right = words.operand(item)?;
    compared(left.as_ref(), sign, right.as_ref())
}

fn call(function: &str, words: &mut Words, item: &Item) -> Result<bool, Failure> {
    words.expect("(")?;
    let value = words.operand(item)?;
    let holds = match function {
        "attribute_exists" => value.is_some(),
        "attribute_not_exists" => value.is_none(),
        _ => {
            words.expect(",")?;
            let prefix = words.operand(item)?;
            let text = |value: &Option<Value>| value.as_ref().and_then(|value| value["S"].as_str()).map(str::to_owned);
            text(&value).zip(text(&prefix)).is_some_and(|(text, prefix)| text.starts_with(&prefix))
        }
    };
    words.expect(")")?;
    Ok(holds)
}

fn compared(left: Option<&Value>, sign: &str, right: Option<&Value>) -> Result<bool, Failure> {
    if sign == "<>" {
        return Ok(!is_same(left, right));
    }
    let order = left.zip(right).and_then(|(left, right)| compare(left, right));
    let Some(order) = order else { return Ok(false) };
    match sign {
        "=" => Ok(order.is_eq()),
        "<" => Ok(order.is_lt()),
        "<=" => Ok(order.is_le()),
        ">" => Ok(order.is_gt()),
        ">=" => Ok(order.is_ge()),
        _ => Err(Failure::invalid("Invalid expression: Syntax error")),
    }
}

fn is_same(left: Option<&Value>, right: Option<&Value>) -> bool {
    left.zip(right).and_then(|(left, right)| compare(left, right)).is_some_and(Ordering::is_eq)
}
