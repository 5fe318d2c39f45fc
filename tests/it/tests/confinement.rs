//! A token with prefixes, whatever it asks for and however it names it: nothing outside of its prefixes is read, changed,
//! counted or disclosed.
//!
//! The cases are generated from one table, `confinement/table.json`: requests of every route, by every way of naming a key,
//! for tokens of different prefixes, over keys, patterns and jobs inside and outside of these, and with different scopes.
//! Whether a case is allowed is decided by `starts_with` alone; the values, tags and names of others have secrets in them
//! that no answer may tell; and what others have is the same after all of it, down to how often it was read.

mod table;
mod world;

use crate::{support::wait_out_the_window, template};
use futures_util::stream::{self, StreamExt};
use std::collections::{BTreeMap, BTreeSet};
use strata_it::{Answer, Api, patient, stack::Claims};
use table::{Asked, Table, Tenant, literal_prefix};
use world::{AT_ONCE, World};

/// Fewest cases that the table makes.
const FEWEST: usize = 1000;
/// Fewest of them that are allowed: where all is refused, nothing is shown.
const FEWEST_ALLOWED: usize = 300;
/// Most faults that are told of.
const TOLD: usize = 20;
/// Scopes of a token that may do whatever its prefixes allow.
const ALL_SCOPES: [&str; 4] = ["cache:read", "cache:write", "cache:admin", "cache:journal"];

/// One case.
struct Case<'a> {
    asked: &'a Asked,
    tenant: &'a Tenant,
    /// The key, pattern or job it is made with.
    word: String,
    scopes: Vec<&'a str>,
}

/// What a case is to be answered with.
#[derive(Debug, PartialEq)]
enum Expected {
    /// It is allowed: whatever becomes of it, it is not refused for who asks.
    Allowed,
    /// This status and code.
    Refused(u16, &'static str),
}

/// The cases of the table: each request with each word for each tenant, and the first of its words with each selection of
/// scopes.
fn cases<'a>(world: &'a World, tenants: &'a [Tenant]) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    let case = |asked: &'a Asked, tenant: &'a Tenant, word: &str, scopes: &[&'a str]| {
        let named = match asked.over.as_deref() {
            Some("jobs") => world.jobs[&tenant.me].get(word),
            Some("invalidations") => world.invalidations[&tenant.me].get(word),
            _ => None,
        };
        Case { asked, tenant, word: named.cloned().unwrap_or_else(|| tenant.said(word)), scopes: scopes.to_vec() }
    };
    for asked in &world.table.requests {
        let words = world.table.over(asked);
        for tenant in tenants {
            cases.extend(words.iter().map(|word| case(asked, tenant, word, &ALL_SCOPES)));
        }
        for scopes in world.table.scopes.values() {
            let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
            cases.push(case(asked, &tenants[0], words[0], &scopes));
        }
    }
    cases
}

