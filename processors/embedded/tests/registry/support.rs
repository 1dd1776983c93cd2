//! A registry for one test, and a short way to ask it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use millrace_embedded::registry::{Registry, RegistryConfig, RegistryError, RegistryHandle};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A registry on a port of its own, served by threads of its own, so that tests can use blocking clients.
pub struct TestRegistry {
    runtime: Runtime,
    handle: Option<RegistryHandle>,
    client: reqwest::blocking::Client,
}

/// On loopback, any port.
pub fn config(dir: Option<&Path>) -> RegistryConfig {
    RegistryConfig {
        data_dir: dir.map(Path::to_path_buf),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        ..RegistryConfig::default()
    }
}

impl TestRegistry {
    pub fn in_memory() -> Self {
        Self::open(config(None)).unwrap()
    }

    pub fn on_disk(dir: &Path) -> Self {
        Self::open(config(Some(dir))).unwrap()
    }

    pub fn open(config: RegistryConfig) -> Result<Self, RegistryError> {
        let runtime = Runtime::new().unwrap();
        let handle = runtime.block_on(Registry::start(config))?;
        Ok(Self { runtime, handle: Some(handle), client: client() })
    }

    pub fn url(&self) -> String {
        self.handle.as_ref().unwrap().url()
    }

    pub fn shutdown(mut self) {
        let handle = self.handle.take().unwrap();
        self.runtime.block_on(handle.shutdown());
    }

    /// One request: the status and the JSON of the answer.
    pub fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        call(&self.client, &self.url(), method, path, body)
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, None)
    }

    pub fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, Some(body))
    }

    pub fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::PUT, path, Some(body))
    }

    pub fn delete(&self, path: &str) -> (u16, Value) {
        self.call(Method::DELETE, path, None)
    }

    /// Registers a schema and gives its id.
    pub fn register(&self, subject: &str, schema: &str) -> u64 {
        let (status, body) = self.post(&format!("/subjects/{subject}/versions"), json!({"schema": schema}));
        assert_eq!(status, 200, "{body}");
        body["id"].as_u64().unwrap()
    }
}

/// A client that goes to the server itself, whatever proxy the machine has.
pub fn client() -> reqwest::blocking::Client {
    reqwest::blocking::Client::builder().no_proxy().build().unwrap()
}

/// One request: the status and the JSON of the answer.
pub fn call(
    client: &reqwest::blocking::Client,
    url: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let mut request = client.request(method, format!("{url}{path}"));
    if let Some(body) = body {
        request =
            request.body(body.to_string()).header("Content-Type", "application/vnd.schemaregistry.v1+json");
    }
    let response = request.send().unwrap();
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/vnd.schemaregistry.v1+json", "{path}");
    (status, serde_json::from_str(&response.text().unwrap()).unwrap())
}

/// A record `R` with the given fields.
pub fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","namespace":"n","fields":[{fields}]}}"#)
}
