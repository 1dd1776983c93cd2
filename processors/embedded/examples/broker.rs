//! Runs the broker alone: `cargo run -p millrace-embedded --example broker -- DIR [PORT]`.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use millrace_embedded::broker::{Broker, BrokerConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("usage: broker DIR [PORT]")?;
    let port = args.next().map_or(Ok(9092), |port| port.parse())?;
    let mut config = BrokerConfig::new(dir);
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let broker = Broker::start(config).await?;
    println!("ready kafka={}", broker.bootstrap_servers());
    tokio::signal::ctrl_c().await?;
    broker.shutdown().await?;
    Ok(())
}
