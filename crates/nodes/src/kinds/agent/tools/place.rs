//! Where an agent's programs run.

use std::path::PathBuf;

use windlass_core::run::AttemptError;

use crate::context::NodeContext;
use crate::node::retry;

/// What the config says of it.
pub(in crate::kinds::agent) struct Place {
    pub(in crate::kinds::agent) directory: Option<PathBuf>,
    pub(in crate::kinds::agent) has_network: bool,
}

/// The same, once it is there.
pub(super) struct Opened {
    /// The directory. `None` if nothing needs one.
    pub(super) directory: Option<PathBuf>,
    /// Whether it is the step's own.
    is_own: bool,
    pub(super) has_network: bool,
}

impl Place {
    /// Makes sure that there is a directory, if one is needed.
    pub(super) async fn open(
        self,
        is_needed: bool,
        context: &NodeContext,
    ) -> Result<Opened, AttemptError> {
        let has_network = self.has_network;
        if !is_needed || self.directory.is_some() {
            return Ok(Opened { directory: self.directory, is_own: false, has_network });
        }
        let (shell, run_id, step) = (context.shell.clone(), context.run_id, context.step.clone());
        let open = move || {
            let directory = shell.kept.open(run_id, &step)?;
            shell.sandbox.share(&directory)?;
            Ok::<PathBuf, std::io::Error>(directory)
        };
        let opened = tokio::task::spawn_blocking(open).await;
        let opened = opened.map_err(|error| retry("start", error.to_string()))?;
        let directory =
            opened.map_err(|error| retry("start", format!("cannot make a directory: {error}")))?;
        Ok(Opened { directory: Some(directory), is_own: true, has_network })
    }
}

impl Opened {
    /// The directory, if no setting has to allow it.
    pub(super) fn own_dir(&self) -> Option<PathBuf> {
        self.directory.clone().filter(|_| self.is_own)
    }
}
