//! Servers that encrypt, ask for certificates and passwords, and know one user.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::cache::recipe_file;
use crate::{Port, ServiceError, free_port};

/// What a secured server shows of itself, and whom it lets in.
#[derive(Clone, Debug)]
pub struct Secured {
    /// PEM file with the server's private key and certificate.
    pub identity: PathBuf,
    /// PEM file of the authorities whose clients are let in.
    pub authorities: PathBuf,
    /// A user who may do everything. Cassandra begins with one of its own, `cassandra`, in place of this one.
    pub user: String,
    /// The user's password.
    pub password: String,
}

/// What a broker needs to know to serve at a second port, with TLS and SCRAM-SHA-512.
#[derive(Debug)]
pub(crate) struct SecuredListener {
    port: Port,
    secured: Secured,
}

impl SecuredListener {
    pub(crate) fn new(secured: &Secured) -> Result<Self, ServiceError> {
        Ok(Self { port: free_port()?, secured: secured.clone() })
    }

    /// Where clients reach it, by name: certificates are for names.
    pub(crate) fn address(&self) -> String {
        format!("localhost:{}", self.port.number())
    }

    /// Variables of `run-kafka.sh`.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        let Secured { user, password, .. } = &self.secured;
        [
            ("KAFKA_SECURED_PORT", self.port.number().to_string()),
            ("KAFKA_SCRAM", format!("SCRAM-SHA-512=[name={user},password={password}]")),
        ]
    }

    /// Lines of `server.properties`.
    pub(crate) fn properties(&self) -> String {
        let listener = "listener.name.secured";
        let Secured { identity, authorities, .. } = &self.secured;
        [
            format!("{listener}.sasl.enabled.mechanisms=SCRAM-SHA-512"),
            format!(
                "{listener}.scram-sha-512.sasl.jaas.config=\
                 org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            format!("{listener}.ssl.client.auth=required"),
            format!("{listener}.ssl.keystore.type=PEM"),
            format!("{listener}.ssl.keystore.location={}", identity.display()),
            format!("{listener}.ssl.truststore.type=PEM"),
            format!("{listener}.ssl.truststore.location={}", authorities.display()),
            String::new(),
        ]
        .join("\n")
    }
}

/// Writes the configuration of a Cassandra that encrypts and asks who is there.
pub(crate) fn cassandra_yaml(dir: &Path, secured: &Secured) -> Result<PathBuf, ServiceError> {
    let recipe = recipe_file("cassandra/conf/cassandra.yaml");
    let path = dir.join("cassandra.yaml");
    let encryption = format!(
        "
client_encryption_options:
  enabled: true
  optional: false
  require_client_auth: true
  keystore: {}
  truststore: {}
  ssl_context_factory:
    class_name: org.apache.cassandra.security.PEMBasedSslContextFactory
",
        secured.identity.display(),
        secured.authorities.display()
    );
    let write = || -> io::Result<()> {
        let yaml = fs::read_to_string(&recipe)?.replace("AllowAllAuthenticator", "PasswordAuthenticator");
        fs::write(&path, yaml + &encryption)
    };
    write().map_err(ServiceError::io(format!("write {}", path.display())))?;
    Ok(path)
}
