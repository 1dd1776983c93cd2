//! The millrace binary: every role and tool, for the domains of this repository.

mod feed;
mod pages;

use std::process::ExitCode;

use millrace::App;
use millrace_domain_accounting::Accounting;
use millrace_domain_calendar::Calendar;
use millrace_domain_chirp::Chirp;
use millrace_domain_estimation::Estimations;
use millrace_domain_guestbook::Guestbook;
use millrace_domain_identity::Identity;
use millrace_domain_orders::Orders;
use millrace_domain_projects::Projects;

use crate::feed::Feed;

/// Records and states are made on one thread and freed on another by the million, which the
/// system's allocator does poorly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    App::new()
        .checked_domain::<Chirp>(|settings| settings.validate().map_err(|error| error.to_string()))
        .tool(Feed)
        .domain::<Accounting>()
        .domain::<Orders>()
        .domain::<Calendar>()
        .domain::<Guestbook>()
        .domain::<Identity>()
        .domain::<Projects>()
        .domain::<Estimations>()
        .pages(pages::FILES)
        .run()
}
