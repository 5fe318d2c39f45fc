//! The answers that the gateway gives itself.
//!
//! API Gateway renders them from the API's GatewayResponses, which can substitute `$context` variables and nothing
//! else. A response type without a template of its own falls back to `DEFAULT_4XX` or `DEFAULT_5XX`, and these to
//! API Gateway's own text.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// What a header of the request is mapped from.
pub(crate) const REQUEST_HEADER: &str = "method.request.header.";

/// Why the gateway answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No token, or the authorizer said `Unauthorized`.
    Unauthorized,
    /// The authorizer's policy does not allow this method, and says so when `explicit`.
    AccessDenied { explicit: bool },
    /// There is no such method or resource: API Gateway takes it for a call of AWS' own that lacks its signature.
    MissingAuthenticationToken,
    /// The body did not arrive whole.
    BadBody,
    /// More than the gateway or Lambda takes.
    RequestTooLarge,
    /// A body of a coding or a media type that is not known.
    UnsupportedMediaType,
    /// The function did not answer within 29 s.
    IntegrationTimeout,
    /// The authorizer failed otherwise.
    AuthorizerFailure,
    /// The authorizer answered something that is no policy.
    AuthorizerConfiguration,
    /// The function failed, or its answer is malformed.
    BadFunction,
}

impl Refusal {
    /// API Gateway's name of the response type.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Unauthorized => "UNAUTHORIZED",
            Self::AccessDenied { .. } => "ACCESS_DENIED",
            Self::MissingAuthenticationToken => "MISSING_AUTHENTICATION_TOKEN",
            Self::BadBody => "BAD_REQUEST_BODY",
            Self::RequestTooLarge => "REQUEST_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::IntegrationTimeout => "INTEGRATION_TIMEOUT",
            Self::AuthorizerFailure => "AUTHORIZER_FAILURE",
            Self::AuthorizerConfiguration => "AUTHORIZER_CONFIGURATION_ERROR",
            Self::BadFunction => "DEFAULT_5XX",
        }
    }

    /// The status, unless the template sets another.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::AccessDenied { .. } | Self::MissingAuthenticationToken => StatusCode::FORBIDDEN,
            Self::BadBody => StatusCode::BAD_REQUEST,
            Self::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::IntegrationTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::AuthorizerFailure | Self::AuthorizerConfiguration => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BadFunction => StatusCode::BAD_GATEWAY,
        }
    }

    /// API Gateway's own text.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Unauthorized => "Unauthorized",
            Self::AccessDenied { explicit: false } => "User is not authorized to access this resource",
            Self::AccessDenied { explicit: true } => {
                "User is not authorized to access this resource with an explicit deny"
            }
            Self::MissingAuthenticationToken => "Missing Authentication Token",
            Self::BadBody => "Invalid request body",
            Self::RequestTooLarge => "Request Too Long",
            Self::UnsupportedMediaType => "Unsupported Media Type",
            Self::IntegrationTimeout => "Endpoint request timed out",
            Self::AuthorizerFailure | Self::AuthorizerConfiguration | Self::BadFunction => "Internal server error",
        }
    }
}

/// One entry of GatewayResponses.
#[derive(Clone, Debug, Default)]
struct Template {
    status: Option<StatusCode>,
    headers: Vec<(HeaderName, String)>,
    body: Option<String>,
}

/// The API's GatewayResponses, by response type.
#[derive(Clone, Debug, Default)]
pub(crate) struct GatewayResponses {
    templates: BTreeMap<String, Template>,
}

impl GatewayResponses {
    pub(crate) fn parse(section: &Value) -> Result<Self, String> {
        let entries = section.as_object().into_iter().flatten();
        let templates = entries.map(|(kind, entry)| match Template::parse(entry) {
            Ok(template) => Ok((kind.clone(), template)),
            Err(why) => Err(format!("GatewayResponses.{kind}: {why}")),
        });
        Ok(Self { templates: templates.collect::<Result<_, _>>()? })
    }

