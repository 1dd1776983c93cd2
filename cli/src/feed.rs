//! `millrace feed`: what a reader of chirp sees. Chirp's own subcommand.

use std::sync::Arc;

use clap::{ArgMatches, Args, FromArgMatches as _};
use millrace::config::Config;
use millrace::error::{self, CliError};
use millrace::output::Styled::{Bold, Dim, Plain};
use millrace::output::{self, Paper};
use millrace::{
    DomainEntry, Effect, HttpClient, LiveItem, LiveResource, Resource, ResourceDescription, ResourceFault,
    ResourcePage, Servers, Source, Tool,
};
use millrace_domain_chirp::Settings;
use millrace_domain_chirp::feed::{Cursor, FeedError, FeedItem, FeedPage, MOST_AT_ONCE, Place, feed};
use millrace_domain_chirp::messages::rows::{ChirpsByAuthorRow, FollowingByUserRow};
use millrace_kernel::{Change, Domain, PageQuery, Value};
use millrace_ports::{StoreFault, ViewStore};
use serde_json::{Value as Json, json};

/// Chirps of a page when nobody says.
const USUALLY: usize = 20;
/// How wide a chirp's text is printed.
const WIDTH: usize = 76;

/// `millrace feed`: an unknown user, a wrong cursor and tables that do not answer are errors.
pub struct Feed;

impl Tool for Feed {
    fn name(&self) -> &'static str {
        "feed"
    }

    fn command(&self) -> clap::Command {
        Arguments::augment_args(clap::Command::new(self.name()))
            .about("Show a reader's feed, newest first")
            .after_help("Examples:\n  millrace feed ann\n  millrace feed ann --limit 100 --json")
    }

    fn view(&self) -> Option<&'static str> {
        Some("home_timelines")
    }

    fn resource(&self, config: &Config) -> Result<Option<Arc<dyn Resource>>, CliError> {
        Ok(Some(Arc::new(Feeds { settings: settings(config)? })))
    }

    fn run(
        &self,
        servers: &Servers<'_>,
        domain: &dyn DomainEntry,
        given: &ArgMatches,
    ) -> Result<(), CliError> {
        let arguments = Arguments::from_arg_matches(given);
        show(servers, domain, &arguments.map_err(|error| CliError::usage(error.to_string()))?)
    }
}

