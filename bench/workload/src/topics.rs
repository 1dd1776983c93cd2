//! The topics of accounting as `millrace topics apply` makes them, with any number of partitions.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use millrace_domain_accounting::messages::SCHEMAS;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde::Deserialize;
use serde_json::json;

use crate::error::{Failure, kafka};
use crate::servers::{PATIENCE, Servers};

#[derive(Deserialize)]
struct Declaration {
    topics: BTreeMap<String, Topic>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Topic {
    config: BTreeMap<String, String>,
}

/// Makes every declared topic with this number of partitions.
///
/// # Errors
/// Topics that are there already, or a broker that does not answer.
pub fn make(servers: &Servers, partitions: i32) -> Result<serde_json::Value, Failure> {
    let declared: Declaration =
        toml::from_str(SCHEMAS.topics).map_err(|error| Failure::Declaration(error.to_string()))?;
    let names: Vec<String> = declared.topics.keys().map(|suffix| servers.topic(suffix)).collect();
    let wanted: Vec<NewTopic<'_>> = names
        .iter()
        .zip(declared.topics.values())
        .map(|(name, topic)| {
            let plain = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
            topic.config.iter().fold(plain, |topic, (key, value)| topic.set(key, value))
        })
        .collect();
    let admin: AdminClient<DefaultClientContext> =
        servers.client().create().map_err(kafka("make an admin client"))?;
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let made = block_on(admin.create_topics(&wanted, &options)).map_err(kafka("make the topics"))?;
    for result in made {
        result.map_err(|(topic, code)| Failure::Topic { topic, why: code.to_string() })?;
    }
    // registered here as well, so that nothing of it falls into what is measured
    servers.commands()?;
    servers.events()?;
    servers.states()?;
    servers.outcomes()?;
    Ok(json!({ "topics": names, "partitions": partitions }))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future that another thread completes: the admin client has no other way to answer.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(std::sync::Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park();
    }
}
