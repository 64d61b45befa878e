//! What is in somebody's hands, for how long, and what is taken back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;
use windlass_core::run::Hold;

use super::Desk;
use super::state::{Entry, Lease, Stands, State};
use super::task::{Beat, Over, Progress, Said, Scope, TaskRefused};
use crate::dispatch::Mask;

/// How long what a holder says last may take to get to the run.
const ENDING_MAX: Duration = Duration::from_secs(60);

/// A lease that has ended without a word.
#[derive(Clone, Debug)]
pub(crate) struct Expired {
    pub(crate) task_id: Uuid,
    pub(crate) run_id: Uuid,
    pub(crate) path: Arc<str>,
    pub(crate) fence: u64,
    pub(crate) holder: String,
    pub(crate) kind: Arc<str>,
    pub(crate) queue: Arc<str>,
    pub(crate) project: Arc<str>,
}

/// Something in somebody's hands.
#[derive(Clone)]
pub(crate) struct Grip {
    pub(crate) run_id: Uuid,
    pub(crate) path: Arc<str>,
    pub(crate) kind: Arc<str>,
    pub(crate) attempt: u32,
    pub(crate) hold: Hold,
    pub(crate) mask: Option<Arc<Mask>>,
    pub(crate) is_tried: bool,
}

impl Desk {
    /// A sign of life: the lease begins anew, and the worker hears whether it is to stop.
    ///
    /// # Errors
    ///
    /// That the task is not its own.
    pub(crate) fn heartbeat(
        &self,
        scope: &Scope,
        task_id: Uuid,
        hold: &Hold,
        progress: Progress,
    ) -> Result<Beat, TaskRefused> {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.workers.heard_of(scope, &hold.by, now);
        match self.held(&mut state, scope, task_id, hold) {
            Ok((_, lease)) => {
                lease.until = now + lease.length;
                if progress.is_some() {
                    lease.progress = progress;
                }
                Ok(Beat { cancel: None, lease: lease.length })
            }
            // Whoever holds a task that is not wanted any more is told so, as often as they ask.
            Err(TaskRefused::Over(how)) if how != Over::Told => {
                Ok(Beat { cancel: Some(how), lease: Duration::ZERO })
            }
            Err(refused) => Err(refused),
        }
    }

    /// Something in somebody's hands, to say something of it. With `ends`, it is the last
    /// that is said.
    pub(crate) fn grip(
        &self,
        scope: &Scope,
        task_id: Uuid,
        hold: &Hold,
        ends: Option<Said>,
    ) -> Result<Grip, TaskRefused> {
        let mut state = self.state.lock();
        state.workers.heard_of(scope, &hold.by, Instant::now());
        let (entry, lease) = self.held(&mut state, scope, task_id, hold)?;
        if ends.is_some() {
            lease.ending = ends;
        }
        Ok(Grip {
            run_id: entry.run_id,
            path: entry.path,
            kind: entry.kind,
            attempt: entry.attempt,
            hold: lease.hold.clone(),
            mask: lease.mask.clone(),
            is_tried: entry.is_tried,
        })
    }

    /// Whether a holder has said this of a task, as the last, and it counts.
    pub(crate) fn has_said(&self, task_id: Uuid, hold: &Hold, said: Said) -> bool {
        let state = self.state.lock();
        let past = state.over.get(&task_id).filter(|past| fits(&past.hold, hold));
        past.is_some_and(|past| past.how == Over::Told && past.said == Some(said))
    }

    /// What was about to end goes on: it was refused, or nobody knows.
    pub(crate) fn not_ended(&self, task_id: Uuid) {
        let mut state = self.state.lock();
        if let Some(Entry { stands: Stands::Held(lease), .. }) = state.tasks.get_mut(&task_id) {
            lease.ending = None;
        }
    }

    /// Something is said in a task: it is to be forgotten when the lease ends. Answers whether there
    /// is one still.
    pub(crate) fn speaks(&self, task_id: Uuid) -> bool {
        let mut state = self.state.lock();
        let Some(Entry { stands: Stands::Held(lease), .. }) = state.tasks.get_mut(&task_id) else {
            return false;
        };
        lease.has_spoken = true;
        true
    }

    /// How many lines a worker may still write: `most` in all.
    pub(crate) fn count_lines(&self, task_id: Uuid, lines: u64) -> u64 {
        let mut state = self.state.lock();
        let Some(Entry { stands: Stands::Held(lease), .. }) = state.tasks.get_mut(&task_id) else {
            return 0;
        };
        let before = lease.line_count;
        lease.line_count = before.saturating_add(lines);
        before
    }

    pub(crate) fn keep_mask(&self, task_id: Uuid, fence: u64, scope: &Scope, mask: Arc<Mask>) {
        let mut state = self.state.lock();
        if let Some(Entry { stands: Stands::Held(lease), .. }) = state.tasks.get_mut(&task_id)
            && lease.hold.fence == Some(fence)
        {
            lease.mask = Some(mask);
            lease.scope = Some(scope.clone());
        }
    }

    /// Leases that have ended. Nothing that is said of them counts any more.
    pub(crate) fn sweep(&self, now: Instant) -> Vec<Expired> {
        self.sweep_those(now, |_, _, _| false)
    }

