//! Workflows, by their names: deployed, paused, deleted.

use uuid::Uuid;
use windlass_core::definition::{Checked, check, is_flow};
use windlass_core::{Finding, template};
use windlass_store::{Deploy, Deployed, Pause, Store, StoreError, WorkflowRow};

use crate::definitions::content_hash;
use crate::engine::Engine;
use crate::ids::new_id;
use crate::triggers;

impl Engine {
    /// Pauses a workflow, or ends its pause: new runs of it wait. Those that have begun go on.
    /// Answers the workflow as it is then, or `None` if there is no such workflow.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub async fn pause_workflow(
        &self,
        workflow_id: Uuid,
        pause: Option<Pause>,
    ) -> Result<Option<WorkflowRow>, StoreError> {
        let is_paused = pause.is_some();
        let call = move |store: &dyn Store| store.pause_workflow(workflow_id, pause.as_ref());
        let row = self.call(call).await?;
        self.shared.definitions.names_changed();
        self.shared.at_the_gate(|gate| gate.pause(workflow_id, is_paused));
        Ok(row)
    }

    /// Checks a definition and, if nothing is wrong with it, deploys it. Given `expected_version`,
    /// only over that version; 0 means that there must be none.
    ///
    /// # Errors
    ///
    /// If the store cannot be written. What is wrong with the definition is in the first half of
    /// the answer; the second is then `None`.
    pub async fn deploy(
        &self,
        project: &str,
        text: String,
        expected_version: Option<u32>,
    ) -> Result<(Checked, Option<Deployed>), StoreError> {
        let definitions = self.shared.definitions.clone();
        let joined = tokio::task::spawn_blocking(move || {
            let checked = check(&text, definitions.kinds());
            (text, checked)
        });
        let (text, checked) =
            joined.await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let (Some(plan), Some(document), Some(format)) =
            (&checked.plan, &checked.document, checked.format)
        else {
            return Ok((checked, None));
        };
        let now = self.shared.clock.now();
        let deploy = Deploy {
            project: project.to_owned(),
            name: plan.name.clone(),
            description: plan.description.clone(),
            format: format.as_str().to_owned(),
            source: text,
            content_hash: content_hash(document),
            new_workflow_id: new_id(now),
            new_definition_id: new_id(now),
            now,
            expected_version,
        };
        let sort = sort_of(document);
        let (name, own) = (deploy.name.clone(), deploy.project.clone());
        let (wanted, listeners) = (plan.triggers.clone(), self.shared.listeners.clone());
        // On the one thread that writes, so nobody takes the name in between.
        let deployed = self.call(move |store| match known_sort(store, &own, &name)? {
            Some(known) if known != sort => Ok(Err(known)),
            _ => {
                if !wanted.is_empty() {
                    triggers::remember(store, &own, &name, now)?;
                }
                let deployed = store.deploy(&deploy)?;
                if let Deployed::New(row) | Deployed::Same(row) = &deployed {
                    listeners.set(&own, (row.workflow_id, &name), &wanted);
                }
                Ok(Ok(deployed))
            }
        });
        let deployed = deployed.await?;
        if let Err(known) = deployed {
            let message = format!(
                "this is {sort}, and `{}` is {known} already; neither takes the other's place",
                plan.name
            );
            let finding = Finding::error("other-sort", "", message)
                .hint("give it another name, or delete the other one first");
            return Ok((Checked { plan: None, findings: vec![finding], ..checked }, None));
        }
        self.shared.definitions.names_changed();
        Ok((checked, deployed.ok()))
    }

    /// Deletes a workflow. Given `expected_version`, only if that is its newest. Answers its newest
    /// version, or `None` if there is no such workflow.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub async fn delete_workflow(
        &self,
        workflow_id: Uuid,
        expected_version: Option<u32>,
    ) -> Result<Option<u32>, StoreError> {
        let now = self.shared.clock.now();
        let listeners = self.shared.listeners.clone();
        let call = move |store: &dyn Store| {
            let newest = store.delete_workflow(workflow_id, expected_version, now)?;
            if newest.is_some() && expected_version.is_none_or(|wanted| newest == Some(wanted)) {
                listeners.remove(workflow_id);
            }
            Ok(newest)
        };
        let version = self.call(call).await?;
        self.shared.definitions.names_changed();
        Ok(version)
    }
}

/// What a document describes, in words.
fn sort_of(document: &serde_json::Value) -> &'static str {
    if is_flow(document) {
        "another program's flow"
    } else if template::is_template(document) {
        "a template"
    } else {
        "a graph of steps"
    }
}

/// What a name belongs to, if it belongs to something.
fn known_sort(
    store: &dyn Store,
    project: &str,
    name: &str,
) -> Result<Option<&'static str>, StoreError> {
    let Some(row) = store.workflow(project, name)? else { return Ok(None) };
    let Some(known) = store.definition(row.definition_id)? else { return Ok(None) };
    let document = windlass_core::source::read(&known.source);
    Ok(Some(document.map_or("a graph of steps", |document| sort_of(&document.value))))
}
