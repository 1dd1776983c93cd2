//! `millrace query`: rows of a view.

use millrace_gateway::view::{self, From, KeyProblem};

use crate::args;
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::gateway::HttpClient;
use crate::{output, views};

/// Rows that a gateway is asked for at once.
const PAGE: usize = 1_000;

/// Runs `millrace query`.
///
/// # Errors
/// Wrong usage, or tables that do not answer.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    query: &args::Query,
) -> Result<(), CliError> {
    let found = views::find(domains, servers.config, &query.view)?;
    // one more than is shown: whoever works through all rows must know that these are not all
    let (mut shown, asked) = (0, query.limit.saturating_add(1));
    let mut is_shown = || {
        shown += 1;
        if shown == asked {
            eprintln!("there are more rows than these; --limit shows more");
        }
        shown < asked
    };
    if let Some(url) = &query.http {
        let path = format!("/v1/views/{}/{}", found.entry.name(), found.table.name);
        let given = conditions(&query.conditions)?;
        return HttpClient::new(url, &servers.config.settings.http_token_file)?.rows(
            &path,
            &given,
            None,
            PAGE,
            asked,
            &mut |row| if is_shown() { output::json(&row) } else { Ok(()) },
        );
    }
    let key = view::key(&found.table, &conditions(&query.conditions)?, true)?;
    let store = servers.open_store(found.entry)?;
    view::read::<CliError>(&*store, &found.table, From::key(key, None), asked, &mut |row| {
        if is_shown() { output::json(&output::row(&found.table, row)) } else { Ok(()) }
    })
}

/// `column=value …` as names and values.
///
/// # Errors
/// One that is not written so.
pub fn conditions(given: &[String]) -> Result<Vec<(&str, &str)>, CliError> {
    let parts = |condition: &'_ String| CliError::usage(format!("{condition:?} is not KEY=VALUE"));
    given.iter().map(|condition| condition.split_once('=').ok_or_else(|| parts(condition))).collect()
}

impl std::convert::From<KeyProblem> for CliError {
    fn from(problem: KeyProblem) -> Self {
        let error = Self::usage(problem.message);
        match problem.help {
            Some(help) => error.hint(help),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_name_and_a_value() {
        let given = ["a=1".to_owned(), "b=c=d".to_owned()];
        assert_eq!(conditions(&given).unwrap(), [("a", "1"), ("b", "c=d")]);
        assert!(conditions(&["a".to_owned()]).unwrap_err().to_string().contains("KEY=VALUE"));
    }
}