    /// Renders the answer; `variable` knows the `$context` variables other than `error.*`.
    pub(crate) fn render(&self, refusal: Refusal, variable: impl Fn(&str) -> Option<String>) -> Response<Full<Bytes>> {
        let fallback = if refusal.status().is_client_error() { "DEFAULT_4XX" } else { "DEFAULT_5XX" };
        let template = self.templates.get(refusal.kind()).or_else(|| self.templates.get(fallback));
        let template = template.cloned().unwrap_or_default();
        let variable = |name: &str| error_variable(refusal, name).or_else(|| variable(name)).unwrap_or_default();

        let body = template.body.as_deref().unwrap_or(r#"{"message":$context.error.messageString}"#);
        let mut response = Response::new(Full::new(Bytes::from(substitute(body, &variable))));
        *response.status_mut() = template.status.unwrap_or(refusal.status());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, mapping) in template.headers {
            let value = header_value(&mapping, &variable);
            // What is mapped from what is not there is left out.
            if let Some(value) = value.parse().ok().filter(|_| !value.is_empty()) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl Template {
    fn parse(entry: &Value) -> Result<Self, String> {
        let status = match &entry["StatusCode"] {
            Value::Null => None,
            code => Some(status(code).ok_or_else(|| format!("{code} is no status code"))?),
        };
        let headers = entry.pointer("/ResponseParameters/Headers").and_then(Value::as_object);
        let headers = headers.into_iter().flatten().map(|(name, value)| {
            let name = name.parse().map_err(|_| format!("{name} is no header"))?;
            Ok((name, value.as_str().unwrap_or_default().to_owned()))
        });
        let body = entry.pointer("/ResponseTemplates/application~1json").and_then(Value::as_str);
        Ok(Self { status, headers: headers.collect::<Result<_, String>>()?, body: body.map(str::to_owned) })
    }
}

/// A status code, written as a number or as text.
fn status(code: &Value) -> Option<StatusCode> {
    let code = code.as_u64().or_else(|| code.as_str()?.parse().ok())?;
    StatusCode::from_u16(u16::try_from(code).ok()?).ok()
}

fn error_variable(refusal: Refusal, name: &str) -> Option<String> {
    match name {
        "error.message" => Some(refusal.message().to_owned()),
        "error.messageString" => Some(json!(refusal.message()).to_string()),
        "error.responseType" => Some(refusal.kind().to_owned()),
        _ => None,
    }
}

/// A header is mapped from `'a literal'`, from `context.a.variable` or from `method.request.header.Name`.
fn header_value(mapping: &str, variable: &impl Fn(&str) -> String) -> String {
    match mapping.strip_prefix("context.") {
        Some(name) => variable(name),
        None if mapping.starts_with(REQUEST_HEADER) => variable(mapping),
        None => mapping.trim_matches('\'').to_owned(),
    }
}

/// Replaces every `$context.name`.
fn substitute(template: &str, variable: &impl Fn(&str) -> String) -> String {
    let mut parts = template.split("$context.");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_')).unwrap_or(part.len());
        let name = part[..end].trim_end_matches('.');
        text.push_str(&variable(name));
        text.push_str(&part[name.len()..]);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http_body_util::BodyExt;

    fn render(section: Value, refusal: Refusal) -> (u16, String, Option<String>) {
        let responses = GatewayResponses::parse(&section).unwrap();
        let response = responses.render(refusal, |name| (name == "requestId").then(|| "id-1".to_owned()));
        let status = response.status().as_u16();
        let header = response.headers().get("x-test").map(|value| value.to_str().unwrap().to_owned());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap(), header)
    }

    #[test]
    fn without_templates_the_text_is_api_gateways() {
        let expected = (403, r#"{"message":"Missing Authentication Token"}"#.to_owned(), None);
        assert_eq!(render(Value::Null, Refusal::MissingAuthenticationToken), expected);
    }

    #[test]
    fn variables_status_and_headers_come_from_the_template() {
        let section = json!({ "MISSING_AUTHENTICATION_TOKEN": {
            "StatusCode": "404",
            "ResponseParameters": { "Headers": { "X-Test": "'no-store'" } },
            "ResponseTemplates": {
                "application/json": "{\"id\":\"$context.requestId\",\"m\":$context.error.messageString,\"n\":\"$context.nothing\"}",
            },
        }});
        let body = r#"{"id":"id-1","m":"Missing Authentication Token","n":""}"#.to_owned();
        let expected = (404, body, Some("no-store".to_owned()));
        assert_eq!(render(section, Refusal::MissingAuthenticationToken), expected);
    }

    #[test]
    fn other_types_fall_back_to_the_default_and_keep_their_status() {
        let section = json!({
            "DEFAULT_5XX": {
                "ResponseTemplates": { "application/json": "$context.error.responseType." },
                "ResponseParameters": { "Headers": { "X-Test": "context.requestId" } },
            },
        });
        let expected = (504, "INTEGRATION_TIMEOUT.".to_owned(), Some("id-1".to_owned()));
        assert_eq!(render(section, Refusal::IntegrationTimeout), expected);
    }
}
