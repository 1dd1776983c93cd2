//! The smallest producer in Rust.

use millrace_sdk::Command;
use millrace_sdk::chirp::{ChirpCommand, RegisterUser};
use millrace_sdk::http::HttpClient;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: producer http://127.0.0.1:8080")?;
    let client = HttpClient::new(&address);
    let command =
        Command::<ChirpCommand>::new(RegisterUser { user_id: "rob".into(), username: "Rob".into() });
    let outcome = client.send(&command)?.outcome;
    println!("{:?}", outcome.status);
    Ok(())
}
