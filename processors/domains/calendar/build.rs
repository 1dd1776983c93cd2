//! Generates messages, states and rows from `schemas/calendar`.

fn main() {
    millrace_schemagen::build("calendar");
}
