//! The millrace binary: every role and tool, for the domains of this repository.

use std::process::ExitCode;

use millrace::App;
use millrace_domain_accounting::Accounting;
use millrace_domain_chirp::Chirp;

fn main() -> ExitCode {
    App::new()
        .checked_domain::<Chirp>(|settings| settings.validate().map_err(|error| error.to_string()))
        .domain::<Accounting>()
        .run()
}
