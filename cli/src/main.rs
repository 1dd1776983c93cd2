//! The millrace binary: every role and tool, for the domains of this repository.

use std::process::ExitCode;

use millrace::{App, domain};
use millrace_domain_chirp::{Chirp, Settings as ChirpSettings};

fn main() -> ExitCode {
    App::new()
        .domain(
            domain::<Chirp>().checked_by(|settings: &ChirpSettings| {
                settings.validate().map_err(|error| error.to_string())
            }),
        )
        .run()
}
