//! Queries: the items of one partition, in order, page by page.

use super::{
    Answer, Tables,
    condition::holds,
    error::Failure,
    expression::{Word, Words, projection},
    item::Item,
};
use serde_json::{Map, Value, json};

impl Tables {
    pub(super) fn query(&mut self, request: &Value) -> Answer {
        let condition = request["KeyConditionExpression"].as_str().unwrap_or_default();
        let partition = partition(condition, request)?;
        let names = projection(request)?;
        let most = request["Limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let forward = request["ScanIndexForward"].as_bool().unwrap_or(true);
        let after = request["ExclusiveStartKey"]["sk"]["S"].as_str();
        let page_bytes = self.page_bytes;
        let table = self.table(request)?;
        let items: Vec<&Item> = table.get(&partition).into_iter().flat_map(|items| items.values()).collect();
        let (mut found, mut bytes, mut last) = (Vec::new(), 0, None);
        let mut rest: Box<dyn Iterator<Item = &&Item>> =
            if forward { Box::new(items.iter()) } else { Box::new(items.iter().rev()) };
        let is_behind = |sk: &str| after.is_none_or(|after| if forward { sk > after } else { sk < after });
        for item in rest.by_ref() {
            let (_, sk) = item.key()?;
            if !is_behind(&sk) || !holds(condition, request, Some(item))? {
                continue;
            }
            if found.len() >= most || bytes >= page_bytes {
                last = found.last().copied();
                break;
            }
            bytes += item.bytes();
            found.push(*item);
        }
        // A page that is full says so, also where nothing follows.
        if found.len() == most {
            last = found.last().copied();
        }
        let mut answer = Map::new();
        answer.insert("Count".to_owned(), found.len().into());
        answer.insert("ScannedCount".to_owned(), found.len().into());
        let told = found.iter().map(|item| item.only(names.as_deref()));
        answer.insert("Items".to_owned(), told.collect());
        if let Some(last) = last {
            let (pk, sk) = last.key()?;
            answer.insert("LastEvaluatedKey".to_owned(), json!({"pk": {"S": pk}, "sk": {"S": sk}}));
        }
        Ok(answer)
    }
}

/// The partition that a key condition names: it begins with that.
fn partition(condition: &str, request: &Value) -> Result<String, Failure> {
    let mut words = Words::read(condition, request)?;
    let name = words.name()?;
    words.expect("=")?;
    match words.next()? {
        Word::Value(value) if name == "pk" => value["S"].as_str().map(str::to_owned),
        _ => None,
    }
    .ok_or_else(|| Failure::invalid("Query condition missed key schema element: pk"))
}
