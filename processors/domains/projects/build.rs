//! Generates messages, states and rows from `schemas/projects`, and what is read of the events of identity.

fn main() {
    millrace_schemagen::build("projects");
    millrace_schemagen::build_reads("identity", &["UserRemoved"]);
}
