//! Flags of what makes keys and opens secrets: `seal-key`, `unseal`, `pseudonym-key`.

use std::path::PathBuf;

use clap::Args;

/// `millrace seal-key`
#[derive(Args, Debug)]
pub struct SealKey {
    /// Where the private key is written, for this user alone; the public one is FILE.pub
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
}

/// `millrace unseal`
#[derive(Args, Debug)]
pub struct Unseal {
    /// The file with the private key
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// A sealed box in base64 [default: from standard input]
    #[arg(value_name = "BOX", conflicts_with = "command")]
    pub sealed: Option<String>,
    /// The command that holds the box: its id, or `<domain>:<id>`
    #[arg(long, value_name = "ID")]
    pub command: Option<String>,
    /// Look for the command no further back than this time, as RFC 3339
    #[arg(long, value_name = "TIME", requires = "command")]
    pub since: Option<String>,
}

/// `millrace pseudonym-key`
#[derive(Args, Debug)]
pub struct NewPseudonymKey {
    /// What the key is called: 1 to 20 of a-z 0-9 -
    #[arg(value_name = "ID")]
    pub id: String,
}
