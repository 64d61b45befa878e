//! New instances, and new units of work in them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;
use windlass_core::definition::check;
use windlass_core::run::UnitTerms;
use windlass_core::run::token::TokenSettings;
use windlass_core::template;
use windlass_engine::ids::new_id;
use windlass_engine::shard::Answer;
use windlass_engine::{NewRun, content_hash};
use windlass_store::{IdempotencyKey, InstanceRow, InstanceStatus, NewInstance};

use super::Instance;
use crate::access::Caller;
use crate::api::execute::refusal;
use crate::app::App;
use crate::http::problem::{self, Problem};

/// Templates that one instance is made of, at most.
const TEMPLATE_COUNT_MAX: usize = 50;

/// What an instance is to be.
#[derive(Debug, Default)]
pub(crate) struct WantedInstance {
    /// The template, by name or id of its workflow.
    pub(crate) template: String,
    /// Its version; the newest, if none is named.
    pub(crate) version: Option<u32>,
    /// What people call it; `Instance_` and the template's name, if nothing is said.
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) settings: TokenSettings,
}

/// What a unit of work is to be.
#[derive(Debug, Default)]
pub(crate) struct WantedUnit {
    pub(crate) attributes: Map<String, Value>,
    pub(crate) terms: UnitTerms,
    pub(crate) priority: Option<i32>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) external_id: Option<String>,
    pub(crate) key: Option<IdempotencyKey>,
}

/// Makes an instance of a template: a copy of it and of every template that its roles refer to.
///
/// # Errors
///
/// `template-not-found`, `invalid-definition` if templates lead into each other for ever.
pub(crate) async fn instantiate(
    app: &App,
    caller: &Caller,
    wanted: WantedInstance,
) -> Result<Instance, Problem> {
    let project = caller.project().to_owned();
    let definitions = app.engine.definitions().clone();
    let (word, version) = (wanted.template.clone(), wanted.version);
    let gathered =
        tokio::task::spawn_blocking(move || gather(&definitions, &project, &word, version));
    let gathered = gathered.await;
    let gathered = gathered.map_err(|error| unavailable(&error.to_string()))??;
    let Gathered { master, version, templates } = gathered;
    let now = app.engine.clock().now();
    let instance_id = new_id(now);
    let name = wanted.name.unwrap_or_else(|| format!("Instance_{master}"));
    let document = json!({
        "instance": name, "description": wanted.description, "master": master,
        "templates": templates, "settings": wanted.settings,
    });
    let source = document.to_string();
    let checked = check(&source, app.registry.kinds());
    if checked.plan.is_none() {
        let first = checked.findings.first().map(|finding| finding.message.clone());
        let message = first.unwrap_or_else(|| "it cannot be made".to_owned());
        return Err(Problem::new(problem::INVALID_DEFINITION, message));
    }
    let row = InstanceRow {
        instance_id,
        project: caller.project().to_owned(),
        name,
        description: wanted.description,
        template: master,
        template_version: version,
        status: InstanceStatus::Active,
        reason: None,
        created_at: now,
        created_by: Some(caller.name().to_owned()),
        updated_at: now,
    };
    let new = NewInstance { row, definition: source, content_hash: content_hash(&document) };
    app.engine.call(move |store| store.create_instance(&new)).await?;
    app.known.forget(instance_id);
    super::instance::find(app, caller.project(), &instance_id.to_string()).await
}

struct Gathered {
    master: String,
    version: u32,
    templates: Map<String, Value>,
}

/// A template with all that its roles refer to.
fn gather(
    definitions: &windlass_engine::Definitions,
    project: &str,
    word: &str,
    version: Option<u32>,
) -> Result<Gathered, Problem> {
    let mut found: BTreeMap<String, (u32, template::Template)> = BTreeMap::new();
    let mut master = None;
    // Each with the names on the way to it.
    let mut look = vec![(word.to_owned(), version, Vec::<String>::new())];
    while let Some((word, version, above)) = look.pop() {
        if found.len() >= TEMPLATE_COUNT_MAX && !found.contains_key(&word) {
            let message = format!("an instance is made of {TEMPLATE_COUNT_MAX} templates at most");
            return Err(Problem::new(problem::INVALID_DEFINITION, message));
        }
        let workflow =
            definitions.version(project, &word, version).map_err(|error| match error {
                windlass_engine::DefinitionError::Store(error) => Problem::from(error),
                error => unavailable(&error.to_string()),
            })?;
        let tokens = workflow.as_ref().and_then(|one| one.plan.tokens.as_ref());
        let (Some(workflow), Some(tokens)) = (&workflow, tokens) else {
            let of = above.last().map(|above| format!(", to which `{above}` refers"));
            let message = format!("there is no template `{word:.64}`{}", of.unwrap_or_default());
            return Err(Problem::new(problem::TEMPLATE_NOT_FOUND, message));
        };
        let Some(template) = tokens.workflows.get(&tokens.master).cloned() else { continue };
        let name = template.name.clone();
        // Units enter it by the name that the role has for it.
        if let Some(above) = above.last().filter(|_| name != word) {
            let message =
                format!("`{above}` refers to `{name}` as `{word:.64}`; it takes the name");
            return Err(Problem::new(problem::INVALID_DEFINITION, message));
        }
        if above.contains(&name) {
            let way = above.join("` leads into `");
            let message = format!("`{way}` leads into `{name}`, and so on for ever");
            return Err(Problem::new(problem::INVALID_DEFINITION, message));
        }
        // Another way to it leads to what is known already; circles are found on the first.
        if found.contains_key(&name) {
            continue;
        }
        master.get_or_insert_with(|| (name.clone(), workflow.row.version));
        let mut above = above;
        above.push(name.clone());
        let children = template.roles.iter().filter_map(|role| role.child_workflow_name.clone());
        look.extend(children.map(|child| (child, None, above.clone())));
        found.insert(name, (workflow.row.version, template));
    }
    let (master, version) = master.ok_or_else(|| unavailable("nothing was found"))?;
    let documents = found.into_iter().map(|(name, (_, one))| (name, one.to_document()));
    Ok(Gathered { master, version, templates: documents.collect() })
}

/// Gives an instance a base unit of work. The answer comes when it is durable.
///
/// # Errors
///
/// `instance-inactive`, `invalid-unit`, and those of every creation.
pub(crate) async fn add_unit(
    app: &App,
    caller: &Caller,
    instance: &Instance,
    wanted: WantedUnit,
) -> Result<Uuid, Problem> {
    instance.check_active()?;
    let request_hash = wanted.key.as_ref().map(|key| key.request_hash.clone());
    let run = NewRun {
        begins_paused: false,
        plan: instance.plan.clone(),
        workflow_id: instance.id(),
        version: instance.row.template_version,
        definition_id: instance.id(),
        input: Value::Object(wanted.attributes),
        labels: wanted.labels,
        external_id: wanted.external_id,
        rerun_of: None,
        priority: wanted.priority,
        is_paused: false,
        by: Some(caller.name().to_owned()),
        reused: BTreeMap::new(),
        key: wanted.key,
        unit: Some(wanted.terms),
    };
    match app.engine.create(caller.project(), run).await {
        Answer::Run(view) => Ok(view.run_id),
        Answer::Existing { run_id, request_hash: known } => {
            if request_hash.is_some_and(|hash| hash != known) {
                let message = "the key was used with another request in the last 7 days";
                return Err(Problem::new(problem::KEY_REUSED, message));
            }
            Ok(run_id)
        }
        answer => Err(refusal(answer)),
    }
}

fn unavailable(message: &str) -> Problem {
    Problem::new(problem::UNAVAILABLE, message)
}
