//! What the servers of `millrace up` say of themselves, at `/health` and in numbers: a disk that takes no more, and clients
//! that find no place. Whoever connects hears neither from the protocol.

use std::time::Duration;

use millrace_embedded::broker::BrokerHandle;
use millrace_embedded::net::Taken;
use millrace_embedded::registry::RegistryHandle;
use millrace_runtime::Health;
use millrace_runtime::health::ROLE_ITSELF;
use millrace_runtime::metrics::ServerNumbers;
use tokio::runtime::Runtime;

/// The role under which a disk that takes no more is reported.
pub const DISK: &str = "broker.disk";
/// How often it is looked whether somebody found no place.
const LOOK: Duration = Duration::from_secs(1);
/// For how long it is reported that somebody did.
const LATELY: Duration = Duration::from_secs(60);

/// Reports the servers to `health` until the runtime ends.
pub fn report(runtime: &Runtime, broker: &BrokerHandle, registry: &RegistryHandle, health: &Health) {
    let mut refusing = broker.refusing();
    let told = health.clone();
    runtime.spawn(async move {
        loop {
            let now = refusing.borrow_and_update().clone();
            match now {
                Some(refusing) => told.fault(
                    DISK,
                    ROLE_ITSELF,
                    refusing.why,
                    "what cannot be written is refused, clients try again, and nothing is lost. What you can do: make room \
                     on that disk; all goes on by itself then",
                ),
                None => told.remove(DISK, ROLE_ITSELF),
            }
            if refusing.changed().await.is_err() {
                return;
            }
        }
    });
    connections(runtime, "broker", broker.connections(), health);
    connections(runtime, "registry", registry.connections(), health);
}

fn connections(
    runtime: &Runtime,
    server: &'static str,
    look: impl Fn() -> Taken + Clone + Send + Sync + 'static,
    health: &Health,
) {
    let asked = look.clone();
    health.metrics().serve(move || numbers(server, &asked()));
    let (health, role) = (health.clone(), format!("{server}.connections"));
    runtime.spawn(async move {
        let mut is_said = false;
        loop {
            let words = crowded(server, &look());
            match &words {
                Some((what, next)) => health.fault(&role, ROLE_ITSELF, what.as_str(), next.as_str()),
                None if is_said => health.remove(&role, ROLE_ITSELF),
                None => {}
            }
            is_said = words.is_some();
            tokio::time::sleep(LOOK).await;
        }
    });
}

fn numbers(server: &'static str, taken: &Taken) -> ServerNumbers {
    ServerNumbers {
        server,
        connections: taken.connections as u64,
        allowed: taken.most as u64,
        refused: taken.turned_away.refused,
        closed: taken.turned_away.closed,
    }
}

/// What there is to say when somebody found no place lately, and what follows from it.
fn crowded(server: &str, taken: &Taken) -> Option<(String, String)> {
    let turned_away = &taken.turned_away;
    turned_away.last.filter(|last| last.elapsed() < LATELY)?;
    let what = format!(
        "the {server} has too many {}: {} of {} connections are taken; since the start {} newcomers were refused, and {} \
         connections that asked nothing were closed for others",
        turned_away.short, taken.connections, taken.most, turned_away.refused, turned_away.closed
    );
    let more = match turned_away.short {
        "connections" => "raise up.max_connections",
        _ => "raise the limit of open files (ulimit -n, LimitNOFILE of systemd)",
    };
    let next = format!(
        "newcomers take the places of those who ask nothing; clients that find none take the {server} for down, and try \
         again. What you can do: find out who connects (ss -tnp), or {more}"
    );
    Some((what, next))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use millrace_embedded::net::TurnedAway;

    use super::*;

    #[test]
    fn who_found_no_place_is_said_while_it_is_news() {
        let taken = |last, short| Taken {
            connections: 20,
            most: 20,
            turned_away: TurnedAway { refused: 3, closed: 5, last, short },
        };
        assert_eq!(crowded("broker", &taken(None, "")), None);
        let long_ago = Instant::now().checked_sub(LATELY * 2);
        assert_eq!(crowded("broker", &taken(long_ago, "connections")).filter(|_| long_ago.is_some()), None);
        let (what, next) = crowded("broker", &taken(Some(Instant::now()), "connections")).unwrap();
        assert!(what.contains("too many connections: 20 of 20") && what.contains("3 newcomers"), "{what}");
        assert!(next.contains("up.max_connections"), "{next}");
        let (what, next) = crowded("broker", &taken(Some(Instant::now()), "open files")).unwrap();
        assert!(what.contains("too many open files") && next.contains("ulimit -n"), "{what} {next}");
    }
}
