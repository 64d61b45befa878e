//! The board: attempts that wait for a worker or are in the hands of one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;
use windlass_core::limits::{LOG_LINE_BYTES_MAX, LOG_LINE_COUNT_MAX};
use windlass_core::run::AttemptError;

use super::state::{Entry, Lease, State, place_of};
use super::task::{Beat, Demand, Handed, Hold, Origin, Over, POLL_COUNT_MAX, Refused, Scope};
use crate::context::LogStream;
use crate::node::{fail, retry};

/// How often it may be given back.
const RELEASE_COUNT_MAX: u32 = 100;
/// What all configs that are handed over at once may have together, in bytes, if it is more than one.
const HANDED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Handings over of one attempt are counted below this; the attempt's number is above, so that a
/// fence grows from attempt to attempt, whichever server has made it.
const FENCES_PER_ATTEMPT: u64 = 1 << 20;

/// Attempts that wait for a worker or are in the hands of one.
#[derive(Default)]
pub struct Board {
    /// The kinds that workers do, and the plugin of each.
    kinds: BTreeMap<String, String>,
    pub(super) state: Mutex<State>,
    /// Rings whenever a task waits for somebody.
    pub(super) posted: Notify,
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Board").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

/// A poll that waits, for as long as this lives.
struct Polling<'a> {
    board: &'a Board,
    scope: &'a Scope,
    worker: &'a str,
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        let mut state = self.board.state.lock();
        state.workers.ends_poll(self.scope, self.worker, Instant::now());
        if let Some(count) = state.polls.get_mut(self.scope) {
            *count -= 1;
            if *count == 0 {
                state.polls.remove(self.scope);
            }
        }
    }
}

impl Board {
    /// An empty board for kinds, by name, with the plugin of each.
    pub fn new(kinds: impl IntoIterator<Item = (String, String)>) -> Board {
        let kinds = kinds.into_iter().collect();
        Board { kinds, state: Mutex::default(), posted: Notify::new() }
    }

