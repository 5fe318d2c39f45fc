//! What requests to DynamoDB are billed for. Strata does not ask for that, so whatever stands between asks in its name; the
//! embedded engine counts as DynamoDB does.

use serde_json::Value;

/// What was asked of DynamoDB so far, or between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Consumed {
    /// Requests.
    pub requests: f64,
    /// Read request units.
    pub read: f64,
    /// Write request units.
    pub written: f64,
}

impl std::ops::Sub for Consumed {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            read: self.read - before.read,
            written: self.written - before.written,
        }
    }
}

impl Consumed {
    /// Takes in what DynamoDB answered to an operation.
    pub fn count(&mut self, operation: &str, answer: &[u8]) {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let units: f64 = match &answer["ConsumedCapacity"] {
            Value::Array(tables) => tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum(),
            table => table["CapacityUnits"].as_f64().unwrap_or_default(),
        };
        self.requests += 1.0;
        *(if is_read(operation) { &mut self.read } else { &mut self.written }) += units;
    }
}

/// The same request, which also asks what it consumes; no engine here checks signatures.
pub fn asking(body: &[u8]) -> Vec<u8> {
    match body.strip_prefix(b"{") {
        Some(rest) if !rest.starts_with(b"}") => [b"{\"ReturnConsumedCapacity\":\"TOTAL\",", rest].concat(),
        _ => body.to_vec(),
    }
}

/// Whether an operation changes nothing, and so consumes read units.
pub(crate) fn is_read(operation: &str) -> bool {
    ["GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan"].contains(&operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_are_told_apart_and_tables_added_up() {
        let mut consumed = Consumed::default();
        consumed.count("GetItem", br#"{"ConsumedCapacity":{"TableName":"t","CapacityUnits":1.0}}"#);
        consumed.count("TransactWriteItems", br#"{"ConsumedCapacity":[{"CapacityUnits":4.0},{"CapacityUnits":2.0}]}"#);
        consumed.count("DescribeTable", b"{}");
        assert_eq!(consumed, Consumed { requests: 3.0, read: 1.0, written: 6.0 });
    }
}