impl Case<'_> {
    fn expected(&self, world: &World) -> Expected {
        let refused = Expected::Refused(403, "FORBIDDEN");
        let Case { asked, tenant, word, scopes } = self;
        let has_scope =
            scopes.contains(&asked.scope.as_str()) || asked.scope == "cache:journal" && scopes.contains(&"cache:admin");
        let owns_all = (!asked.names_mine() || tenant.owns(&tenant.mine()))
            && match asked.over.as_deref() {
                _ if asked.narrows => tenant.owns_some_of(word),
                Some("keys") => tenant.owns(word),
                Some("patterns") => tenant.owns(&literal_prefix(word)),
                _ => !asked.concerns_all,
            };
        match asked.over.as_deref() {
            _ if !has_scope => refused,
            _ if asked.malformed => Expected::Refused(400, "INVALID_REQUEST"),
            // None of them is the tenant's own.
            Some("jobs") if world.shown_job(tenant) != Some(word) || !scopes.contains(&"cache:admin") => {
                Expected::Refused(404, "JOB_NOT_FOUND")
            }
            Some("invalidations")
                if world.shown_invalidation(tenant) != Some(word) || !scopes.contains(&"cache:admin") =>
            {
                Expected::Refused(404, "INVALIDATION_NOT_FOUND")
            }
            _ if owns_all => Expected::Allowed,
            _ => refused,
        }
    }

    async fn send(&self, api: &Api) -> Answer {
        let Case { asked, tenant, word, scopes } = self;
        let prefixes: Vec<&str> = tenant.prefixes.iter().map(String::as_str).collect();
        let claims = Claims::with_scopes(scopes).subject(&tenant.me).api_key(&tenant.me).prefixes(&prefixes);
        let (method, _) = asked.route.split_once(' ').unwrap();
        let request = api.request(method, &asked.path(tenant, word)).bearer(&api.stack.token(claims));
        let request = asked.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.body(asked.body(tenant, word)).send().await
    }

    /// What is wrong with the answer.
    fn faults(&self, answer: &Answer, world: &World) -> Vec<String> {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = body["error"]["code"].as_str().unwrap_or_default();
        let expected = self.expected(world);
        let holds = match expected {
            Expected::Allowed => {
                answer.status < 500
                    && ![401, 403].contains(&answer.status)
                    && !["JOB_NOT_FOUND", "INVALIDATION_NOT_FOUND"].contains(&code)
            }
            // An answer to HEAD has no body.
            Expected::Refused(status, _) if self.asked.route.starts_with("HEAD ") => answer.status == status,
            Expected::Refused(status, wanted) => (answer.status, code) == (status, wanted),
        };
        let mut faults: Vec<String> = (!holds).then(|| format!("not {expected:?}")).into_iter().collect();
        let Case { asked, tenant, word, .. } = self;
        let asked = format!("{word} {} {}", asked.path(tenant, word), asked.body(tenant, word));
        let headers = answer.header_names().filter_map(|name| answer.header(name)).collect::<Vec<_>>().join(" ");
        let said = format!("{headers} {}", String::from_utf8_lossy(&answer.body));
        let hidden = world.hidden_from(self.tenant).filter(|text| said.contains(*text) && !asked.contains(*text));
        faults.extend(hidden.map(|text| format!("it tells {text}")));
        faults.extend(
            world::secrets(&said).difference(&world::secrets(&asked)).map(|secret| format!("it tells {secret}")),
        );
        let owned = world.keys(self.tenant).iter().filter(|key| self.tenant.owns(key)).count();
        let of_tags = body["tags"].as_array().into_iter().flatten().map(|tag| &tag["entries"]);
        let counts = of_tags.chain([&body["invalidated_count"], &body["estimated_keys"]]);
        let too_many = counts.filter(|count| count.as_u64().is_some_and(|count| count > owned as u64));
        faults.extend(too_many.map(|count| format!("it counts {count}, and only {owned} keys are its own")));
        for (list, name) in [("keys", "key"), ("mutations", "key"), ("invalidations", "key"), ("prefixes", "prefix")] {
            let named = body[list].as_array().into_iter().flatten().filter_map(|one| one[name].as_str());
            faults.extend(named.filter(|key| !tenant.owns(key)).map(|key| format!("it lists {key}")));
        }
        faults
    }

    /// A refusal without what the request said itself: it must be the same whatever there is.
    fn wording(&self, answer: &Answer) -> Option<String> {
        let error: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
        let error = error["error"].as_object()?;
        [403, 404].contains(&answer.status).then(|| format!("{} {} {}", answer.status, error["code"], error["message"]))
    }
}

#[test]
fn every_route_is_in_the_table() {
    let table = Table::read();
    let asked: BTreeSet<&str> = table.requests.iter().map(|asked| asked.route.as_str()).collect();
    let routes: BTreeSet<String> =
        template::routes().into_iter().map(|(_, path, method)| format!("{method} {path}")).collect();
    assert_eq!(asked, routes.iter().map(String::as_str).collect(), "each route is to be asked for by confined tokens");
}

#[tokio::test]
async fn nothing_outside_is_read_changed_counted_or_disclosed() {
    let options = patient().streams(false).containers(3).env("RATE_LIMITS", "off").env("JOBS_PER_API_KEY", "0");
    let api = Api::with(options).await;
    let (world, tenants) = World::furnished(&api, Table::read()).await;
    wait_out_the_window().await;
    let before = world.outside(&api, &tenants).await;

    let cases = cases(&world, &tenants);
    assert!(cases.len() >= FEWEST, "only {} cases", cases.len());
    let answers = stream::iter(cases.iter().map(|case| case.send(&api))).buffered(AT_ONCE).collect::<Vec<_>>().await;
    let (mut faults, mut wordings) = (Vec::new(), BTreeMap::<_, BTreeSet<String>>::new());
    let mut allowed = 0;
    for (case, answer) in cases.iter().zip(&answers) {
        let told = |fault| format!("{}, {:?}: {fault}: {answer:?}", case.tenant.name, case.scopes);
        faults.extend(case.faults(answer, &world).into_iter().map(told));
        allowed += usize::from(case.expected(&world) == Expected::Allowed);
        if case.scopes == ALL_SCOPES && case.expected(&world) != Expected::Allowed {
            wordings.entry((std::ptr::from_ref(case.asked), &case.tenant.me)).or_default().extend(case.wording(answer));
        }
    }
    assert!(faults.is_empty(), "{} of {} cases: {:#?}", faults.len(), cases.len(), &faults[..faults.len().min(TOLD)]);
    assert!(allowed >= FEWEST_ALLOWED, "only {allowed} of {} cases are allowed", cases.len());
    let telling: Vec<_> = wordings.values().filter(|wordings| wordings.len() > 1).collect();
    assert!(telling.is_empty(), "a refusal tells what there is: {telling:#?}");

    wait_out_the_window().await;
    // Whoever read something tells the fleet of it with the next sync.
    for container in ["entries-1", "entries-2", "entries-3"] {
        api.get("/entries/nothing").pin(container).send().await.expect(404);
    }
    let after = world.outside(&api, &tenants).await;
    assert_eq!(before.differences(&after), [] as [String; 0], "what others have is as it was");
}
