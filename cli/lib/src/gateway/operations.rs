//! What the gateway tells operators about the whole.

use std::sync::{Arc, Mutex, PoisonError};

use millrace_gateway::ports::{Operations, Trouble};
use serde_json::Value as Json;

use crate::architecture::draw;
use crate::architecture::live::LivePicture;
use crate::config::Config;
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::error::CliError;

/// Looks when it is asked, and remembers the look before for rates.
pub struct Looks {
    config: Config,
    picture: Mutex<LivePicture>,
}

impl Looks {
    /// For these domains; nothing is asked of any server yet.
    ///
    /// # Errors
    /// Settings, tables or topics of a domain that are wrong.
    pub fn new(config: &Config, domains: &[Box<dyn DomainEntry>]) -> Result<Arc<Self>, CliError> {
        let picture = Mutex::new(LivePicture::of(draw(&Servers::new(config), domains)?));
        Ok(Arc::new(Self { config: config.clone(), picture }))
    }
}

impl Operations for Looks {
    fn architecture(&self) -> Result<Json, Trouble> {
        let mut picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = picture.look(&Servers::new(&self.config)).map_err(|error| Trouble(error.text()))?;
        serde_json::to_value(drawn).map_err(|error| Trouble(error.to_string()))
    }
}
