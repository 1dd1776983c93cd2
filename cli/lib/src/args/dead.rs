//! Flags of `dead`.

use clap::{Args, Subcommand};

/// `millrace dead`
#[derive(Args, Debug)]
pub struct Dead {
    /// What to do
    #[command(subcommand)]
    pub action: DeadAction,
}

/// `millrace dead …`
#[derive(Debug, Subcommand)]
pub enum DeadAction {
    /// List what is dead
    #[command(after_help = "Examples:\n  millrace dead list\n  millrace dead list chirp --key ann --json")]
    List {
        /// Only this domain
        #[arg(value_name = "DOMAIN")]
        domain: Option<String>,
        /// Which records
        #[command(flatten)]
        chosen: DeadChosen,
        /// Also those that were put back or dropped
        #[arg(long)]
        all: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// List keys whose commands wait behind a dead one, also those of which nothing dead is left
    ///
    /// Reads all of the state topic, where a key stays until what waits for it is put back.
    #[command(after_help = "Example:\n  millrace dead keys accounting")]
    Keys {
        /// Only this domain
        #[arg(value_name = "DOMAIN")]
        domain: Option<String>,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show a dead record with its headers and its message, as far as it can be read
    #[command(after_help = "Example:\n  millrace dead show chirp --partition 2 --offset 17")]
    Show {
        /// The domain
        #[arg(value_name = "DOMAIN")]
        domain: Option<String>,
        /// Partition of the dead topic
        #[arg(long, value_name = "N")]
        partition: i32,
        /// Offset in the dead topic
        #[arg(long, value_name = "M")]
        offset: i64,
        /// Print it in one line
        #[arg(long)]
        json: bool,
    },
    /// Put records back where they came from, in order, each exactly once
    ///
    /// A command that was answered with `Poisoned` comes back under a new id, one that waited
    /// behind it under its own. Exits with 1 when there is nothing to put back.
    #[command(
        after_help = "Examples:\n  millrace dead redrive --dry-run\n  millrace dead redrive chirp --key ann"
    )]
    Redrive {
        /// Only this domain
        #[arg(value_name = "DOMAIN")]
        domain: Option<String>,
        /// Which records
        #[command(flatten)]
        chosen: DeadChosen,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Drop records for good; what waits behind them goes on once it is put back
    ///
    /// A command that waited is answered with `Skipped`. The process of a step that is dropped never
    /// ends. Where others of the key wait in the dead topic, `millrace dead redrive` puts them back.
    #[command(after_help = "Example:\n  millrace dead skip chirp --partition 2 --offset 17 --yes")]
    Skip {
        /// The domain
        #[arg(value_name = "DOMAIN")]
        domain: Option<String>,
        /// Which records
        #[command(flatten)]
        chosen: DeadChosen,
        /// Yes, drop them
        #[arg(long)]
        yes: bool,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// Which dead records are meant.
#[derive(Args, Debug)]
pub struct DeadChosen {
    /// Only records with this key; 0x and hexadecimal digits for one that is no text
    #[arg(long, value_name = "K")]
    pub key: Option<String>,
    /// Only the message with this id
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Only this partition
    #[arg(long, value_name = "N")]
    pub partition: Option<i32>,
    /// Only the record at this offset of the partition
    #[arg(long, value_name = "M", requires = "partition")]
    pub offset: Option<i64>,
}

impl DeadChosen {
    /// Whether every record is meant.
    pub fn is_all(&self) -> bool {
        self.key.is_none() && self.id.is_none() && self.partition.is_none() && self.offset.is_none()
    }
}
