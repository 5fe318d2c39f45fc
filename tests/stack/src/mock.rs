//! Mock integrations: what the gateway answers by itself, without a function.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::Value;

use crate::gateway_response::Refusal;
use crate::request::Received;
use crate::route::Routes;
use crate::template::Route;
use crate::velocity::{Asked, render};

/// API Gateway's word for all methods that a path does not name.
const ANY_METHOD: &str = "x-amazon-apigateway-any-method";
/// The methods that it stands for.
const ANY: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// A method of a resource that the gateway answers by itself.
#[derive(Clone, Debug)]
pub(crate) struct Mock {
    resource: String,
    /// What makes the status of a request, by the media type of its body.
    requests: BTreeMap<String, String>,
    /// The templates of answers, by their status; `default` for any other.
    responses: BTreeMap<String, (StatusCode, String)>,
}

/// The mocks of an API.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mocks {
    mocks: BTreeMap<String, Mock>,
    routes: Routes,
}

impl Mocks {
    /// Reads the paths of a `DefinitionBody` whose intrinsic functions are resolved.
    pub(crate) fn parse(body: &Value) -> Result<Self, String> {
        let paths = body["paths"].as_object().into_iter().flatten();
        // A parameter may have left out all there is of a path.
        let paths = paths.filter_map(|(resource, methods)| Some((resource, methods.get(ANY_METHOD)?)));
        let mocks = paths.map(|(resource, method)| {
            let mock = Mock::parse(resource, method);
            Ok((resource.clone(), mock.map_err(|why| format!("DefinitionBody, {resource}: {why}"))?))
        });
        let mocks = mocks.collect::<Result<BTreeMap<String, Mock>, String>>()?;
        let route = |resource: &String| {
            let route = Route { method: "ANY".to_owned(), resource: resource.clone(), authorized: false };
            (resource.clone(), route)
        };
        Ok(Self { routes: Routes::new(mocks.keys().map(route).collect()), mocks })
    }

    /// The mock for a method and a raw path below the stage.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<&Mock> {
        let found = self.routes.find(method, path).filter(|_| ANY.contains(&method))?;
        self.mocks.get(&found.route.resource)
    }
}

impl Mock {
    fn parse(resource: &str, method: &Value) -> Result<Self, String> {
        let integration = &method["x-amazon-apigateway-integration"];
        let is_open = method["security"].as_array().is_some_and(|all| all.iter().any(|one| one.get("NONE").is_some()));
        if integration["type"] != "mock" || integration["passthroughBehavior"] != "never" || !is_open {
            return Err("only mocks that pass nothing through and ask no authorizer are known here".to_owned());
        }
        let requests = integration["requestTemplates"].as_object().into_iter().flatten();
        let requests = requests.map(|(kind, template)| Ok((kind.clone(), text(template)?)));
        let responses = integration["responses"].as_object().into_iter().flatten();
        let responses = responses.map(|(key, response)| {
            let status = response["statusCode"].as_str().and_then(|status| status.parse().ok());
            let template = text(&response["responseTemplates"]["application/json"])?;
            Ok((key.clone(), (status.ok_or("a response has no status")?, template)))
        });
        Ok(Self {
            resource: resource.to_owned(),
            requests: requests.collect::<Result<_, String>>()?,
            responses: responses.collect::<Result<_, String>>()?,
        })
    }

    pub(crate) fn resource(&self) -> &str {
        &self.resource
    }

    /// The answer to a request.
    pub(crate) fn answer(&self, request: &Received) -> Result<Response<Full<Bytes>>, Refusal> {
        let kind = request.header("content-type").unwrap_or("application/json");
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let template = self.requests.get(&kind).ok_or(Refusal::UnsupportedMediaType)?;
        let asked = Request { request, resource: &self.resource };
        let broken = |_| Refusal::BadFunction;
        let status: Value =
            serde_json::from_str(&render(template, &asked).map_err(broken)?.text).map_err(|_| Refusal::BadFunction)?;
        let response = self.responses.get(&status["statusCode"].to_string()).or_else(|| self.responses.get("default"));
        let (status, template) = response.ok_or(Refusal::BadFunction)?;
        let said = render(template, &asked).map_err(broken)?;
        let mut response = Response::new(Full::new(Bytes::from(said.text)));
        *response.status_mut() = *status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in said.headers {
            let name: HeaderName = name.parse().map_err(|_| Refusal::BadFunction)?;
            response.headers_mut().insert(name, value.parse().map_err(|_| Refusal::BadFunction)?);
        }
        Ok(response)
    }
}

fn text(template: &Value) -> Result<String, String> {
    template.as_str().map(str::to_owned).ok_or_else(|| format!("{template} is no mapping template"))
}

struct Request<'a> {
    request: &'a Received,
    resource: &'a str,
}

impl Asked for Request<'_> {
    fn context(&self, name: &str) -> Option<String> {
        self.request.variable(name, Some(self.resource))
    }

    fn parameter(&self, name: &str) -> Option<String> {
        self.request.header(name).map(str::to_owned)
    }
}
