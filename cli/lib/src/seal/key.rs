//! `millrace seal-key`: a pair of keys, the public one for gateways and senders, the private one for who unseals.

use millrace_gateway::message::SETTING;
use millrace_gateway::seal::KeyPair;

use crate::args::SealKey;
use crate::config::layers::variable;
use crate::error::CliError;
use crate::key_files::{PRIVATE, PUBLIC, create, public_of};
use crate::{foreign, output};

/// What is said of a file that is there already.
const TAKEN: &str = "What was sealed for a key can be opened with that key alone, so none is overwritten. Choose another name.";

/// Makes both files, and prints how gateways get to know the public key.
///
/// # Errors
/// A file that is there already, or cannot be written.
pub fn run(chosen: &SealKey) -> Result<(), CliError> {
    let (file, public) = (&chosen.key, public_of(&chosen.key));
    if public.exists() {
        return Err(CliError::failed(format!("{}: it is there already", public.display())).hint(TAKEN));
    }
    let pair = KeyPair::generate();
    create(file, PRIVATE, pair.private_file().as_bytes(), TAKEN)?;
    create(&public, PUBLIC, pair.public_file().as_bytes(), TAKEN)?;
    let absolute = std::path::absolute(&public).unwrap_or(public);
    foreign::say(format!(
        "made the key {}, which opens what is sealed and belongs to who unseals, and its public key {}. Gateways and senders \
         get to know it by",
        file.display(),
        absolute.display(),
    ));
    output::line(format!("{}={}", variable(SETTING), absolute.display()))
}
