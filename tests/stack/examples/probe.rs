//! A Lambda function that does what its event says, for the stack's own tests. It speaks the Runtime API with the
//! standard library only, so that nothing stands between the stack and what is tested.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

fn main() {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    println!("started");
    let mut connection = BufReader::new(TcpStream::connect(&api).unwrap());
    loop {
        let (head, event) = call(&mut connection, "GET", "invocation/next", b"");
        let id = header(&head, "lambda-runtime-aws-request-id");
        println!("invoked as {id}");
        let event: Value = serde_json::from_slice(&event).unwrap();
        let (outcome, answer) = match handle(&event, &head) {
            Ok(answer) => ("response", answer),
            Err(message) => ("error", json!({ "errorType": "Probe", "errorMessage": message })),
        };
        call(&mut connection, "POST", &format!("invocation/{id}/{outcome}"), answer.to_string().as_bytes());
    }
}

fn handle(event: &Value, head: &[String]) -> Result<Value, String> {
    if event["type"] == "TOKEN" {
        return authorize(event);
    }
    let order: Value = serde_json::from_str(event["body"].as_str().unwrap_or("{}")).unwrap_or_default();
    if let Some(ms) = order["sleep_ms"].as_u64() {
        println!("sleeping");
        std::thread::sleep(Duration::from_millis(ms));
    }
    if let Some(code) = order["exit"].as_i64() {
        std::process::exit(code as i32);
    }
    if let Some(message) = order["error"].as_str() {
        return Err(message.to_owned());
    }
    if let Some(answer) = order.get("answer") {
        return Ok(answer.clone());
    }
    if let Some(length) = order["length"].as_u64() {
        return Ok(json!({ "statusCode": 200, "body": "x".repeat(length as usize) }));
    }
    let environment: std::collections::BTreeMap<String, String> = std::env::vars().collect();
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let seen =
        json!({ "event": event, "head": head, "pid": std::process::id(), "environment": environment, "time_ms": time });
    Ok(json!({ "statusCode": 200, "headers": { "X-Probe": "1" }, "body": seen.to_string() }))
}

fn authorize(event: &Value) -> Result<Value, String> {
    println!("authorizing");
    let policy = |effect: &str| {
        let statement = json!({ "Effect": effect, "Action": "execute-api:Invoke", "Resource": "*" });
        json!({
            "principalId": "me",
            "policyDocument": { "Version": "2012-10-17", "Statement": [statement] },
            "context": { "sub": "me", "exp": 17 },
        })
    };
    match event["authorizationToken"].as_str().unwrap() {
        "Bearer denied" => Ok(policy("Deny")),
        "Bearer broken" => Err("the keys cannot be had".to_owned()),
        "Bearer odd" => Ok(json!({ "principalId": "me" })),
        token if token.starts_with("Bearer good") => Ok(policy("Allow")),
        _ => Err("Unauthorized".to_owned()),
    }
}

fn call(connection: &mut BufReader<TcpStream>, method: &str, path: &str, body: &[u8]) -> (Vec<String>, Vec<u8>) {
    let length = body.len();
    let head = format!("{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: api\r\nContent-Length: {length}\r\n\r\n");
    connection.get_mut().write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut head = Vec::new();
    for line in connection.by_ref().lines() {
        match line.unwrap() {
            line if line.is_empty() => break,
            line => head.push(line),
        }
    }
    let mut body = vec![0; header(&head, "content-length").parse().unwrap()];
    connection.read_exact(&mut body).unwrap();
    (head, body)
}

fn header(head: &[String], name: &str) -> String {
    let values = head.iter().filter_map(|line| line.split_once(": "));
    values.into_iter().find(|(candidate, _)| candidate.eq_ignore_ascii_case(name)).unwrap().1.to_owned()
}