    /// The same among the units of work of one project, and of those the ones too whose holders have
    /// been silent for so long, whatever lease they have.
    pub(crate) fn sweep_silent(
        &self,
        now: Instant,
        project: &str,
        silent_for: Duration,
    ) -> Vec<Expired> {
        self.sweep_those(now, |kind, of, lease| {
            let heard_at = lease.until.checked_sub(lease.length);
            let silence = heard_at.map(|at| now.saturating_duration_since(at));
            kind == "unit" && of == project && silence.is_some_and(|it| it >= silent_for)
        })
    }

    fn sweep_those(
        &self,
        now: Instant,
        is_meant: impl Fn(&str, &str, &Lease) -> bool,
    ) -> Vec<Expired> {
        let mut state = self.state.lock();
        state.put_back_trials(now);
        // Each instance has queues of its own, and there may have been many.
        state.queues.retain(|_, queue| !queue.is_over(now));
        let State { tasks, held, .. } = &mut *state;
        let expired = held.iter().filter_map(|task_id| {
            let entry = tasks.get_mut(task_id)?;
            let Stands::Held(lease) = &mut entry.stands else { return None };
            // One that is just ending has come in time. Its run decides soon, unless the end never got
            // there: nobody waits for its answer any more, or it was refused.
            let until = if lease.ending.is_some() { lease.until + ENDING_MAX } else { lease.until };
            let is_meant = lease.ending.is_none() && is_meant(&entry.kind, &entry.queue.1, lease);
            if until > now && !is_meant || lease.is_lost {
                return None;
            }
            lease.is_lost = true;
            lease.ending = None;
            Some(Expired {
                task_id: *task_id,
                run_id: entry.run_id,
                path: entry.path.clone(),
                fence: lease.hold.fence.unwrap_or(entry.fence),
                holder: lease.hold.by.clone(),
                kind: entry.kind.clone(),
                queue: entry.queue.0.clone(),
                project: entry.queue.1.clone(),
            })
        });
        expired.collect()
    }

    /// The run could not be told that a lease has ended: it is told again.
    pub(crate) fn sweep_again(&self, task_id: Uuid) {
        let mut state = self.state.lock();
        if let Some(Entry { stands: Stands::Held(lease), .. }) = state.tasks.get_mut(&task_id) {
            lease.is_lost = false;
        }
    }

    /// The run of a lease that has ended knows nothing of it, or is gone.
    pub(crate) fn drop_lost(&self, task_id: Uuid) {
        let mut state = self.state.lock();
        let is_lost = |entry: &Entry| matches!(&entry.stands, Stands::Held(lease) if lease.is_lost);
        if state.tasks.get(&task_id).is_some_and(is_lost)
            && let Some(entry) = state.take_out(task_id)
        {
            state.remember(task_id, entry, Over::Lost, Instant::now());
        }
    }

    fn held<'s>(
        &self,
        state: &'s mut State,
        scope: &Scope,
        task_id: Uuid,
        hold: &Hold,
    ) -> Result<(GripOf, &'s mut Lease), TaskRefused> {
        // Who shows no fence means what is in their hands now, if anything is: they may have had the
        // same task before.
        let is_held = matches!(
            state.tasks.get(&task_id),
            Some(Entry { stands: Stands::Held(lease), .. }) if fits(&lease.hold, hold)
        );
        if !is_held
            && let Some(past) = state.over.get(&task_id)
            && fits(&past.hold, hold)
            && self.is_for_project(scope, &past.project)
        {
            return Err(TaskRefused::Over(past.how));
        }
        let unknown = state.unknown();
        let Some(entry) = state.tasks.get_mut(&task_id) else {
            return Err(match state.over.get(&task_id) {
                Some(past) if self.is_for_project(scope, &past.project) => {
                    TaskRefused::LeaseLost(hold.fence)
                }
                _ => unknown,
            });
        };
        if !self.is_for(scope, &entry.queue, &entry.kind) {
            return Err(TaskRefused::NotFound);
        }
        let grip = GripOf {
            run_id: entry.run_id,
            path: entry.path.clone(),
            kind: entry.kind.clone(),
            attempt: entry.attempt,
            is_tried: entry.tried.is_some(),
        };
        match &mut entry.stands {
            Stands::Held(lease) if fits(&lease.hold, hold) && !lease.is_lost => Ok((grip, lease)),
            _ => Err(TaskRefused::LeaseLost(hold.fence)),
        }
    }
}

impl State {
    /// Nodes that are tried out have no run to tell: they simply wait again.
    fn put_back_trials(&mut self, now: Instant) {
        let lost = self.held();
        let lost = lost.filter(|(_, entry, lease)| entry.tried.is_some() && lease.until <= now);
        let lost: Vec<Uuid> = lost.map(|(task_id, ..)| task_id).collect();
        for task_id in lost {
            self.restand(task_id, Stands::Ready);
        }
    }
}

struct GripOf {
    run_id: Uuid,
    path: Arc<str>,
    kind: Arc<str>,
    attempt: u32,
    is_tried: bool,
}

/// Whether what is shown is what is held. Who shows no fence means the latest.
fn fits(held: &Hold, shown: &Hold) -> bool {
    held.by == shown.by && shown.fence.is_none_or(|fence| held.fence == Some(fence))
}
