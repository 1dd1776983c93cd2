//! The gateway: its domains, and what serves them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use millrace_ports::{Clock, Log};
use millrace_runtime::{Health, Stop};
use tokio::sync::watch;

use crate::auth::Authenticator;
use crate::documents::Described;
use crate::http::problem::{Problem, UNKNOWN};
use crate::http::router;
use crate::log::Channel;
use crate::message::short;
use crate::nearest::suggestion;
use crate::ports::{CommandSender, Description, DomainLink};

/// What a gateway is made of.
pub struct Parts {
    /// Its domains, each with the way to it.
    pub domains: Vec<(Description, Arc<dyn DomainLink>)>,
    /// Where outcomes come from.
    pub log: Arc<dyn Log>,
    /// Where commands go.
    pub sender: Arc<dyn CommandSender>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How it is known who asks.
    pub authenticator: Authenticator,
    /// Becomes true when it is to end: those who wait are then answered soon.
    pub ending: watch::Receiver<bool>,
}

/// Commands and queries for those who speak HTTP. A clone is the same gateway.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    channels: BTreeMap<&'static str, Arc<Channel>>,
    authenticator: Authenticator,
    documents: Documents,
    ending: watch::Receiver<bool>,
}

/// What is said of all this to programs.
pub(crate) struct Documents {
    pub(crate) openapi: Bytes,
    pub(crate) asyncapi: Bytes,
}

impl Gateway {
    /// A gateway of these parts; nothing is asked of any server yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { domains, log, sender, clock, authenticator, ending } = parts;
        let channel = |(description, link): (Description, Arc<dyn DomainLink>)| {
            let name = description.name;
            let (log, sender, clock) = (Arc::clone(&log), Arc::clone(&sender), Arc::clone(&clock));
            (name, Arc::new(Channel::new(description, link, log, sender, clock)))
        };
        let documents = documents(&domains, &authenticator);
        let channels = domains.into_iter().map(channel).collect();
        Self { inner: Arc::new(Inner { channels, authenticator, documents, ending }) }
    }

    /// Everything that it answers.
    #[must_use]
    pub fn router(&self) -> Router {
        router(self.clone())
    }

    /// What is to run beside it, each on a thread of its own that ends with `stop`: the reader of the outcomes of a domain,
    /// by its thread's name.
    pub fn followers(&self) -> impl Iterator<Item = (String, impl FnOnce(&Health, &Stop) + Send + 'static)> {
        self.inner.channels.values().cloned().map(|channel| {
            let name = format!("{}.gateway", channel.description.name);
            (name, move |health: &Health, stop: &Stop| channel.follow(health, stop))
        })
    }

    pub(crate) fn authenticator(&self) -> &Authenticator {
        &self.inner.authenticator
    }

    pub(crate) fn documents(&self) -> &Documents {
        &self.inner.documents
    }

    pub(crate) fn ending(&self) -> watch::Receiver<bool> {
        self.inner.ending.clone()
    }

    /// The domain of that name.
    pub(crate) fn channel(&self, domain: &str) -> Result<&Arc<Channel>, Problem> {
        self.inner.channels.get(domain).ok_or_else(|| {
            let near = suggestion(domain, self.inner.channels.keys().copied());
            Problem::new(UNKNOWN, format!("There is no domain {}{near}.", short(domain)))
        })
    }
}

fn documents(domains: &[(Description, Arc<dyn DomainLink>)], authenticator: &Authenticator) -> Documents {
    let domains: Vec<&Description> = domains.iter().map(|(description, _)| description).collect();
    let described = Described { domains: &domains, authenticator };
    Documents { openapi: described.openapi().into(), asyncapi: described.asyncapi().into() }
}
