//! What every handler has at hand.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use uuid::Uuid;
use windlass_core::Time;
use windlass_engine::Engine;
use windlass_nodes::llm::LlmSettings;
use windlass_nodes::{HttpClient, PromptSettings, Registry, ShellSettings};

use crate::access::Gate;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::units::known::Known;
use crate::vault::Vault;

/// The project of whoever names no other. Its people also see what belongs to the whole server.
pub const PROJECT: &str = "default";

/// What every request has at hand.
#[derive(Debug)]
pub struct App {
    /// Runs the workflows.
    pub engine: Arc<Engine>,
    /// Secrets.
    pub vault: Arc<Vault>,
    /// Who may come in.
    pub gate: Gate,
    /// The settings.
    pub config: Config,
    /// The kinds of node.
    pub registry: Arc<Registry>,
    /// What nodes are tried out with, outside of any run.
    pub trial: Trial,
    /// Actors that were let in of late.
    pub(crate) known: Known,
    /// What the windows of other systems remember.
    pub(crate) facades: crate::facade::Kept,
    /// Room for bodies that come packed.
    pub(crate) room: crate::observe::unpack::Room,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// This process, among all that have owned the data.
    pub boot_id: Uuid,
    /// When this process began.
    pub started_at: Time,
    /// Whether the runs come from a file, to be looked at and nothing else.
    pub is_file: bool,
    /// Ends every stream when the server goes down.
    pub going_down: watch::Receiver<bool>,
}

/// What nodes are tried out with.
#[derive(Debug)]
pub struct Trial {
    /// For requests to elsewhere.
    pub http: Arc<HttpClient>,
    /// For child processes.
    pub shell: Arc<ShellSettings>,
    /// For language models.
    pub llm: Arc<LlmSettings>,
    /// For prompt files.
    pub prompts: Arc<PromptSettings>,
    /// How many may be tried out at once.
    pub turns: Semaphore,
}

/// How many nodes may be tried out at once.
pub const TRIAL_COUNT_MAX: usize = 4;

/// How handlers take it.
pub type Shared = axum::extract::State<Arc<App>>;

/// Waits until the server goes down.
pub(crate) async fn is_down(going_down: &mut watch::Receiver<bool>) {
    // The sender goes with the house; then it is down as well.
    let _ = going_down.wait_for(|is_down| *is_down).await;
}
