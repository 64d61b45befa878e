use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use windlass_core::HumanDuration;

use super::within;

/// How the server is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSection {
    /// Address and port to listen on. One that others can reach needs a key first.
    pub listen: SocketAddr,
    /// Names, besides those of loopback, by which the server may be addressed: for a reverse proxy.
    /// Left out, a server that listens beyond loopback goes by any name.
    pub hosts: Vec<String>,
    /// Sites whose pages may ask this server from a browser, such as `https://app.example.com`; `*`
    /// for all of them, once there is a key. Left out: none.
    pub cors_allowed_origins: Vec<String>,
    /// The largest request body, in bytes.
    pub body_bytes_max: u64,
    /// How long a request may take to arrive and to be answered. Streams and `Prefer: wait` have
    /// their own time.
    pub request_time_max: HumanDuration,
    /// The longest `Prefer: wait=N`.
    pub wait_time_max: HumanDuration,
    /// How many connections may be open at once.
    pub connection_count_max: u64,
}

impl Default for ServerSection {
    fn default() -> ServerSection {
        ServerSection {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            hosts: Vec::new(),
            cors_allowed_origins: Vec::new(),
            body_bytes_max: 20 * 1024 * 1024,
            request_time_max: HumanDuration::from_secs(30),
            wait_time_max: HumanDuration::from_secs(300),
            connection_count_max: 4_096,
        }
    }
}

impl ServerSection {
    pub(super) fn check(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        for origin in self.cors_allowed_origins.iter().filter(|origin| !is_origin(origin)) {
            let message = format!(
                "`{origin}` is no origin; `https://app.example.com` is one, without a path, and `*` \
                 stands for all"
            );
            found.push(("server.cors_allowed_origins", message));
        }
        found.extend(within("server.body_bytes_max", self.body_bytes_max, 65_536..=1_073_741_824));
        found.extend(within("server.connection_count_max", self.connection_count_max, 1..=100_000));
        found
    }
}

/// Whether this is `scheme://host[:port]`, as browsers write it, or `*`.
fn is_origin(text: &str) -> bool {
    text == "*"
        || text.split_once("://").is_some_and(|(scheme, authority)| {
            matches!(scheme, "http" | "https")
                && !authority.is_empty()
                && !authority.contains(['/', '?', '#', '@', ' '])
                && authority.parse::<axum::http::uri::Authority>().is_ok()
        })
}

/// The server that programs tell of their flows, for commands that are told of none: who has said it
/// for the one means it for the other.
#[expect(
    clippy::disallowed_methods,
    reason = "it is no setting, and belongs to other programs too"
)]
pub(crate) fn reported_to() -> Option<String> {
    let url = std::env::var("WINDLASS_URL").ok()?;
    Some(url).filter(|url| !url.is_empty())
}
