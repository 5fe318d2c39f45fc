//! The configuration that the fleet shares. Its fields are the server's: they are read and written by their paths, so
//! that a client knows those as well that came after it.

use crate::{
    Result,
    call::Call,
    client::{Client, awaited},
    entries::is_false,
    timestamp::Timestamp,
};
use reqwest::{Method, header::IF_MATCH};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The configuration in force.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The whole document.
    pub document: Map<String, Value>,
    /// The entity tag of its version, for [`UpdateConfig::if_match`].
    pub etag: String,
}

impl Config {
    /// A field by its path, such as `l1_config.ttl_minutes`.
    pub fn field(&self, path: &str) -> Option<&Value> {
        let mut steps = path.split('.');
        let first = self.document.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    }

    /// All fields with their paths.
    pub fn fields(&self) -> Vec<(String, &Value)> {
        let mut fields = Vec::new();
        for (name, value) in &self.document {
            match value {
                Value::Object(section) => {
                    fields.extend(section.iter().map(|(field, value)| (format!("{name}.{field}"), value)));
                }
                value => fields.push((name.clone(), value)),
            }
        }
        fields
    }
}

/// A configuration that was changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Configured {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
    /// The fields that have another value now.
    pub updated_fields: Vec<String>,
    /// When it was changed.
    pub updated_at: Timestamp,
    /// Whether containers must be restarted for it.
    pub restart_required: bool,
    /// Redis could not be told: other containers learn of it within ten seconds.
    #[serde(default, skip_serializing_if = "is_false")]
    pub degraded: bool,
    /// What the switch of a level does to the cache.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The entity tag of the version that is in force now.
    #[serde(skip)]
    pub etag: String,
}

impl Client {
    /// The configuration in force.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/config.rs")]
    /// ```
    pub async fn config(&self) -> Result<Config> {
        let reply = self.send(Call::new(Method::GET, "/config")).await?;
        Ok(Config { document: reply.json()?, etag: reply.etag().unwrap_or_default() })
    }

    /// Changes some of the configuration, for the whole fleet: all that is named, or nothing.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/update_config.rs")]
    /// ```
    pub fn update_config(&self) -> UpdateConfig<'_> {
        UpdateConfig { client: self, document: Map::new(), if_match: None }
    }
}

/// See [`Client::update_config`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct UpdateConfig<'a> {
    client: &'a Client,
    document: Map<String, Value>,
    if_match: Option<String>,
}

impl UpdateConfig<'_> {
    /// Sets a field by its path, such as `l1_config.ttl_minutes`.
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        match path.split_once('.') {
            None => _ = self.document.insert(path.to_owned(), value.into()),
            Some((section, field)) => {
                let section = self.document.entry(section).or_insert_with(|| Value::Object(Map::new()));
                // What is no section gives way, and the server says what is wrong with the field.
                if !section.is_object() {
                    *section = Value::Object(Map::new());
                }
                section[field] = value.into();
            }
        }
        self
    }

    /// An error [`Code::PreconditionFailed`](crate::Code::PreconditionFailed) where somebody has changed it since.
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.if_match = Some(etag.into());
        self
    }

    async fn send(self) -> Result<Configured> {
        let call = Call::new(Method::PUT, "/config").json(&self.document)?.header(IF_MATCH, self.if_match)?;
        let reply = self.client.send(call).await?;
        let mut configured: Configured = reply.json()?;
        configured.etag = reply.etag().unwrap_or_default();
        Ok(configured)
    }
}

awaited!(UpdateConfig<'a> => Configured);
