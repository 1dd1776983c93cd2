//! Flags of `token`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use millrace_kernel::id;
use serde_json::Value as Json;

/// The longest that a token may be valid.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// `millrace token`
#[derive(Args, Debug)]
pub struct Token {
    /// The acting user
    #[arg(long, value_name = "ID", value_parser = user)]
    pub user: String,
    /// A role of the user, such as operator; repeatable
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// What else it says of the user, as email=ann@example.org or email_verified=true; repeatable
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
    pub claims: Vec<(String, Json)>,
    /// The private key that signs it, in PEM: Ed25519, P-256, P-384 or RSA
    #[arg(long, value_name = "FILE", default_value = "millrace-token.key")]
    pub key: PathBuf,
    /// Make the key first, and its public key for gateways as FILE.pub
    #[arg(long)]
    pub make_key: bool,
    /// Who makes the token [default: the first of gateway.jwt_issuers, or millrace-dev]
    #[arg(long, value_name = "ISSUER")]
    pub issuer: Option<String>,
    /// Whom it is for [default: the first of gateway.jwt_audience]
    #[arg(long, value_name = "AUDIENCE")]
    pub audience: Option<String>,
    /// How long it is valid, as 90s, 30m, 1h or 7d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    pub ttl: Duration,
}

/// Those that have options of their own.
const OWN: [&str; 6] = ["iss", "aud", "sub", "roles", "iat", "exp"];

fn claim(text: &str) -> Result<(String, Json), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() || OWN.contains(&name) {
        return Err(format!("a claim has a name, and none of {}, which other options say", OWN.join(", ")));
    }
    let value = match value {
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        text => Json::from(text),
    };
    Ok((name.to_owned(), value))
}

fn user(text: &str) -> Result<String, String> {
    match id::is_valid(text) {
        true => Ok(text.to_owned()),
        false => Err(id::ID_RULE.to_owned()),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "write it as 90s, 30m, 1h or 7d, at most 365d".to_owned();
    let unit = text.chars().last().and_then(|unit| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(24 * 3600),
        _ => None,
    });
    let number = text.get(..text.len().saturating_sub(1)).and_then(|number| number.parse::<u64>().ok());
    let seconds = unit.zip(number).and_then(|(unit, number)| number.checked_mul(unit));
    let time =
        seconds.map(Duration::from_secs).filter(|time| (Duration::from_secs(1)..=LONGEST).contains(time));
    time.ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, seconds) in [("1s", 1), ("30m", 1_800), ("1h", 3_600), ("365d", 31_536_000)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)));
        }
        for wrong in ["", "s", "0s", "1", "-1s", "1w", "366d", "18446744073709551615d", "1 h", "hé"] {
            time(wrong).unwrap_err();
        }
    }
}
