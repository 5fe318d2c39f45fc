//! The language of expressions: words, and what they stand for.

use super::{error::Failure, item::Item};
use serde_json::Value;

/// A word of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// A name, or `#name` already put in its place; keywords and functions as well.
    Name(String),
    /// `:value`, already put in its place.
    Value(Value),
    /// `(`, `)`, `,`, `=`, `<>`, `<`, `<=`, `>`, `>=`, `+`, `-`.
    Sign(&'static str),
}

const SIGNS: [&str; 11] = ["<>", "<=", ">=", "(", ")", ",", "=", "<", ">", "+", "-"];

/// The words of an expression.
#[derive(Debug)]
pub(super) struct Words {
    words: Vec<Word>,
    at: usize,
}

impl Words {
    /// Reads an expression of a request that says what names and values stand for.
    pub(super) fn read(text: &str, request: &Value) -> Result<Words, Failure> {
        let (names, values) = (&request["ExpressionAttributeNames"], &request["ExpressionAttributeValues"]);
        let mut words = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (word, behind) = match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Word::Sign(sign), &rest[sign.len()..]),
                None => {
                    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '#' | ':' | '.');
                    let (name, behind) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
                    let unknown = || Failure::invalid(&format!("Invalid expression: {name:?} is not defined"));
                    let word = match name.chars().next() {
                        Some('#') => Word::Name(names[name].as_str().ok_or_else(unknown)?.to_owned()),
                        Some(':') => Word::Value(values.get(name).ok_or_else(unknown)?.clone()),
                        Some(_) => Word::Name(name.to_owned()),
                        None => return Err(Failure::invalid("Invalid expression: Syntax error")),
                    };
                    (word, behind)
                }
            };
            words.push(word);
            rest = behind.trim_start();
        }
        Ok(Words { words, at: 0 })
    }

    pub(super) fn peek(&self) -> Option<&Word> {
        self.words.get(self.at)
    }

    pub(super) fn next(&mut self) -> Result<Word, Failure> {
        let word = self.peek().cloned().ok_or_else(|| Failure::invalid("Invalid expression: it ends too early"))?;
        self.at += 1;
        Ok(word)
    }

    /// Takes the word if it is that sign.
    pub(super) fn takes(&mut self, sign: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Word::Sign(own)) if *own == sign);
        self.at += usize::from(is_there);
        is_there
    }

    /// Takes the word if it is that keyword.
    pub(super) fn takes_keyword(&mut self, keyword: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Word::Name(own)) if own.eq_ignore_ascii_case(keyword));
        self.at += usize::from(is_there);
        is_there
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), Failure> {
        if self.takes(sign) { Ok(()) } else { Err(Failure::invalid(&format!("Invalid expression: no {sign:?}"))) }
    }

    pub(super) fn name(&mut self) -> Result<String, Failure> {
        match self.next()? {
            Word::Name(name) => Ok(name),
            word => Err(Failure::invalid(&format!("Invalid expression: {word:?} is no name"))),
        }
    }

    /// What a name or a value stands for in an item; `None` where that has no such attribute.
    pub(super) fn operand(&mut self, item: &Item) -> Result<Option<Value>, Failure> {
        match self.next()? {
            Word::Value(value) => Ok(Some(value)),
            Word::Name(name) => Ok(item.get(&name).cloned()),
            Word::Sign(sign) => Err(Failure::invalid(&format!("Invalid expression: {sign:?} is no operand"))),
        }
    }
}

/// The attributes that a request asks for; `None` for all.
pub(super) fn projection(request: &Value) -> Result<Option<Vec<String>>, Failure> {
    let Some(text) = request["ProjectionExpression"].as_str() else { return Ok(None) };
    let mut words = Words::read(text, request)?;
    let mut names = vec![words.name()?];
    while words.takes(",") {
        names.push(words.name()?);
    }
    Ok(Some(names))
}
