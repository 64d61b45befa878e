use std::sync::Arc;

use uuid::Uuid;
use windlass_core::definition::Plan;
use windlass_core::run::token::TokenPlan;
use windlass_core::template::{Role, RoleKind, Template};
use windlass_engine::desk::Want;
use windlass_engine::shard::id_in;
use windlass_store::{InstanceRow, InstanceStatus};

use crate::app::App;
use crate::http::problem::{self, Problem};

/// An instance with what its units are decided by.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) row: InstanceRow,
    pub(crate) plan: Arc<Plan>,
}

/// A role of an instance.
pub(crate) struct RoleOf<'i> {
    pub(crate) id: Uuid,
    /// The workflow of the instance that it is in.
    pub(crate) workflow: &'i Template,
    pub(crate) role: &'i Role,
    /// Whether it is one of the workflow by which work enters.
    is_master: bool,
}

/// The instance of this id or name.
///
/// # Errors
///
/// `instance-not-found`, or that the store is away.
pub(crate) async fn find(app: &App, project: &str, word: &str) -> Result<Instance, Problem> {
    let not_found = || {
        let message = format!("there is no instance `{word:.64}`");
        Problem::new(problem::INSTANCE_NOT_FOUND, message)
    };
    // Every claim asks.
    if let Some(known) = app.known.instance(project, word) {
        return Ok(known);
    }
    let changes = app.known.changes();
    let (own, name) = (project.to_owned(), word.to_owned());
    let row = app.engine.read(move |store| store.instance(&own, &name)).await?;
    let row = row.ok_or_else(not_found)?;
    let (definitions, id) = (app.engine.definitions().clone(), row.instance_id);
    let plan = tokio::task::spawn_blocking(move || definitions.plan(id)).await;
    let plan = plan.map_err(|error| Problem::new(problem::UNAVAILABLE, error.to_string()))?;
    let plan = plan.map_err(|error| match error {
        windlass_engine::DefinitionError::Store(error) => Problem::from(error),
        error => Problem::new(problem::UNAVAILABLE, error.to_string()),
    })?;
    let instance = Instance { row, plan };
    app.known.keep((project, word), &instance, changes);
    Ok(instance)
}

impl Instance {
    pub(crate) fn id(&self) -> Uuid {
        self.row.instance_id
    }

    /// What its units are decided by.
    pub(crate) fn tokens(&self) -> Option<&TokenPlan> {
        self.plan.tokens.as_deref()
    }

    /// All its workflows, that by which work enters first.
    pub(crate) fn workflows(&self) -> Vec<&Template> {
        let Some(tokens) = self.tokens() else { return Vec::new() };
        let master = tokens.workflows.get(&tokens.master);
        let others = tokens.workflows.iter().filter(|(name, _)| **name != tokens.master);
        master.into_iter().chain(others.map(|(_, template)| template)).collect()
    }

    pub(crate) fn roles(&self) -> impl Iterator<Item = RoleOf<'_>> {
        self.workflows().into_iter().flat_map(move |workflow| {
            workflow.roles.iter().map(move |role| RoleOf {
                id: self.id_of("role", &workflow.name, &role.name),
                workflow,
                role,
                is_master: self.tokens().is_some_and(|tokens| tokens.master == workflow.name),
            })
        })
    }

    /// The role of this id or name; `workflow/role` if it is one of a child workflow that another has
    /// the name of.
    ///
    /// # Errors
    ///
    /// `role-not-found`.
    pub(crate) fn role(&self, word: &str) -> Result<RoleOf<'_>, Problem> {
        let id = Uuid::parse_str(word).ok();
        let fits = |one: &RoleOf<'_>| {
            Some(one.id) == id
                || one.role.name == word
                || word.split_once('/').is_some_and(|(workflow, role)| {
                    one.workflow.name == workflow && one.role.name == role
                })
        };
        self.roles().find(fits).ok_or_else(|| {
            let known: Vec<&str> = self.roles().map(|one| one.role.name.as_str()).collect();
            let hint = windlass_core::nearest(word, known);
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            let message = format!("the instance has no role `{word:.64}`{hint}");
            Problem::new(problem::ROLE_NOT_FOUND, message)
        })
    }

    /// That nobody may take units of it now.
    ///
    /// # Errors
    ///
    /// `instance-inactive`.
    pub(crate) fn check_active(&self) -> Result<(), Problem> {
        match self.row.status {
            InstanceStatus::Active => Ok(()),
            status => {
                let message = format!("the instance is {}", status.as_str());
                Err(Problem::new(problem::INSTANCE_INACTIVE, message))
            }
        }
    }

    /// That units of it may be taken, if not now then later.
    ///
    /// # Errors
    ///
    /// `instance-inactive`.
    pub(crate) fn check_not_archived(&self) -> Result<(), Problem> {
        match self.row.status {
            InstanceStatus::Archived => self.check_active(),
            _ => Ok(()),
        }
    }

    /// The id of something in it that has a name: `interaction`, `guardian`, `component`.
    pub(crate) fn id_of(&self, what: &str, workflow: &str, name: &str) -> Uuid {
        id_in(self.id(), &format!("{what}/{workflow}/{name}"))
    }
}

impl RoleOf<'_> {
    /// What it is called in rows: a child workflow may have one of the same name.
    pub(crate) fn word(&self) -> String {
        match self.is_master {
            true => self.role.name.clone(),
            false => format!("{}/{}", self.workflow.name, self.role.name),
        }
    }

    /// The queues that the role takes from.
    pub(crate) fn wants(&self, instance_id: Uuid) -> Vec<Want> {
        let index = self.workflow.role(&self.role.name).map(|(index, _)| index);
        let inbound = index.into_iter().flat_map(|index| self.workflow.inbound(index));
        let places = inbound.filter_map(|(_, one)| self.workflow.interactions.get(one.interaction));
        places
            .map(|place| Want {
                queue: format!("{instance_id}/{}/{}", self.workflow.name, place.name),
                role: Some(self.role.name.clone()),
            })
            .collect()
    }

    /// Whether actors act in it: not where work enters, and not for a child workflow.
    pub(crate) fn is_for_actors(&self) -> bool {
        self.role.kind != RoleKind::Alpha && self.role.child_workflow_name.is_none()
    }
}
