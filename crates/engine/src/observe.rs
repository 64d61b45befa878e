//! Runs of other programs: finding the one that is meant, and handing on what is said of it.
//!
//! Such a run is named by its program. Which run of ours that is, is kept in memory for those that were
//! spoken of of late; for others the store is asked, and a name that nobody has used gets a new run.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;
use windlass_core::Finding;
use windlass_core::run::ObservedTerms;
use windlass_store::StoreError;

use crate::definitions::{DefinitionError, Workflow};
use crate::engine::{BACKLOG_MAX, Engine, gone, hash_of};
use crate::ids::new_id_for_shard;
use crate::shard::{Answer, Input, Observe, ObservedRun, Word};
use crate::threads::{Ticket, ToShard};

/// Names in one generation. Two are kept, so twice as many are known at most.
const NAME_COUNT_MAX: usize = 100_000;

/// What is said of one run.
#[derive(Debug)]
pub struct Observation {
    /// What its program calls the run.
    pub external_id: String,
    /// Its flow.
    pub flow: Arc<Workflow>,
    /// What the flow is called by words that do not give its key.
    pub called: Option<String>,
    /// What is said, in order.
    pub words: Vec<Word>,
}

/// Why nothing can be said of runs of a flow.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FlowError {
    /// The name is that of something that is run here.
    #[error("`{0}` is a workflow that is run here, and no other program's flow")]
    NotAFlow(String),
    /// What is said of it is wrong.
    #[error("{}", .0.first().map_or("the flow cannot be described so", |it| &*it.message))]
    Bad(Vec<Finding>),
    /// The store cannot be used, or a definition in it.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
}

impl From<StoreError> for FlowError {
    fn from(error: StoreError) -> FlowError {
        FlowError::Definition(error.into())
    }
}

/// Which run is meant by a name, by project and name, and of which flow it is, if that is known.
#[derive(Debug, Default)]
pub(crate) struct Names {
    young: HashMap<Place, Named>,
    old: HashMap<Place, Named>,
}

type Place = (Arc<str>, String);
type Named = (Uuid, Option<Arc<str>>);

impl Names {
    /// Knowing a name keeps it known.
    fn get(&mut self, place: &Place) -> Option<Named> {
        if let Some(named) = self.young.get(place) {
            return Some(named.clone());
        }
        let named = self.old.remove(place)?;
        self.put(place.clone(), named.clone());
        Some(named)
    }

    fn put(&mut self, place: Place, named: Named) {
        if self.young.len() >= NAME_COUNT_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(place, named);
    }
}

impl Engine {
    /// The flow of a key. One that nobody has spoken of comes up in the catalogue, described by
    /// `describe`.
    ///
    /// # Errors
    ///
    /// If the key is that of a workflow, cannot be one, or the store cannot be used.
    pub async fn flow(
        &self,
        project: &str,
        key: &str,
        describe: impl FnOnce() -> String + Send,
    ) -> Result<Arc<Workflow>, FlowError> {
        let found = match self.shared.definitions.newest_at_hand(project, key) {
            None => self.find_flow(project, key).await?,
            found => found,
        };
        let flow = match found {
            Some(flow) => flow,
            None => {
                // Somebody else may be faster with the same one, which does no harm.
                let (checked, deployed) = self.deploy(project, describe(), Some(0)).await?;
                let found = match deployed {
                    Some(_) => self.find_flow(project, key).await?,
                    None => None,
                };
                found.ok_or(FlowError::Bad(checked.findings))?
            }
        };
        match flow.plan.flow {
            Some(_) => Ok(flow),
            None => Err(FlowError::NotAFlow(key.to_owned())),
        }
    }

    async fn find_flow(
        &self,
        project: &str,
        key: &str,
    ) -> Result<Option<Arc<Workflow>>, FlowError> {
        let definitions = self.shared.definitions.clone();
        let (project, key) = (project.to_owned(), key.to_owned());
        let found = tokio::task::spawn_blocking(move || definitions.newest(&project, &key)).await;
        Ok(found.map_err(|error| StoreError::Unavailable(error.to_string()))??)
    }

