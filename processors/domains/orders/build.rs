//! Generates messages, states and rows from `schemas/orders`.

fn main() {
    millrace_schemagen::build("orders");
}
