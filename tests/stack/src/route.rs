//! From a raw path to the resource that API Gateway would choose.
//!
//! Nothing is decoded or normalised: `..`, `%2F` and empty segments are part of a key as they stand.

use crate::template::Route;

/// A route that matched, with its path parameter as the raw path has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match<'a> {
    pub(crate) function: &'a str,
    pub(crate) route: &'a Route,
    pub(crate) parameters: Vec<(String, String)>,
}

/// The routes of an API, each with its function's name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {
    routes: Vec<(String, Route)>,
}

impl Routes {
    pub(crate) fn new(mut routes: Vec<(String, Route)>) -> Self {
        // A literal wins over a parameter, and that over a greedy one. Counting is enough for resources that differ in
        // their tail only.
        routes.sort_by_key(|(_, route)| route.resource.matches('{').count() + route.resource.matches('+').count());
        Self { routes }
    }

    /// The route of a method and a raw path below the stage.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<Match<'_>> {
        self.routes.iter().find_map(|(function, route)| {
            let allowed = route.method == method || route.method == "ANY";
            let parameters = if allowed { parameters(&route.resource, path)? } else { return None };
            Some(Match { function, route, parameters })
        })
    }
}

/// The path parameters, when the path belongs to the resource.
fn parameters(resource: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    let mut rest = path.strip_prefix('/')?;
    let mut segments = resource.strip_prefix('/')?.split('/').peekable();
    while let Some(segment) = segments.next() {
        if let Some(name) = segment.strip_prefix('{').and_then(|name| name.strip_suffix("+}")) {
            let matched = !rest.is_empty();
            parameters.push((name.to_owned(), rest.to_owned()));
            return matched.then_some(parameters);
        }
        let (head, tail) = rest.split_once('/').map_or((rest, None), |(head, tail)| (head, Some(tail)));
        match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !head.is_empty() => parameters.push((name.to_owned(), head.to_owned())),
            None if head == segment => {}
            _ => return None,
        }
        match (tail, segments.peek()) {
            (Some(tail), Some(_)) => rest = tail,
            // API Gateway ignores a trailing slash.
            (None | Some(""), None) => return Some(parameters),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn routes() -> Routes {
        let route = |method: &str, resource: &str| {
            let route = Route { method: method.to_owned(), resource: resource.to_owned(), authorized: true };
            (format!("{method} {resource}"), route)
        };
        Routes::new(vec![
            route("GET", "/cache/entries/{key+}"),
            route("GET", "/cache/entries"),
            route("GET", "/cache/warm/{job_id}"),
            route("POST", "/cache/warm"),
            route("ANY", "/any"),
        ])
    }

    #[track_caller]
    fn key(path: &str) -> String {
        let routes = routes();
        let found = routes.find("GET", path).unwrap();
        assert_eq!(found.route.resource, "/cache/entries/{key+}");
        found.parameters[0].1.clone()
    }

    #[test]
    fn a_greedy_parameter_is_the_rest_of_the_raw_path() {
        for raw in ["a", "a/b", "a%2Fb", "../../etc", "a//b", "/", "a/", "%", "%25", "a+b", "é", "."] {
            assert_eq!(key(&format!("/cache/entries/{raw}")), raw);
        }
    }

    #[test]
    fn an_empty_key_is_the_collection() {
        for path in ["/cache/entries", "/cache/entries/"] {
            let routes = routes();
            let found = routes.find("GET", path).unwrap();
            assert_eq!((found.route.resource.as_str(), found.parameters.len()), ("/cache/entries", 0));
        }
    }

    #[test]
    fn a_single_parameter_is_one_segment() {
        let routes = routes();
        let found = routes.find("GET", "/cache/warm/j%201").unwrap();
        assert_eq!(found.parameters, [("job_id".to_owned(), "j%201".to_owned())]);
        assert_eq!(routes.find("GET", "/cache/warm/a/b"), None);
        assert_eq!(routes.find("GET", "/cache/warm/"), None);
    }

    #[test]
    fn what_is_not_in_the_template_is_not_there() {
        let routes = routes();
        for (method, path) in [
            ("HEAD", "/cache/entries/a"),
            ("OPTIONS", "/cache/entries/a"),
            ("get", "/cache/entries/a"),
            ("GET", "/cache/Entries/a"),
            ("GET", "/cache%2Fentries/a"),
            ("GET", "/cache"),
            ("GET", "//cache/entries/a"),
            ("GET", "/"),
            ("GET", ""),
        ] {
            assert_eq!(routes.find(method, path), None, "{method} {path}");
        }
        assert!(routes.find("PATCH", "/any").is_some());
    }
}
