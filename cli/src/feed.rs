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
use crate::output;

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
        (Some(last), false) => output::line(output::dim(&format!(
            "There is more: millrace feed {} --cursor {}",
            feed.user_id, last.cursor
        ))),
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
        let name = output::bold(&format!("@{}", item.username));
        output::line(format!("{name}  {}", output::dim(&format!("{posted}{edited}"))))?;
        for line in wrap(&item.content) {
            output::line(format!("  {line}"))?;
        }
    }
    Ok(())
}

/// Text in lines of a readable width, free of control characters that a terminal would obey.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut width = 0;
    for word in text.split_whitespace() {
        let word: String = word.chars().filter(|letter| !letter.is_control()).collect();
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            lines.push(String::new());
            width = 0;
        }
        if let Some(line) = lines.last_mut() {
            if width > 0 {
                line.push(' ');
                width += 1;
            }
            line.push_str(&word);
            width += length;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn long_texts_are_broken_and_escapes_taken_out() {
        let lines = wrap(&"word ".repeat(40));
        assert!(lines.len() == 3 && lines.iter().all(|line| line.chars().count() <= 76));
        assert_eq!(wrap("a\x1b[31mb"), ["a[31mb"]);
    }
}