    /// The kinds that workers do, and the plugin of each.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        self.kinds.iter().map(|(kind, plugin)| (kind.as_str(), plugin.as_str()))
    }

    /// The plugin of a kind.
    pub fn plugin_of(&self, kind: &str) -> Option<&str> {
        self.kinds.get(kind).map(String::as_str)
    }

    /// Whether tasks like this one are for those of a scope.
    fn is_for(&self, scope: &Scope, origin: &Origin) -> bool {
        match scope {
            Scope::Project(project) => **project == *origin.project,
            Scope::Plugin(plugin) => self.plugin_of(&origin.kind) == Some(plugin),
        }
    }

    /// Hands tasks over, as soon as there are any; none if there are none for as long as `wait`.
    ///
    /// # Errors
    ///
    /// [`Refused::TooManyPolls`].
    pub async fn poll(
        &self,
        scope: &Scope,
        demand: &Demand,
        wait: Duration,
    ) -> Result<Vec<Handed>, Refused> {
        let deadline = Instant::now() + wait;
        let _polling = {
            let mut state = self.state.lock();
            let count = state.polls.entry(scope.clone()).or_default();
            if *count >= POLL_COUNT_MAX {
                return Err(Refused::TooManyPolls);
            }
            *count += 1;
            state.workers.begins_poll(scope, demand, Instant::now());
            Polling { board: self, scope, worker: &demand.worker }
        };
        loop {
            // It listens before it looks, so that nothing comes in between.
            let posted = self.posted.notified();
            tokio::pin!(posted);
            posted.as_mut().enable();
            let handed = self.take(scope, demand);
            if !handed.is_empty() {
                return Ok(handed);
            }
            if tokio::time::timeout_at(deadline, posted).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    /// Hands over what is there at this moment.
    fn take(&self, scope: &Scope, demand: &Demand) -> Vec<Handed> {
        let mut state = self.state.lock();
        let (now, mut bytes, mut taken) = (Instant::now(), 0_usize, Vec::new());
        while taken.len() < demand.max {
            let Some(id) = self.next(&state, scope, &demand.kinds) else { break };
            let Some(entry) = state.tasks.get_mut(&id) else { break };
            bytes = bytes.saturating_add(entry.config_bytes);
            if !taken.is_empty() && bytes > HANDED_BYTES_MAX {
                break;
            }
            entry.handed_count += 1;
            let fence = u64::from(entry.origin.attempt) * FENCES_PER_ATTEMPT + entry.handed_count;
            let hold = Hold { worker: demand.worker.clone(), fence };
            entry.last = Some(hold.clone());
            entry.lease = Some(Lease {
                scope: scope.clone(),
                hold,
                length: demand.lease,
                since: now,
                until: now + demand.lease,
            });
            entry.handed.notify_one();
            taken.push(Handed {
                id,
                fence,
                origin: entry.origin.clone(),
                config: entry.config.clone(),
                lease: demand.lease,
                timeout: entry.deadline.map(|(limit, _)| limit),
                time_left: entry.deadline.map(|(_, at)| at.saturating_duration_since(now)),
            });
            let (place, number) = (place_of(&entry.origin), entry.number);
            state.no_longer_waits(&place, number);
        }
        taken
    }

    /// Of the tasks that wait, the one that came first.
    fn next(&self, state: &State, scope: &Scope, kinds: &[String]) -> Option<Uuid> {
        let first = |tasks: &BTreeMap<u64, Uuid>| tasks.first_key_value().map(|(n, id)| (*n, *id));
        let found = match scope {
            Scope::Project(project) => {
                let place = |kind: &String| (Arc::from(kind.as_str()), Arc::from(project.as_str()));
                kinds.iter().filter_map(|kind| first(state.ready.get(&place(kind))?)).min()
            }
            Scope::Plugin(plugin) => {
                let own = kinds.iter().filter(|kind| self.plugin_of(kind) == Some(plugin));
                let of_kind = |kind: &String| {
                    let from: (Arc<str>, Arc<str>) = (Arc::from(kind.as_str()), Arc::from(""));
                    let projects = state.ready.range(from..);
                    let same = projects.take_while(|((one, _), _)| **one == **kind);
                    same.filter_map(|(_, tasks)| first(tasks)).min()
                };
                own.filter_map(of_kind).min()
            }
        };
        found.map(|(_, id)| id)
    }

    /// A sign of life: the lease begins anew, and the worker hears whether it is to stop.
    ///
    /// # Errors
    ///
    /// That the task is not its own.
    pub fn heartbeat(&self, scope: &Scope, id: Uuid, hold: &Hold) -> Result<Beat, Refused> {
        let mut state = self.state.lock();
        state.workers.heard_of(scope, &hold.worker, Instant::now());
        match self.held(&mut state, scope, id, hold) {
            Ok(entry) => {
                let Some(lease) = &mut entry.lease else { return Err(Refused::NotFound) };
                lease.until = Instant::now() + lease.length;
                Ok(Beat { cancel: None, lease: lease.length })
            }
            // Whoever holds a task that is not wanted any more is told so, as often as they ask.
            Err(Refused::Over(how)) if how != Over::Told => {
                Ok(Beat { cancel: Some(how), lease: Duration::ZERO })
            }
            Err(refused) => Err(refused),
        }
    }

    /// Takes log lines of a task.
    ///
    /// # Errors
    ///
    /// That the task is not the worker's own.
    pub async fn log(
        &self,
        scope: &Scope,
        id: Uuid,
        hold: &Hold,
        lines: Vec<(LogStream, String)>,
    ) -> Result<(), Refused> {
        let (sink, taken) = {
            let mut state = self.state.lock();
            let entry = self.held(&mut state, scope, id, hold)?;
            let before = entry.line_count;
            entry.line_count += u64::try_from(lines.len()).unwrap_or(u64::MAX);
            (entry.logs.clone(), before)
        };
        for ((stream, text), number) in lines.into_iter().zip(taken + 1..) {
            if number > LOG_LINE_COUNT_MAX {
                if taken <= LOG_LINE_COUNT_MAX {
                    let text = format!("more than {LOG_LINE_COUNT_MAX} lines: the rest is dropped");
                    sink.line(LogStream::System, text).await;
                }
                break;
            }
            sink.line(stream, cut(text)).await;
        }
        Ok(())
    }

    /// Ends a task. Said twice by the same worker, it counts once.
    ///
    /// # Errors
    ///
    /// That the task is not its own, or that the output does not fit, by which the attempt has
    /// failed.
    pub fn end(
        &self,
        scope: &Scope,
        id: Uuid,
        hold: &Hold,
        result: Result<Value, AttemptError>,
    ) -> Result<Origin, Refused> {
        let kind = {
            let mut state = self.state.lock();
            state.workers.heard_of(scope, &hold.worker, Instant::now());
            match self.held(&mut state, scope, id, hold) {
                Ok(entry) => entry.kind.clone(),
                // Its first answer may have got lost.
                Err(Refused::Over(Over::Told)) => {
                    return state.past_of(id).ok_or(Refused::NotFound);
                }
                Err(refused) => return Err(refused),
            }
        };
        let mut violations = Vec::new();
        let result = match (result, &kind.output_schema) {
            (Ok(output), Some(schema)) => {
                violations = schema.violations(&output);
                match violations.first() {
                    None => Ok(output),
                    Some(first) => {
                        let message = format!("the output at `{}`: {}", first.path, first.message);
                        Err(fail("bad_output", message))
                    }
                }
            }
            (result, _) => result,
        };
        let mut state = self.state.lock();
        let entry = self.held(&mut state, scope, id, hold)?;
        let (origin, attempt) = (entry.origin.clone(), entry.origin.attempt);
        if let Some(entry) = state.remove(id, attempt, Over::Told) {
            // An executor that is gone has been told to stop.
            let _ = entry.ended.send(result);
        }
        if violations.is_empty() { Ok(origin) } else { Err(Refused::BadOutput(violations)) }
    }

    /// Gives a task back, for another worker or another time.
    ///
    /// # Errors
    ///
    /// That the task is not the worker's own.
    pub fn release(&self, scope: &Scope, id: Uuid, hold: &Hold) -> Result<(), Refused> {
        let mut state = self.state.lock();
        let entry = self.held(&mut state, scope, id, hold)?;
        entry.release_count += 1;
        if entry.release_count > RELEASE_COUNT_MAX {
            let attempt = entry.origin.attempt;
            let message = format!("workers have given the task back {RELEASE_COUNT_MAX} times");
            if let Some(entry) = state.remove(id, attempt, Over::Lost) {
                let _ = entry.ended.send(Err(retry("worker_lost", message)));
            }
            return Ok(());
        }
        entry.lease = None;
        state.waits_again(id);
        drop(state);
        self.posted.notify_waiters();
        Ok(())
    }

    /// The task, if it is in the hands of whoever says so.
    fn held<'a>(
        &self,
        state: &'a mut State,
        scope: &Scope,
        id: Uuid,
        hold: &Hold,
    ) -> Result<&'a mut Entry, Refused> {
        let State { tasks, over, .. } = state;
        let Some(entry) = tasks.get_mut(&id) else {
            return Err(match over.get(&id) {
                Some(past) if !self.is_for(scope, &past.origin) => Refused::NotFound,
                Some(past) if past.hold == *hold => Refused::Over(past.how),
                Some(_) => Refused::LeaseLost(hold.fence),
                None => Refused::NotFound,
            });
        };
        if !self.is_for(scope, &entry.origin) {
            return Err(Refused::NotFound);
        }
        let is_own = entry.lease.as_ref().is_some_and(|lease| lease.hold == *hold);
        if is_own { Ok(entry) } else { Err(Refused::LeaseLost(hold.fence)) }
    }
}

/// A line within the bounds that all log lines have.
fn cut(mut text: String) -> String {
    if text.len() > LOG_LINE_BYTES_MAX {
        let is_end = |end: &usize| text.is_char_boundary(*end);
        let end = (0..=LOG_LINE_BYTES_MAX).rev().find(is_end).unwrap_or_default();
        text.truncate(end);
        text.push_str(" … [cut]");
    }
    text
}
