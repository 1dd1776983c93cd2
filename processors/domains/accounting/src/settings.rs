//! Accounting's own settings: `[accounting]` in `millrace.toml`.

use serde::{Deserialize, Serialize};

/// None yet: the rules of money are not a matter of configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {}
