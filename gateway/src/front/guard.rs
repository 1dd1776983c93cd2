//! Keeps web pages out that nobody has let in. A page whose name was made to lead here (DNS rebinding) still says that name
//! in `Host`; a page of another origin says its own in `Origin`, whatever the browser would show it of the answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::Request;
use axum::http::{Version, header, uri};

use crate::http::problem::{BAD_PARAMETER, FOREIGN_HOST, FOREIGN_ORIGIN, Problem};
use crate::message::short;

/// Which names and which pages are let in.
pub(super) struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Guard {
    /// For a gateway with these names that these origins may ask; `is_open`: nobody is asked for a name.
    ///
    /// # Errors
    /// An origin that is none, or one that is not of this machine where nobody is asked for a name.
    pub(super) fn new(hosts: &[String], origins: &[String], is_open: bool) -> Result<Self, String> {
        let origins = origins.iter().map(|given| {
            let origin = Origin::read(given).ok_or_else(|| {
                format!("{given:?} is no origin; write it as https://app.example.org, with its port where it has one")
            })?;
            match is_open && !origin.is_here() {
                true => Err(format!(
                    "pages of {given} would act for whoever has them open, as nobody is asked for a name; without names \
                     only pages of this machine are let in"
                )),
                false => Ok(given.trim().to_ascii_lowercase()),
            }
        });
        let hosts =
            hosts.iter().map(|host| name_of(host).trim_end_matches('.').to_ascii_lowercase()).collect();
        Ok(Self { hosts, origins: origins.collect::<Result<_, String>>()? })
    }

    /// Origins whose pages may ask.
    pub(super) fn origins(&self) -> &[String] {
        &self.origins
    }

    /// Why this is not let in.
    pub(super) fn refusal(&self, request: &Request) -> Option<Problem> {
        let (uri, headers) = (request.uri(), request.headers());
        let hosts: Vec<&str> =
            headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or("?")).collect();
        if hosts.is_empty() && uri.authority().is_none() && request.version() >= Version::HTTP_11 {
            return Some(Problem::new(
                BAD_PARAMETER,
                "Host is missing: a request says whom it asks (RFC 9112, section 3.2).",
            ));
        }
        let named = hosts.iter().copied().chain(uri.authority().map(uri::Authority::as_str));
        if let Some(host) = named.into_iter().find(|host| !self.knows(host)) {
            let detail = format!(
                "Host says {}, which is no name of this gateway. Its operator sets gateway.hosts.",
                short(host)
            );
            return Some(Problem::new(FOREIGN_HOST, detail));
        }
        let mut origins = headers.get_all(header::ORIGIN).iter().map(|origin| origin.to_str().unwrap_or("?"));
        if let Some(origin) = origins.find(|origin| !self.admits(origin, hosts.first().copied())) {
            let detail = format!(
                "Pages of {} may not ask here. The operator of the gateway sets gateway.origins.",
                short(origin)
            );
            return Some(Problem::new(FOREIGN_ORIGIN, detail));
        }
        // what a page loads without asking first says no origin; to follow a link is another thing
        let is = |name: &str, value: &str| headers.get(name).is_some_and(|given| given == value);
        let is_of_others = is("sec-fetch-site", "cross-site") || is("sec-fetch-site", "same-site");
        let is_loaded = is_of_others && !is("sec-fetch-mode", "navigate");
        (is_loaded && !headers.contains_key(header::ORIGIN))
            .then(|| Problem::new(FOREIGN_ORIGIN, "Pages of other origins may not load this."))
    }

    /// Whether the gateway has this name: an address, `localhost`, or one that was set.
    fn knows(&self, host: &str) -> bool {
        let name = name_of(host).trim_end_matches('.').to_ascii_lowercase();
        // no page has the name of an address unless it comes from there
        address(&name).is_some() || name == "localhost" || self.hosts.contains(&name)
    }

    /// Whether pages of this origin may ask the gateway that was called by this name.
    fn admits(&self, origin: &str, host: Option<&str>) -> bool {
        let is_own = || {
            let (Some(origin), Some(host)) = (Origin::read(origin), host) else { return false };
            let host = host.to_ascii_lowercase();
            origin.authority == host || origin.authority == host.trim_end_matches(origin.usual_port())
        };
        self.origins.iter().any(|known| origin.eq_ignore_ascii_case(known)) || is_own()
    }
}

/// A scheme and an authority, in small letters.
struct Origin {
    scheme: String,
    authority: String,
}

impl Origin {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let (scheme, authority) = text.split_once("://")?;
        let is_good = matches!(scheme, "http" | "https")
            && !authority.is_empty()
            && !authority.contains(['/', '?', '#', '@', ',', '*', ' '])
            && authority.parse::<uri::Authority>().is_ok();
        is_good.then(|| Self { scheme: scheme.to_owned(), authority: authority.to_owned() })
    }

    fn usual_port(&self) -> &'static str {
        if self.scheme == "https" { ":443" } else { ":80" }
    }

    /// Whether its pages come from this machine.
    fn is_here(&self) -> bool {
        let name = name_of(&self.authority);
        name == "localhost" || address(name).is_some_and(|address| address.is_loopback())
    }
}

fn address(name: &str) -> Option<IpAddr> {
    let v6 = name.strip_prefix('[').and_then(|it| it.strip_suffix(']')).map(str::parse::<Ipv6Addr>);
    match v6 {
        Some(v6) => v6.ok().map(IpAddr::V6),
        None => name.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// The name in a `Host`, without its port.
fn name_of(host: &str) -> &str {
    match (host.starts_with('['), host.find(']')) {
        (true, Some(end)) => &host[..=end],
        _ => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}
