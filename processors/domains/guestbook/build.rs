//! Generates messages, states and rows from `schemas/guestbook`.

fn main() {
    millrace_schemagen::build("guestbook");
}
