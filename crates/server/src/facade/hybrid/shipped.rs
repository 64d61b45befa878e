//! Templates that come with Windlass: they are deployed when they are first asked for.

use std::sync::Arc;

use windlass_engine::Workflow;
use windlass_store::Deployed;

use crate::access::Caller;
use crate::api::workflow::find;
use crate::app::App;
use crate::http::problem::{self, Problem};

/// Each by the name of its workflow.
pub(super) const ALL: [(&str, &str); 5] = [
    ("data_processing", include_str!("../../../../../examples/hybrid/data_processing.yaml")),
    ("test", include_str!("../../../../../examples/hybrid/test.yaml")),
    ("tmpl_001", include_str!("../../../../../examples/hybrid/tmpl_001.yaml")),
    ("tmpl_002", include_str!("../../../../../examples/hybrid/tmpl_002.yaml")),
    ("tmpl_003", include_str!("../../../../../examples/hybrid/tmpl_003.yaml")),
];

/// The workflow of this id or name, or, if there is none, the template of this name.
///
/// # Errors
///
/// `workflow-not-found`, with what there is.
pub(super) async fn find_or_deploy(
    app: &App,
    caller: &Caller,
    word: &str,
) -> Result<Arc<Workflow>, Problem> {
    match find(app, caller.project(), word).await {
        Err(missing) if missing.code == problem::WORKFLOW_NOT_FOUND => {
            let Some((_, text)) = ALL.iter().find(|(name, _)| *name == word) else {
                let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
                let message = format!(
                    "{}; {} come with Windlass, others are deployed",
                    missing.detail,
                    names.join(", ")
                );
                return Err(Problem::new(problem::WORKFLOW_NOT_FOUND, message));
            };
            // Somebody else may be faster with the same one, which does no harm.
            let (checked, deployed) =
                app.engine.deploy(caller.project(), (*text).to_owned(), Some(0)).await?;
            match deployed {
                Some(Deployed::New(_) | Deployed::Same(_) | Deployed::VersionMismatch { .. }) => {
                    find(app, caller.project(), word).await
                }
                None => Err(Problem::findings(problem::INTERNAL, checked.findings)),
            }
        }
        found => found,
    }
}
