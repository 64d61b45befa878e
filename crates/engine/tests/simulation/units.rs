//! What must be true of units of work and of what is offered to workers, whatever happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;
use windlass_core::definition::{Plan, check};
use windlass_core::run::token::{Tokens, Unit, UnitStatus};
use windlass_core::run::{Fact, RunState};
use windlass_core::template::RoleKind;
use windlass_core::template::examples::random;
use windlass_store::{RunFilter, Store, TaskRow, Tokens as _};

use crate::chance::Chance;
use crate::plans::registry;
use crate::world::{PROJECT, World};

/// An instance of a template that is made up.
pub(crate) fn random_instance(chance: &mut Chance) -> Arc<Plan> {
    let text = random(u64::try_from(chance.below(1 << 20)).unwrap());
    let checked = check(&text, registry().kinds());
    let document = checked.document.unwrap_or_else(|| panic!("{text}\n{:#?}", checked.findings));
    let named = document.pointer("/workflow/name").or_else(|| document.get("name"));
    let name = named.and_then(|name| name.as_str()).unwrap().to_owned();
    let park = *chance.of::<&[&str]>(&[&[], &[], &["completed"], &["failed"]]);
    let zombie = *chance.of(&["failed", "pending"]);
    let most = *chance.of(&[None, None, Some(4)]);
    let instance = serde_json::json!({
        "instance": "desk", "master": name, "templates": { name.as_str(): document },
        "settings": { "park": park, "zombie": zombie, "max_interactions": most, "retries": 1 },
    });
    let checked = check(&instance.to_string(), registry().kinds());
    Arc::new(checked.plan.unwrap_or_else(|| panic!("{text}\n{:#?}", checked.findings)))
}

impl World {
    /// Whatever is durable at this moment fits together.
    pub(crate) fn check_units(&self) {
        let tasks = self.store.tasks(None, usize::MAX - 1).unwrap().items;
        let mut tasks: BTreeMap<(Uuid, String), TaskRow> =
            tasks.into_iter().map(|row| ((row.run_id, row.path.clone()), row)).collect();
        let all = self.store.runs(PROJECT, &RunFilter::default(), None, usize::MAX - 1).unwrap();
        for row in all.items {
            let plan = &self.plans[&row.definition_id];
            let left = self.check_story(row.run_id, plan);
            let state = self.state_of(row.run_id).unwrap();
            check_offers(&state, &mut tasks);
            if let Some(tokens) = state.tokens() {
                self.check_rows(row.run_id, tokens);
                for (path, unit) in tokens.units() {
                    assert!(
                        state.status.is_terminal() || is_cared_for(&state, tokens, path, unit),
                        "{path} of {} is lost: {unit:#?}",
                        row.run_id
                    );
                }
            }
            let own = self.actors.acknowledged.iter().filter(|one| one.0 == row.run_id);
            for (_, path, fence, ends) in own.filter(|_| state.tokens().is_some()) {
                let how = left.get(&(path.clone(), *fence));
                let how = how.unwrap_or_else(|| panic!("{path} #{fence} is still held"));
                assert!(ends.contains(&how.as_str()), "{path} #{fence}: {how}, not {ends:?}");
            }
        }
        assert!(tasks.is_empty(), "tasks of nothing: {tasks:#?}");
    }

    /// Nobody has told the desk anything else than what is durable.
    pub(crate) fn check_desk(&self) {
        let rows = self.store.tasks(None, usize::MAX - 1).unwrap().items;
        let rows: BTreeMap<Uuid, TaskRow> =
            rows.into_iter().map(|row| (row.task_id, row)).collect();
        assert_eq!(self.process.desk, rows);
    }

    /// Goes through a journal. Answers how each handing over of a unit has ended.
    fn check_story(&self, run_id: Uuid, plan: &Plan) -> BTreeMap<(String, u64), String> {
        let events = self.store.events(run_id, 0, usize::MAX, usize::MAX).unwrap().items;
        let mut state = RunState::from_first(&events[0].event).unwrap();
        let mut left = BTreeMap::new();
        for numbered in &events[1..] {
            let Fact::UnitChanged { path, change } = &numbered.event.fact else {
                state.evolve(&numbered.event);
                continue;
            };
            let tokens = state.tokens().unwrap();
            let before = tokens.unit(path).unwrap().clone();
            let because = change.because.as_str();
            let stays = because == "pruned" && change.status == before.status;
            assert!(!before.is_over() || stays, "{path} was over: {because} after {before:#?}");
            if because == "claimed" {
                assert!(before.holder.is_none(), "{path} is in two hands");
                assert_eq!(change.holder.as_ref().unwrap().fence, before.fence + 1);
                check_cerberus(plan, tokens, path, change.role.as_deref().unwrap());
            }
            if matches!(because, "submitted" | "finalized" | "failed" | "released") {
                let by = before.holder.as_ref().map(|held| held.holder.by.as_str());
                let is_returned = change.by == windlass_core::run::token::SYSTEM;
                let is_approved = before.reason.as_deref() == Some("approved");
                assert!(is_returned || is_approved || by == Some(&change.by), "{path} {because}");
            }
            state.evolve(&numbered.event);
            let after = state.tokens().unwrap().unit(path).unwrap();
            assert!(after.fence >= before.fence);
            if let Some(held) = before.holder.as_ref().filter(|_| after.holder.is_none()) {
                left.insert((path.clone(), held.holder.fence), because.to_owned());
            }
        }
        left
    }