    /// Hands on what is said of runs. There is an answer for each, once what follows from it is
    /// durable.
    pub async fn observe(
        &self,
        project: &str,
        by: Option<&str>,
        terms: &ObservedTerms,
        observations: Vec<Observation>,
    ) -> Vec<Answer> {
        let project: Arc<str> = Arc::from(project);
        let names = observations
            .iter()
            .map(|it| (it.external_id.clone(), Arc::from(it.flow.row.name.as_str())))
            .collect();
        let ids = match self.ids_of(&project, names).await {
            Ok(ids) => ids,
            Err(error) => {
                let answer = Answer::Unavailable(error.to_string());
                return observations.iter().map(|_| answer.clone()).collect();
            }
        };
        let mut answers = Vec::with_capacity(observations.len());
        let mut inputs: Vec<Vec<Observe<Ticket>>> =
            self.shared.shards.iter().map(|_| Vec::new()).collect();
        for (observation, (run_id, is_new)) in observations.into_iter().zip(ids) {
            let Observation { external_id, flow, called, words } = observation;
            let (ticket, answer) = oneshot::channel();
            let run = Arc::new(ObservedRun {
                project: project.clone(),
                plan: flow.plan.clone(),
                workflow_id: flow.row.workflow_id,
                version: flow.row.version,
                definition_id: flow.row.definition_id,
                called,
                external_id,
                terms: terms.clone(),
                by: by.map(str::to_owned),
            });
            let shard = crate::ids::shard_of(run_id, inputs.len());
            inputs[shard].push(Observe { run_id, run: run.clone(), is_new, words, ticket });
            answers.push((run, answer));
        }
        for (sender, inputs) in self.shared.shards.iter().zip(inputs) {
            if inputs.is_empty() {
                continue;
            }
            if sender.len() > BACKLOG_MAX || self.is_stopped() {
                let message = "the server has more to do than it can take";
                for observe in inputs {
                    let _ = observe.ticket.send(Answer::Unavailable(message.to_owned()));
                }
            } else {
                let _ = sender.send(ToShard::Input(Input::Observe(inputs)));
            }
        }
        let mut told = Vec::with_capacity(answers.len());
        for (run, answer) in answers {
            let answer = answer.await.unwrap_or_else(|_| gone());
            if matches!(answer, Answer::ExternalIdTaken { .. }) {
                self.forget_name(&project, &run.external_id);
            }
            told.push(answer);
        }
        told
    }

    /// The flows of runs, by the names that their programs give them; those that nobody has spoken of
    /// are left out.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub async fn flows_of(
        &self,
        project: &str,
        names: &[String],
    ) -> Result<HashMap<String, String>, StoreError> {
        let project: Arc<str> = Arc::from(project);
        let (mut found, mut unknown) = (HashMap::new(), Vec::new());
        {
            let mut known = self.shared.names.lock();
            for name in names {
                match known.get(&(project.clone(), name.clone())) {
                    Some((_, Some(flow))) => drop(found.insert(name.clone(), flow.to_string())),
                    _ => unknown.push(name.clone()),
                }
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let rows = self
            .read(move |store| {
                let row = |name: String| Ok(store.run(&project, &name)?.map(|row| (name, row)));
                unknown.into_iter().map(row).collect::<Result<Vec<_>, StoreError>>()
            })
            .await?;
        found.extend(rows.into_iter().flatten().map(|(name, row)| (name, row.workflow)));
        Ok(found)
    }

    /// The runs that are meant by names, and whether they are new.
    async fn ids_of(
        &self,
        project: &Arc<str>,
        names: Vec<(String, Arc<str>)>,
    ) -> Result<Vec<(Uuid, bool)>, StoreError> {
        let mut ids: Vec<Option<(Uuid, bool)>> = {
            let mut known = self.shared.names.lock();
            let places = names.iter().map(|(name, _)| (project.clone(), name.clone()));
            places.map(|place| known.get(&place).map(|(run_id, _)| (run_id, false))).collect()
        };
        let unknown = names.iter().zip(&ids).filter(|(_, id)| id.is_none());
        let unknown: Vec<String> = unknown.map(|((name, _), _)| name.clone()).collect();
        if unknown.is_empty() {
            return Ok(ids.into_iter().flatten().collect());
        }
        let asked = project.clone();
        let found = self.read(move |store| {
            let mut found: HashMap<String, Uuid> =
                store.runs_called(&asked, &unknown)?.into_iter().collect();
            // A run's own id is as good a name. Those of others are rarely made like it.
            for name in unknown.into_iter().filter(|name| is_like_ours(name)) {
                if let Some(run) = store.run(&asked, &name)? {
                    found.entry(name).or_insert(run.run_id);
                }
            }
            Ok(found)
        });
        let found = found.await?;
        let (now, shard_count) = (self.shared.clock.now(), self.shared.shards.len());
        let mut known = self.shared.names.lock();
        for ((name, flow), id) in names.into_iter().zip(&mut ids).filter(|(_, id)| id.is_none()) {
            let place = (project.clone(), name);
            // Somebody else may have asked for it meanwhile.
            let named = known.get(&place).map(|(run_id, _)| run_id);
            let (run_id, is_new) = match named.or_else(|| found.get(&place.1).copied()) {
                Some(run_id) => (run_id, false),
                None => {
                    let shard = hash_of(&place.1) % shard_count;
                    (new_id_for_shard(now, shard, shard_count), true)
                }
            };
            known.put(place, (run_id, Some(flow)));
            *id = Some((run_id, is_new));
        }
        Ok(ids.into_iter().flatten().collect())
    }

    /// Forgets which run is meant by a name, because it was another one after all.
    fn forget_name(&self, project: &Arc<str>, name: &str) {
        let place = (project.clone(), name.to_owned());
        let mut known = self.shared.names.lock();
        known.young.remove(&place);
        known.old.remove(&place);
    }
}

/// Whether a name may be the id of a run of ours.
fn is_like_ours(name: &str) -> bool {
    Uuid::try_parse(name).is_ok_and(|id| id.get_version_num() == 7)
}
