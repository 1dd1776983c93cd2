//! `millrace feed`: what a reader of chirp sees.

use millrace_domain_chirp::Settings;
use millrace_domain_chirp::feed::{Cursor, FeedError, FeedItem, FeedPage, feed};
use millrace_kernel::{Domain, PageQuery};
use millrace_ports::{StoreFault, ViewStore};
use serde_json::json;

use crate::args;
use crate::config::Config;
use crate::connect::Servers;
use crate::domain::{DomainEntry, by_name};
use crate::error::CliError;
use crate::examine::paper::Paper;
use crate::output;
use crate::output::Styled::{Bold, Dim, Plain};

/// How wide a chirp's text is printed.
const WIDTH: usize = 76;

/// Runs `millrace feed`.
///
/// # Errors
/// An unknown user, a wrong cursor, tables that do not answer.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    feed: &args::Feed,
) -> Result<(), CliError> {
    let cursor = match &feed.cursor {
        None => None,
        Some(text) => {
            let read = text.parse::<Cursor>();
            Some(read.map_err(|error| CliError::usage(format!("--cursor {text}: {error}")))?)
        }
    };
    let entry = by_name(domains, millrace_domain_chirp::Chirp::NAME)?;
    let store = servers.open_store(entry)?;
    let page = read(&*store, servers.config, &feed.user_id, cursor.as_ref(), feed.limit)?;
    if feed.json {
        return page.items.iter().try_for_each(|item| {
            output::json(&json!({
                "chirp_id": &*item.chirp_id,
                "author_id": &*item.author_id,
                "username": &*item.username,
                "content": &*item.content,
                "posted_at": output::time(item.posted_at),
                "edited_at": item.edited_at.map(output::time),
                "cursor": item.cursor.to_string(),
            }))
        });
    }
    print(&page.items)?;
    match (page.items.last(), page.is_last) {
        (None, _) => output::line(format!("{} has nothing to read yet.", feed.user_id)),
        (Some(last), false) => output::styled(&[Dim(&format!(
            "There is more: millrace feed {} --cursor {}",
            feed.user_id, last.cursor
        ))]),
        _ => Ok(()),
    }
}

/// A page of the feed of `reader`.
///
/// # Errors
/// As [`run`].
pub fn read(
    store: &dyn ViewStore,
    config: &Config,
    reader: &str,
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<FeedPage, CliError> {
    let settings: Settings = config.section(millrace_domain_chirp::Chirp::NAME)?;
    let mut pages = |queries: &[PageQuery]| store.read(queries);
    let page = feed::<StoreFault>(&mut pages, reader, cursor, limit, settings.timeline_cap);
    page.map_err(|error| match error {
        FeedError::UnknownUser(user) => CliError::failed(format!("there is no user {user}"))
            .hint("`millrace query user_profiles --limit 10` shows some who are there."),
        other => CliError::failed(crate::error::chain(&other)),
    })
}

/// Prints chirps for a person.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(items: &[FeedItem]) -> Result<(), CliError> {
    for item in items {
        let edited = if item.edited_at.is_some() { ", edited" } else { "" };
        let posted = output::time(item.posted_at);
        let posted = posted.split('.').next().unwrap_or_default().replace('T', " ");
        let name = format!("@{}", item.username);
        output::styled(&[Bold(&name), Plain("  "), Dim(&format!("{posted}{edited}"))])?;
        output::line(wrap(&item.content))?;
    }
    Ok(())
}

/// Text in lines of a readable width.
fn wrap(text: &str) -> String {
    let mut paper = Paper::of_width(2 + WIDTH);
    paper.line(2, &text.split_whitespace().collect::<Vec<_>>().join(" "));
    paper.text()
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn long_texts_are_broken_and_escapes_written_out() {
        let text = wrap(&"word ".repeat(40));
        assert!(text.lines().count() == 3 && text.lines().all(|line| line.chars().count() <= 78), "{text}");
        assert_eq!(wrap("a\x1b[31mb\nc"), "  a\\u{1b}[31mb c");
        assert!(wrap(&"日本".repeat(100)).lines().all(|line| line.chars().count() <= 40));
    }
}
