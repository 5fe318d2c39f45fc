//! `strata ls` and `strata tags`: what there is, page by page, however much.

use super::which::{PAGE, Which};
use crate::{
    exit::Failure,
    output::{bytes, count},
    paint::visible,
    session::Session,
};
use clap::Args;
use strata_client::ListedKey;

/// List keys, by their bytes
#[derive(Debug, Args)]
pub struct Ls {
    #[command(flatten)]
    which: Which,
    /// Show when they expire, how large they are, and their tags
    #[arg(long, short)]
    long: bool,
    /// At most so many
    #[arg(long, short = 'n')]
    limit: Option<u64>,
}

impl Ls {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let (mut left, mut cursor) = (self.limit.unwrap_or(u64::MAX), None::<String>);
        while left > 0 {
            let page = self.which.page(&session.client, left.min(PAGE), cursor).await?;
            left = left.saturating_sub(page.keys.len() as u64);
            for listed in &page.keys {
                self.show(session, listed)?;
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn show(&self, session: &Session, listed: &ListedKey) -> Result<(), Failure> {
        let output = &session.output;
        if output.json {
            return output.json(listed);
        }
        let key = visible(&listed.key);
        if !self.long {
            return output.line(&key);
        }
        let size = listed.size_bytes.map_or_else(|| "-".to_owned(), bytes);
        let tags = visible(&listed.tags.join(", "));
        output.line(format!("{}  {size:>10}  {key}  {}", listed.expires_at, output.paint.dim(&tags)).trim_end())
    }
}

/// List tags, and how many entries have them
#[derive(Debug, Args)]
pub struct Tags {
    /// Only those that begin with this
    prefix: Option<String>,
}

impl Tags {
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let (output, mut cursor) = (&session.output, None::<String>);
        loop {
            let mut tags = session.client.tags().limit(PAGE);
            if let Some(prefix) = &self.prefix {
                tags = tags.prefix(prefix);
            }
            if let Some(cursor) = cursor {
                tags = tags.cursor(cursor);
            }
            let page = tags.await?;
            for tag in &page.tags {
                if output.json {
                    output.json(tag)?;
                } else {
                    output.line(&format!("{:>10}  {}", count(tag.entries), visible(&tag.tag)))?;
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }
}
