//! Keeps web pages out. A browser on a machine that reaches the registry sends what any page wants, with two limits: what
//! a page may send without asking first has one of three content types, or none; and a page whose name was made to lead
//! here (DNS rebinding) still says that name in `Host`.

use std::net::Ipv6Addr;
use std::sync::Arc;

use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::Response;

use super::http::reply;
use super::refusal::Refusal;

/// What a body may be called, as Confluent's registry has it.
const TYPES: [&str; 4] = [
    "application/vnd.schemaregistry.v1+json",
    "application/vnd.schemaregistry+json",
    "application/json",
    "application/octet-stream",
];

/// Who may call.
#[derive(Debug)]
pub(super) struct Gate {
    hosts: Vec<String>,
}

impl Gate {
    /// For a registry that has these names.
    pub fn new(hosts: &[String]) -> Self {
        Self { hosts: hosts.iter().map(|host| name_of(host).to_ascii_lowercase()).collect() }
    }

    /// Whether the registry may be called by this `Host`: an address, `localhost`, or one of its names.
    fn knows(&self, host: &str) -> bool {
        let name = name_of(host).trim_end_matches('.').to_ascii_lowercase();
        let is_v6 = name
            .strip_prefix('[')
            .and_then(|it| it.strip_suffix(']'))
            .is_some_and(|it| it.parse::<Ipv6Addr>().is_ok());
        // No page has the name of an address unless it comes from there.
        let is_v4 = name.parse::<std::net::Ipv4Addr>().is_ok();
        is_v4 || is_v6 || name == "localhost" || self.hosts.contains(&name)
    }

    fn refusal(&self, request: &Request) -> Option<Refusal> {
        let named = request.headers().get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or("?"));
        let named = named.chain(request.uri().authority().map(|it| it.as_str()));
        if let Some(host) = named.into_iter().find(|host| !self.knows(host)) {
            return Some(Refusal::foreign_host(host));
        }
        if matches!(*request.method(), Method::GET | Method::HEAD)
            || request.body().is_end_stream() && request.method() == Method::DELETE
        {
            return None;
        }
        let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or("?"));
        let bare = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        (!TYPES.contains(&bare.as_str())).then(|| Refusal::unsupported_type(kind.unwrap_or("without a type")))
    }
}

/// The name in a `Host`, without its port.
fn name_of(host: &str) -> &str {
    match (host.starts_with('['), host.find(']')) {
        (true, Some(end)) => &host[..=end],
        _ => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Lets a request through or refuses it, before anything of its body is read.
pub(super) async fn check(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    match gate.refusal(&request) {
        Some(refusal) => reply(Err(refusal)),
        None => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_its_own_names_are_known() {
        let gate = Gate::new(&["Registry.example.org".to_owned(), "other:8081".to_owned()]);
        for host in [
            "127.0.0.1:8081",
            "10.1.2.3",
            "[::1]:8081",
            "localhost",
            "LOCALHOST:1",
            "registry.example.org:8081",
            "registry.example.org.",
            "other",
        ] {
            assert!(gate.knows(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8081",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "",
            "[evil]",
            "registry.example.org.evil",
        ] {
            assert!(!gate.knows(host), "{host}");
        }
    }
}
