use serde::{Deserialize, Serialize};
use windlass_nodes::AllowList;

use super::within;

/// The node kind `http`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSection {
    /// How many requests may be under way at the same time. Further steps wait for their turn.
    pub concurrency: u64,
    /// Addresses, networks and host names that may be asked although they are not public, such as
    /// `10.0.0.0/8` or `db.internal`.
    pub allow: Vec<String>,
    /// Whether this machine itself may be asked. Left out: only under `windlass dev`.
    pub allow_loopback: Option<bool>,
}

impl Default for HttpSection {
    fn default() -> HttpSection {
        HttpSection { concurrency: 256, allow: Vec::new(), allow_loopback: None }
    }
}

impl HttpSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        found.extend(within("http.concurrency", self.concurrency, 1..=10_000));
        found.extend(AllowList::parse(&self.allow).err().map(|message| ("http.allow", message)));
        found
    }
}
