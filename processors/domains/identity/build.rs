//! Generates messages, states and rows from `schemas/identity`.

fn main() {
    millrace_schemagen::build("identity");
}
