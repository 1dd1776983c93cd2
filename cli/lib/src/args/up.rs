//! Flags of what starts everything: `up` and `demo`.

use std::path::PathBuf;

use clap::Args;

/// `millrace up`
#[derive(Args, Clone, Debug, Default)]
pub struct Up {
    /// Folder that holds all data [default: millrace-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Port of the broker; 0 takes a free one and keeps it [default: 9092]
    #[arg(long, value_name = "PORT")]
    pub kafka_port: Option<u16>,
    /// Port of the registry; 0 takes a free one and keeps it [default: 8081]
    #[arg(long, value_name = "PORT")]
    pub registry_port: Option<u16>,
    /// Port of the gateway, on loopback; 0 takes a free one and keeps it [default: 8080]
    #[arg(long, value_name = "PORT")]
    pub http_port: Option<u16>,
    /// Address to listen on; there is no password, so other than loopback only where you trust
    /// the network, and with --insecure [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<String>,
    /// Name or address that clients are told to connect to [default: the address by which they come]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub advertised: Option<String>,
    /// Listen beyond loopback although there is no password: whoever reaches the ports may read, write and delete
    #[arg(long)]
    pub insecure: bool,
}

/// `millrace demo`
#[derive(Args, Clone, Debug)]
pub struct Demo {
    /// As `millrace up`.
    #[command(flatten)]
    pub up: Up,
    /// What the random generator starts from; the same seed makes the same network
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many people
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    pub people: u32,
    /// About how many commands
    #[arg(long, default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(200..=10_000_000))]
    pub commands: u32,
}
