//! Every role and tool, for two domains of which one depends on the other.

use std::process::ExitCode;

use millrace::App;
use millrace_testkit::neighbours::{Clubs, People};

fn main() -> ExitCode {
    App::new().domain::<Clubs>().domain::<People>().run()
}