/// Its flags.
#[derive(Args, Debug)]
struct Arguments {
    /// The reader
    #[arg(value_name = "USER_ID")]
    user_id: String,
    /// At most so many chirps, up to 800; --cursor goes on behind them
    #[arg(long, value_name = "N", default_value_t = USUALLY, allow_negative_numbers = true, value_parser = chirps)]
    limit: usize,
    /// Go on behind this place, as an earlier call has printed it
    #[arg(long, value_name = "C")]
    cursor: Option<String>,
    /// Ask the gateway at this URL instead of the tables
    #[arg(long, value_name = "URL")]
    http: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// How many chirps a page of a feed may have.
fn chirps(text: &str) -> Result<usize, String> {
    let wanted = text.parse().ok().filter(|wanted| (1..=MOST_AT_ONCE).contains(wanted));
    wanted.ok_or_else(|| {
        format!(
            "a page of a feed has 1 to {MOST_AT_ONCE} chirps; for more, go on with --cursor and the cursor of \
             the last one"
        )
    })
}

fn show(servers: &Servers<'_>, domain: &dyn DomainEntry, feed: &Arguments) -> Result<(), CliError> {
    let cursor = match &feed.cursor {
        None => None,
        Some(text) => {
            let read = text.parse::<Cursor>();
            Some(read.map_err(|error| CliError::usage(format!("--cursor {text}: {error}")))?)
        }
    };
    if let Some(url) = &feed.http {
        return by_http((url, &servers.config.settings.http_token_file), feed);
    }
    let store = servers.open_store(domain)?;
    let page = read(&*store, servers.config, &feed.user_id, cursor.as_ref(), feed.limit)?;
    if feed.json {
        return page.items.iter().try_for_each(|item| output::json(&item_json(item)));
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

/// The same through a gateway, one JSON object a line or the texts alone.
fn by_http((url, token_file): (&str, &str), feed: &Arguments) -> Result<(), CliError> {
    let path = format!("/v1/feeds/{}", HttpClient::encoded(&feed.user_id));
    HttpClient::new(url, token_file)?.rows(
        &path,
        &[],
        feed.cursor.clone(),
        MOST_AT_ONCE,
        feed.limit,
        &mut |item| {
            if feed.json {
                return output::json(&item);
            }
            let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
            print_item(&text("username"), &text("posted_at"), !item["edited_at"].is_null(), &text("content"))
        },
    )
}

/// A chirp as programs read it.
fn item_json(item: &FeedItem) -> Json {
    json!({
        "chirp_id": &*item.chirp_id,
        "author_id": &*item.author_id,
        "username": &*item.username,
        "content": &*item.content,
        "posted_at": output::time(item.posted_at),
        "edited_at": item.edited_at.map(output::time),
        "cursor": item.cursor.to_string(),
    })
}

/// The JSON Schema of that.
fn item_schema() -> Json {
    let text = |doc: &str| json!({"type": "string", "description": doc});
    let time = |kind: Json, doc: &str| json!({"type": kind, "format": "date-time", "description": doc});
    json!({
        "type": "object",
        "description": "A chirp.",
        "properties": {
            "chirp_id": text("The chirp's id, unique among its author's."),
            "author_id": text("The user whose chirp it is."),
            "username": text("The author's name."),
            "content": text("The text as last edited."),
            "posted_at": time(json!("string"), "When it was posted, to the microsecond."),
            "edited_at": time(json!(["string", "null"]), "When it was last edited, if ever."),
            "cursor": text("Goes on after this one."),
        },
        "required": ["chirp_id", "author_id", "username", "content", "posted_at", "edited_at", "cursor"],
    })
}

fn settings(config: &Config) -> Result<Settings, CliError> {
    config.section(millrace_domain_chirp::Chirp::NAME)
}

/// Feeds, for those who ask the gateway: `GET /v1/feeds/{user}`.
struct Feeds {
    settings: Settings,
}

impl Resource for Feeds {
    fn name(&self) -> &'static str {
        "feeds"
    }

    fn views(&self) -> &'static [&'static str] {
        // of both families: who is not there yet has no feed
        &["home_timelines", "user_profiles"]
    }

    fn limits(&self) -> (usize, usize) {
        (MOST_AT_ONCE, USUALLY)
    }

    fn live(&self) -> Option<&dyn LiveResource> {
        Some(self)
    }

    fn description(&self) -> ResourceDescription {
        ResourceDescription {
            summary: "Read a feed",
            about: "All chirps of those whom a user follows that are not deleted, newest first; of one time, the greater chirp \
                    id first, then the greater author id.",
            id: ("user", "The user who reads."),
            item: item_schema(),
        }
    }

    fn read(
        &self,
        tables: &dyn ViewStore,
        id: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ResourcePage, ResourceFault> {
        let cursor = cursor.map(str::parse::<Cursor>).transpose();
        let cursor = cursor.map_err(|error| ResourceFault::Cursor(error.to_string()))?;
        let mut pages = |queries: &[PageQuery]| tables.read(queries);
        let page = feed::<StoreFault>(&mut pages, id, cursor.as_ref(), limit, self.settings.timeline_cap);
        let page = page.map_err(fault)?;
        let cursor = page.items.last().filter(|_| !page.is_last).map(|item| item.cursor.to_string());
        Ok(ResourcePage { items: page.items.iter().map(item_json).collect(), cursor })
    }
}

/// Feeds as they change. What was posted is told by its author's chirps, which are written for celebrities and others alike;
/// so nobody's rising or falling is noticed.
impl LiveResource for Feeds {
    fn name(&self) -> &'static str {
        "feed"
    }

    fn parameter(&self) -> &'static str {
        "user_id"
    }

