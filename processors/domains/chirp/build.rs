//! Generates messages, states and rows from `schemas/chirp`.

fn main() {
    millrace_schemagen::build("chirp");
}