    fn check_rows(&self, run_id: Uuid, tokens: &Tokens) {
        let rows = self.store.units_of_run(run_id, None, usize::MAX - 1).unwrap().items;
        assert_eq!(rows.len(), tokens.units().count(), "a row for each unit");
        for row in rows {
            let unit = tokens.unit(&row.path).unwrap();
            let holder = unit.holder.as_ref().map(|held| held.holder.by.clone());
            assert_eq!((row.unit_id, row.status.as_str()), (unit.id, unit.status.as_str()));
            assert_eq!(row.place.as_deref(), unit.place.as_deref(), "{}", row.path);
            assert_eq!((row.holder, row.fence), (holder, unit.fence));
            assert_eq!((&*row.hash, row.version), (&*unit.hash, unit.version()));
            assert_eq!(row.finished_child_count, unit.finished_children, "{}", row.path);
            assert_eq!(row.child_count as usize, unit.children.len());
            assert_eq!((row.due_at, row.updated_at), (unit.until, unit.changed_at));
            let values =
                unit.attributes.iter().map(|(name, one)| (name.to_string(), (*one.value).clone()));
            let hash = windlass_core::json::sha256(&serde_json::Value::Object(values.collect()));
            let is_pruned = unit.reason.as_deref() == Some("pruned");
            assert!(is_pruned || hash == *unit.hash, "{} has another hash", row.path);
        }
    }
}

/// Task rows are the offers of the state, no more and no fewer.
fn check_offers(state: &RunState, tasks: &mut BTreeMap<(Uuid, String), TaskRow>) {
    let run_id = state.created.run_id;
    for path in state.offered() {
        let Some(offer) = state.offer(path) else { continue };
        let row = tasks.remove(&(run_id, path.to_owned()));
        let row = row.unwrap_or_else(|| panic!("{path} of {run_id} is offered without a task"));
        assert_eq!(row.queue, offer.queue);
        assert_eq!((row.fence, row.attempt), (offer.fence, offer.attempt), "{path}");
        assert_eq!(row.holder, offer.holder.map(|holder| holder.by), "{path}");
    }
}

/// OMEGA takes no base before all that it was split into has come to the end.
fn check_cerberus(plan: &Plan, tokens: &Tokens, path: &str, role: &str) {
    let unit = tokens.unit(path).unwrap();
    let template = &plan.tokens.as_ref().unwrap().workflows[&*unit.workflow];
    let kind = template.roles.iter().find(|one| one.name == role).unwrap().kind;
    if kind != RoleKind::Omega {
        return;
    }
    assert!(unit.parent.is_none(), "the last role took a part, {path}");
    let mut look: Vec<&str> = unit.children.iter().map(|path| &**path).collect();
    while let Some(part) = look.pop() {
        let part = tokens.unit(part).unwrap();
        let is_home = matches!(
            part.status,
            UnitStatus::Completed | UnitStatus::Finalized | UnitStatus::Archived
        );
        let is_waived = unit.waived.contains("close_in_guard");
        assert!(is_home || is_waived, "{path} was taken early: {part:#?}");
        look.extend(part.children.iter().map(|path| &**path));
    }
}

/// Whether somebody may take it, or time or a pilot moves it, or it waits for such a one.
fn is_cared_for(state: &RunState, tokens: &Tokens, path: &str, unit: &Unit) -> bool {
    let waits_for_others = match unit.status {
        // Its parent gathers it, or it gathers its parts; a pilot can waive that.
        UnitStatus::Completed => true,
        UnitStatus::Active => unit.inside.as_ref().is_some_and(|path| tokens.unit(path).is_some()),
        UnitStatus::Paused | UnitStatus::ZombiedDead => true,
        _ => false,
    };
    unit.is_over() || state.offer(path).is_some() || unit.until.is_some() || waits_for_others
}
