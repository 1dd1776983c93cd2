//! Generates messages, states and rows from `schemas/estimation`, and what is read of the events of projects.

fn main() {
    millrace_schemagen::build("estimation");
    millrace_schemagen::build_reads("projects", &["ProjectDeleted"]);
}
