//! Settings: defaults in code, then a file, then the variables of the united systems, then
//! `WINDLASS_SECTION__FIELD`, then flags.
//!
//! One file per section. Every field says its unit, its default and its effect. An unknown key is
//! an error that names the known ones.

mod access;
mod archive;
mod code;
mod database;
mod engine;
mod http;
mod llm;
mod load;
mod log;
mod mirror;
mod observe;
mod plugins;
mod queues;
mod retention;
mod sandbox;
mod secret;
mod secrets;
mod seeds;
mod server;
mod shell;
mod store;
mod sweeper;
mod telemetry;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use access::AccessSection;
pub(crate) use archive::ArchivePlace;
pub use archive::ArchiveS3Section;
pub use code::CodeSection;
pub use database::DatabaseUrl;
pub(crate) use database::sqlite_directory;
pub use engine::EngineSection;
pub use http::HttpSection;
pub use llm::{LlmSection, ProviderSection};
pub use load::{ConfigError, Flags, Loaded, Setting, load};
pub use log::{LogFormat, LogSection};
pub use mirror::MirrorSection;
pub use observe::ObserveSection;
pub use plugins::PluginSection;
pub(crate) use plugins::search_path;
pub use queues::QueueSection;
pub use retention::{RetentionRule, RetentionSection};
pub use sandbox::{SandboxSection, ShellTrust};
pub use secret::Secret;
pub use secrets::SecretsSection;
pub use seeds::NAMES as SEED_VARIABLES;
pub use server::ServerSection;
pub(crate) use server::reported_to;
pub use shell::ShellSection;
pub use store::StoreSection;
pub use sweeper::SweeperSection;
pub(crate) use telemetry::telemetry;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the server is reached.
    pub server: ServerSection,
    /// Who may call.
    pub access: AccessSection,
    /// Where state is kept.
    pub store: StoreSection,
    /// What secrets are sealed with.
    pub secrets: SecretsSection,
    /// How runs are driven.
    pub engine: EngineSection,
    /// The node kind `shell`.
    pub shell: ShellSection,
    /// The node kind `code`.
    pub code: CodeSection,
    /// The boundary around steps of both kinds.
    pub sandbox: SandboxSection,
    /// The node kind `http`.
    pub http: HttpSection,
    /// The node kinds `llm` and `agent`.
    pub llm: LlmSection,
    /// Kinds of node that workers do, by the plugin's name.
    pub plugins: BTreeMap<String, PluginSection>,
    /// What is taken back from workers that were not heard of.
    pub sweeper: SweeperSection,
    /// Runs that other programs drive and tell of.
    pub observe: ObserveSection,
    /// How long runs are kept once they are over.
    pub retention: RetentionSection,
    /// Runs as files.
    pub mirror: MirrorSection,
    /// How much of a queue is handed out to workers, by the queue's name or its beginning and `*`.
    pub queues: BTreeMap<String, QueueSection>,
    /// What is written to standard error.
    pub log: LogSection,
}

impl Config {
    /// Everything that is wrong with the settings, by key.
    pub fn check(&self) -> Vec<(&'static str, String)> {
        let sections = [
            self.server.check(),
            self.access.check(),
            self.store.check(),
            self.secrets.check(),
            self.engine.check(),
            self.shell.check(),
            self.code.check(),
            self.sandbox.check(),
            self.http.check(),
            self.llm.check(),
            self.check_plugins(),
            self.sweeper.check(),
            self.observe.check(),
            self.check_retention(),
            self.check_queues(),
            self.log.check(),
        ];
        sections.into_iter().flatten().collect()
    }
}

/// A complaint if a number is out of its bounds.
fn within(
    key: &'static str,
    value: u64,
    bounds: std::ops::RangeInclusive<u64>,
) -> Option<(&'static str, String)> {
    let (low, high) = (bounds.start(), bounds.end());
    (!bounds.contains(&value))
        .then(|| (key, format!("{value} is out of bounds; {low} to {high} is possible")))
}
