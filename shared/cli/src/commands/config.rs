//! `strata config`

use crate::{
    exit::{Exit, Failure},
    session::Session,
};
use clap::{Args, Subcommand};
use serde_json::Value;

/// Show or change the configuration that the fleet shares
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Config {
    /// Only this field, such as l1_config.ttl_minutes
    field: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Change fields, all or none, unless somebody else changes any meanwhile
    Set {
        /// Such as l1_config.ttl_minutes=90
        #[arg(required = true, value_name = "FIELD=VALUE", value_parser = assignment)]
        fields: Vec<(String, Value)>,
    },
}

/// What is no JSON is text.
fn assignment(text: &str) -> Result<(String, Value), String> {
    let (field, value) = text.split_once('=').ok_or("must be FIELD=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((field.to_owned(), value))
}

impl Config {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        match (self.command, self.field) {
            (Some(Command::Set { fields }), _) => set(session, fields).await,
            (None, field) => show(session, field.as_deref()).await,
        }
    }
}

async fn show(session: &Session, field: Option<&str>) -> Result<(), Failure> {
    let (config, output) = (session.client.config().await?, &session.output);
    if let Some(field) = field {
        let value = config.field(field);
        let value = value.ok_or_else(|| Failure::new(Exit::NotFound, format!("there is no field `{field}`")))?;
        return output.value(&value.to_string());
    }
    if output.json {
        return output.json(&config.document);
    }
    for (field, value) in config.fields() {
        output.line(&format!("{}={value}", output.paint.name(&field)))?;
    }
    Ok(())
}

async fn set(session: &Session, fields: Vec<(String, Value)>) -> Result<(), Failure> {
    let (before, output) = (session.client.config().await?, &session.output);
    let update = session.client.update_config().if_match(&before.etag);
    let done = fields.iter().fold(update, |update, (field, value)| update.set(field, value.clone())).await?;
    for warning in &done.warnings {
        output.note(&format!("note: {warning}"));
    }
    if output.json {
        return output.json(&done);
    }
    for (field, value) in fields.iter().filter(|(field, _)| done.updated_fields.contains(field)) {
        let old = before.field(field).unwrap_or(&Value::Null);
        output.note(&format!("{field}: {old} → {value}"));
    }
    if done.updated_fields.is_empty() {
        output.note("nothing was changed: it is as it should be");
    }
    Ok(())
}
