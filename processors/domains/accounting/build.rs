//! Generates messages, states and rows from `schemas/accounting`.

fn main() {
    millrace_schemagen::build("accounting");
}