    fn views(&self) -> &'static [&'static str] {
        &[FollowingByUserRow::TABLE, ChirpsByAuthorRow::TABLE]
    }

    fn limits(&self) -> (usize, usize) {
        (200, USUALLY)
    }

    fn sources(&self, tables: &dyn ViewStore, id: &str) -> Result<Vec<Source>, ResourceFault> {
        let following = Source { view: FollowingByUserRow::TABLE, key: vec![Value::from(id)] };
        let mut query = PageQuery {
            table: following.view.to_owned(),
            key: following.key.clone(),
            after: Vec::new(),
            limit: AUTHORS,
            in_turn: false,
        };
        let mut sources = vec![following];
        loop {
            let pages = tables.read(std::slice::from_ref(&query));
            let pages = pages.map_err(|fault| ResourceFault::Tables(fault.to_string()))?;
            let rows = pages.into_iter().next().unwrap_or_default().rows;
            let authors = rows.iter().filter_map(|row| row.get(1).cloned());
            let before = sources.len();
            sources
                .extend(authors.map(|author| Source { view: ChirpsByAuthorRow::TABLE, key: vec![author] }));
            match rows.last().and_then(|row| row.get(1)) {
                Some(last) if sources.len() - before == AUTHORS => query.after = vec![last.clone()],
                _ => return Ok(sources),
            }
        }
    }

    fn items(
        &self,
        tables: &dyn ViewStore,
        id: &str,
        limit: usize,
        floor: Option<&[Value]>,
    ) -> Result<Vec<LiveItem>, ResourceFault> {
        let (mut items, mut cursor) = (Vec::new(), None);
        loop {
            let most = if floor.is_some() { MOST_AT_ONCE } else { limit };
            let mut pages = |queries: &[PageQuery]| tables.read(queries);
            let page = feed::<StoreFault>(&mut pages, id, cursor.as_ref(), most, self.settings.timeline_cap);
            let page = page.map_err(fault)?;
            let last = page.items.last().map(|item| item.cursor.clone());
            let found = page.items.iter().map(live_item);
            let above = |item: &LiveItem| floor.is_none_or(|floor| *item.place >= *floor);
            let before = items.len();
            items.extend(found.take_while(above));
            let is_over = floor.is_none() || page.is_last || items.len() - before < page.items.len();
            match last.filter(|_| !is_over) {
                Some(last) => cursor = Some(last),
                None => return Ok(items),
            }
        }
    }

    fn effect(&self, change: &Change) -> Effect {
        let columns = change.row.as_ref().unwrap_or(&change.key);
        let value = |name: &str| {
            let found = columns.iter().find(|(column, _)| **column == *name);
            found.map_or(Value::Null, |(_, value)| value.clone())
        };
        if *change.view == *FollowingByUserRow::TABLE {
            let source = Source { view: ChirpsByAuthorRow::TABLE, key: vec![value("followee_id")] };
            return if change.row.is_some() { Effect::Follow(source) } else { Effect::Unfollow(source) };
        }
        let text = |name: &str| match value(name) {
            Value::Text(text) => text.to_string(),
            _ => String::new(),
        };
        let time = |name: &str| match value(name) {
            Value::BigInt(micros) => Some(micros),
            _ => None,
        };
        let (author_id, chirp_id, posted_at) =
            (text("author_id"), text("chirp_id"), time("posted_at").unwrap_or(0));
        if change.row.is_none() {
            return Effect::Gone { place: place(posted_at, &chirp_id, &author_id), source: author_id };
        }
        let (chirp_id, author_id): (Arc<str>, Arc<str>) = (chirp_id.into(), author_id.into());
        let place = Place { posted_at, chirp_id: Arc::clone(&chirp_id), author_id: Arc::clone(&author_id) };
        Effect::Put(live_item(&FeedItem {
            cursor: Cursor { shown: 1, place },
            chirp_id,
            author_id,
            username: text("username").into(),
            content: text("content").into(),
            posted_at,
            edited_at: time("edited_at"),
        }))
    }
}

/// Authors that are read at once.
const AUTHORS: usize = 1_000;

fn place(posted_at: i64, chirp_id: &str, author_id: &str) -> Vec<Value> {
    vec![Value::BigInt(posted_at), Value::from(chirp_id), Value::from(author_id)]
}

fn live_item(item: &FeedItem) -> LiveItem {
    // an item is the same whatever stands in front of it
    let cursor = Cursor { shown: 1, place: item.cursor.place.clone() };
    let item = &FeedItem { cursor, ..item.clone() };
    LiveItem {
        place: place(item.posted_at, &item.chirp_id, &item.author_id),
        source: item.author_id.to_string(),
        key: json!({"author_id": &*item.author_id, "chirp_id": &*item.chirp_id}),
        item: item_json(item),
    }
}

fn fault(error: FeedError<StoreFault>) -> ResourceFault {
    match error {
        FeedError::UnknownUser(_) => ResourceFault::Unknown(error.to_string()),
        other => ResourceFault::Tables(error::chain(&other)),
    }
}

/// A page of the feed of `reader`.
///
/// # Errors
/// An unknown user, or tables that do not answer.
fn read(
    store: &dyn ViewStore,
    config: &Config,
    reader: &str,
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<FeedPage, CliError> {
    let settings = settings(config)?;
    let mut pages = |queries: &[PageQuery]| store.read(queries);
    let page = feed::<StoreFault>(&mut pages, reader, cursor, limit, settings.timeline_cap);
    page.map_err(|error| match error {
        FeedError::UnknownUser(user) => CliError::failed(format!("there is no user {user}"))
            .hint("`millrace query user_profiles --limit 10` shows some who are there."),
        other => CliError::failed(error::chain(&other)),
    })
}

/// Prints chirps for a person.
///
/// # Errors
/// Standard output cannot be written.
fn print(items: &[FeedItem]) -> Result<(), CliError> {
    for item in items {
        print_item(&item.username, &output::time(item.posted_at), item.edited_at.is_some(), &item.content)?;
    }
    Ok(())
}

/// Prints one.
fn print_item(username: &str, posted_at: &str, is_edited: bool, content: &str) -> Result<(), CliError> {
    let edited = if is_edited { ", edited" } else { "" };
    let posted = posted_at.split('.').next().unwrap_or_default().replace('T', " ");
    let name = format!("@{username}");
    output::styled(&[Bold(&name), Plain("  "), Dim(&format!("{posted}{edited}"))])?;
    output::line(wrap(content))
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
