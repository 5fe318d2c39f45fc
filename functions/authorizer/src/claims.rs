//! What a token says, read strictly: no claim twice, and one of the wrong type refuses the token, whatever it is for. An
//! issuer that means something else by `cache_key_prefixes` must not get a token without limits.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::refusal::Refusal;

/// The registered claim for whom a token is for.
pub(crate) const AUDIENCE: &str = "aud";

/// The claims that issuers name differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// Of these the first that a token has says its scopes, alone: what two claims say together nobody has granted.
    pub scopes: Vec<String>,
    /// What stands before the name of a scope; those without it are somebody else's.
    pub scope_prefix: String,
    /// Names whom the token is for.
    pub audience: String,
    /// Names the key prefixes that the token is limited to.
    pub prefixes: String,
    /// Names the API key.
    pub api_key: String,
}

impl Default for ClaimNames {
    /// Scopes as RFC 8693, then as older issuers, Okta and Entra, and Auth0 name them.
    fn default() -> Self {
        Self {
            scopes: ["scope", "scopes", "scp", "permissions"].map(str::to_owned).to_vec(),
            scope_prefix: String::new(),
            audience: AUDIENCE.to_owned(),
            prefixes: "cache_key_prefixes".to_owned(),
            api_key: "api_key".to_owned(),
        }
    }
}

/// The claims of a token.
#[derive(Debug)]
pub(crate) struct Claims(HashMap<String, Value>);

impl Claims {
    /// A claim that has to be there.
    pub(crate) fn required<'c, T: Deserialize<'c>>(&'c self, name: &str) -> Result<T, Refusal> {
        self.optional(name)?.ok_or(Refusal::Claims)
    }

    /// A claim that may be missing. `null` is a wrong type and not a missing claim.
    pub(crate) fn optional<'c, T: Deserialize<'c>>(&'c self, name: &str) -> Result<Option<T>, Refusal> {
        self.0.get(name).map(T::deserialize).transpose().map_err(|_| Refusal::Claims)
    }

    /// The scopes that the first of these claims names: text with spaces between them, or a list.
    pub(crate) fn scopes(&self, names: &ClaimNames) -> Result<Vec<String>, Refusal> {
        let listed = match names.scopes.iter().find_map(|name| self.0.get(name)) {
            None => Vec::new(),
            Some(Value::String(text)) => text.split_ascii_whitespace().map(str::to_owned).collect(),
            Some(list) => Vec::deserialize(list).map_err(|_| Refusal::Claims)?,
        };
        let own = |scope: String| scope.strip_prefix(&names.scope_prefix).map(str::to_owned);
        Ok(listed.into_iter().filter_map(own).collect())
    }

    /// Whether a claim is that text, or a list with it.
    pub(crate) fn is_or_lists(&self, name: &str, wanted: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Array(list)) => list.iter().any(|one| one == wanted),
            one => one.is_some_and(|one| one == wanted),
        }
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EachOnce)
    }
}

struct EachOnce;

impl<'de> Visitor<'de> for EachOnce {
    type Value = Claims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Claims, A::Error> {
        let mut claims = HashMap::new();
        while let Some((name, value)) = members.next_entry::<String, Value>()? {
            if claims.insert(name, value).is_some() {
                return Err(A::Error::custom("a claim twice"));
            }
        }
        Ok(Claims(claims))
    }
}
