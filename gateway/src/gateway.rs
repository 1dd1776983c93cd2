//! The gateway: its domains, and what serves them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use millrace_ports::{Clock, Log};
use millrace_runtime::metrics::GatewayMeter;
use millrace_runtime::{Health, Stop};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::auth::Authenticator;
use crate::documents::Described;
use crate::front::{Front, Limits};
use crate::http::problem::{Problem, UNKNOWN};
use crate::http::{measured, router};
use crate::log::Channel;
use crate::message::short;
use crate::nearest::suggestion;
use crate::pages::PageFile;
use crate::ports::{CommandSender, Description, DomainLink, Operations, Resource, ViewDescription};
use crate::seal::PublicKeys;
use crate::sign_in::SignIns;
use crate::token::ResumeKey;
use crate::view::{Neighbours, Tables, check_neighbours};

/// So many read from tables at once, or wait until these show something; further ones wait for a place.
const READERS: usize = 1_024;

/// So many search topics for operators at once.
const SEARCHES: usize = 2;

/// What a gateway is made of.
pub struct Parts {
    /// Its domains, each with the way to it.
    pub domains: Vec<(Description, Arc<dyn DomainLink>)>,
    /// What they have of their own, each with the domain's name.
    pub resources: Vec<(&'static str, Arc<dyn Resource>)>,
    /// The pages for people, if it has any.
    pub pages: &'static [PageFile],
    /// What operators ask about the whole.
    pub operations: Arc<dyn Operations>,
    /// Where outcomes come from.
    pub log: Arc<dyn Log>,
    /// Where commands go.
    pub sender: Arc<dyn CommandSender>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How it is known who asks.
    pub authenticator: Authenticator,
    /// What is let in, and how much of it.
    pub limits: Limits,
    /// Signs where streams go on.
    pub resume_key: ResumeKey,
    /// For which keys secrets of commands are sealed, if for any.
    pub seals_for: PublicKeys,
    /// What counts.
    pub meter: Arc<GatewayMeter>,
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
    front: Arc<Front>,
    own: Vec<Arc<Own>>,
    readers: Arc<Semaphore>,
    meter: Arc<GatewayMeter>,
    resume_key: ResumeKey,
    seals_for: PublicKeys,
    documents: Documents,
    pages: &'static [PageFile],
    operations: Arc<dyn Operations>,
    /// Of which one is answered at a time: each asks every server for much.
    looks: Arc<Semaphore>,
    /// Those who search topics.
    searches: Arc<Semaphore>,
    sockets: Sockets,
    sign_ins: SignIns,
    clock: Arc<dyn Clock>,
    ending: watch::Receiver<bool>,
}

/// How many sockets are open.
#[derive(Clone, Default)]
pub(crate) struct Sockets(Arc<watch::Sender<usize>>);

/// One that is open, until it is dropped.
pub(crate) struct Opened(Sockets);

impl Sockets {
    /// Counts one more.
    pub(crate) fn opened(&self) -> Opened {
        self.0.send_modify(|count| *count += 1);
        Opened(self.clone())
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

/// What is said of all this to programs.
pub(crate) struct Documents {
    pub(crate) openapi: Bytes,
    pub(crate) asyncapi: Bytes,
}

/// Something of a domain's own.
pub(crate) struct Own {
    pub(crate) channel: Arc<Channel>,
    pub(crate) resource: Arc<dyn Resource>,
    /// Those that fill the views which it is read from.
    pub(crate) projections: Vec<String>,
}

impl Gateway {
    /// A gateway of these parts; nothing is asked of any server yet.
    ///
    /// # Errors
    /// Limits that mean nothing, or let in whom they should not; a view whose readers another domain is to name that is not
    /// here.
    pub fn new(parts: Parts) -> Result<Self, String> {
        let Parts {
            domains,
            resources,
            pages,
            operations,
            log,
            sender,
            clock,
            authenticator,
            limits,
            resume_key,
            seals_for,
            meter,
            ending,
        } = parts;
        check_neighbours(domains.iter().map(|(description, _)| description))?;
        let documents = documents(&domains, &resources, &authenticator);
        let front = Arc::new(Front::new(authenticator, limits)?);
        let channel = |(description, link): (Description, Arc<dyn DomainLink>)| {
            let name = description.name;
            let (log, sender, clock) = (Arc::clone(&log), Arc::clone(&sender), Arc::clone(&clock));
            (name, Arc::new(Channel::new(description, link, log, sender, clock)))
        };
        let channels: BTreeMap<_, _> = domains.into_iter().map(channel).collect();
        let own = resources.into_iter().filter_map(|(domain, resource)| {
            let channel = Arc::clone(channels.get(domain)?);
            let views = channel.description.views.iter();
            let read = views.filter(|view| resource.views().contains(&view.table.name.as_str()));
            let projections: BTreeSet<String> = read.map(|view| view.projection.clone()).collect();
            Some(Arc::new(Own { channel, resource, projections: projections.into_iter().collect() }))
        });
        let own = own.collect();
        let readers = Arc::new(Semaphore::new(READERS));
        let sockets = Sockets::default();
        let inner = Inner {
            channels,
            own,
            readers,
            meter,
            resume_key,
            seals_for,
            front,
            documents,
            pages,
            operations,
            looks: Arc::new(Semaphore::new(1)),
            searches: Arc::new(Semaphore::new(SEARCHES)),
            sockets,
            sign_ins: SignIns::default(),
            clock,
            ending,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Everything that it answers.
    pub fn router(&self) -> Router {
        measured(self.inner.front.before(router(self.clone())), Arc::clone(&self.inner.meter))
    }

    /// What is to run beside it, each on a thread of its own that ends with `stop`: the reader of the outcomes of a domain,
    /// by its thread's name.
    pub fn followers(&self) -> impl Iterator<Item = (String, impl FnOnce(&Health, &Stop) + Send + 'static)> {
        self.inner.channels.values().cloned().map(|channel| {
            let name = format!("{}.gateway", channel.description.name);
            (name, move |health: &Health, stop: &Stop| channel.follow(health, stop))
        })
    }

    /// The same for streams: the reader of the changes of a domain, where a view can be subscribed to.
    pub fn changes(&self) -> impl Iterator<Item = (String, impl FnOnce(&Health, &Stop) + Send + 'static)> {
        let live = self.inner.channels.values().filter(|channel| channel.live_families().next().is_some());
        live.cloned().map(|channel| {
            let name = format!("{}.changes", channel.description.name);
            (name, move |health: &Health, stop: &Stop| channel.follow_changes(health, stop))
        })
    }

    /// What else is to run beside it in the same way: the readers of the keys by which it is known who asks.
    pub fn keepers(&self) -> impl Iterator<Item = (String, impl FnOnce(&Health, &Stop) + Send + 'static)> {
        self.inner.front.authenticator().keepers()
    }

    /// Returns when no socket is open: connections that were made sockets are no server's any more, and close by themselves, soon,
    /// when the gateway ends.
    pub async fn closed(&self) {
        let mut count = self.inner.sockets.0.subscribe();
        // the sender is this gateway's own
        drop(count.wait_for(|count| *count == 0).await);
    }

    pub(crate) fn channels(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.inner.channels.values()
    }

    pub(crate) fn sign_ins(&self) -> &SignIns {
        &self.inner.sign_ins
    }

    pub(crate) fn sockets(&self) -> &Sockets {
        &self.inner.sockets
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    pub(crate) fn front(&self) -> &Front {
        &self.inner.front
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.inner.front.limits()
    }

    pub(crate) fn documents(&self) -> &Documents {
        &self.inner.documents
    }

    pub(crate) fn pages(&self) -> &'static [PageFile] {
        self.inner.pages
    }

    /// What operators ask about the whole, once it is one's turn, and the turn: looks and searches do not wait for each other.
    pub(crate) async fn operations(&self, is_search: bool) -> (Arc<dyn Operations>, OwnedSemaphorePermit) {
        let turns = if is_search { &self.inner.searches } else { &self.inner.looks };
        let turn = match Arc::clone(turns).acquire_owned().await {
            Ok(turn) => turn,
            // nobody closes it
            Err(_) => std::future::pending().await,
        };
        (Arc::clone(&self.inner.operations), turn)
    }

    pub(crate) fn own(&self) -> &[Arc<Own>] {
        &self.inner.own
    }

    /// A place among those who read from tables.
    pub(crate) async fn readers(&self) -> OwnedSemaphorePermit {
        match Arc::clone(&self.inner.readers).acquire_owned().await {
            Ok(permit) => permit,
            // nobody closes it
            Err(_) => std::future::pending().await,
        }
    }

    pub(crate) fn resume_key(&self) -> &ResumeKey {
        &self.inner.resume_key
    }

    pub(crate) fn seals_for(&self) -> &PublicKeys {
        &self.inner.seals_for
    }

    pub(crate) fn meter(&self) -> &GatewayMeter {
        &self.inner.meter
    }

    pub(crate) fn shared_meter(&self) -> Arc<GatewayMeter> {
        Arc::clone(&self.inner.meter)
    }

    pub(crate) fn ending(&self) -> watch::Receiver<bool> {
        self.inner.ending.clone()
    }

    /// The domain of that name.
    pub(crate) fn channel(&self, domain: &str) -> Result<&Arc<Channel>, Problem> {
        self.inner.channels.get(domain).ok_or_else(|| {
            let near = suggestion(domain, self.inner.channels.keys().copied());
            Problem::new(UNKNOWN, format!("There is no domain {}{near}", short(domain)))
        })
    }
}

impl Neighbours for Gateway {
    fn views(&self, domain: &str) -> Option<&[Arc<ViewDescription>]> {
        self.inner.channels.get(domain).map(|channel| channel.description.views.as_slice())
    }

    fn tables(&self, domain: &str) -> Option<Tables> {
        self.inner.channels.get(domain).map(|channel| Tables::of(Arc::clone(&channel.link)))
    }
}

fn documents(
    domains: &[(Description, Arc<dyn DomainLink>)],
    resources: &[(&'static str, Arc<dyn Resource>)],
    authenticator: &Authenticator,
) -> Documents {
    let domains: Vec<&Description> = domains.iter().map(|(description, _)| description).collect();
    let described = Described { domains: &domains, resources, authenticator };
    Documents { openapi: described.openapi().into(), asyncapi: described.asyncapi().into() }
}
