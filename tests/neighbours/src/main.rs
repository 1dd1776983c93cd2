//! Every role and tool, for two domains of which one depends on the other, and one whose commands hold secrets.

use std::process::ExitCode;

use millrace::App;
use millrace_testkit::neighbours::{Clubs, People, Vault};

fn main() -> ExitCode {
    App::new().domain::<Clubs>().domain::<People>().domain::<Vault>().run()
}
