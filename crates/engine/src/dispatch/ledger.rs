//! What calls to models have taken and may take, by what a budget counts together.
//!
//! A call is held against every budget it belongs to before it is made, with the most it can take, and
//! settled with what it took. So calls that are made at the same time never take more than there is,
//! however many they are: one for which the room is only held by others waits until they have settled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use uuid::Uuid;
use windlass_core::{Budget, Time};
use windlass_store::{Store, StoreError, Taken, UsageFilter, UsageRow};

/// Rows of what was taken on a day that are added up. A day of more nodes and models than that is not
/// to be expected.
const ROWS_MAX: usize = 1_000_000;
/// Counts that may be in memory before those that nobody has asked for lately go.
const ENTRIES_MAX: usize = 10_000;
const KEPT: Duration = Duration::from_secs(600);

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// A run.
    Run(Uuid),
    /// A node of a run, by its address.
    NodeOfRun(Uuid, String),
    /// A workflow of a project on a day.
    Workflow(Arc<str>, String, i64),
    /// A node of a workflow on a day.
    NodeOfDay(Arc<str>, String, String, i64),
    /// A project on a day.
    Project(Arc<str>, i64),
}

/// How much of what a budget limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) calls: u64,
    pub(super) tokens: u64,
    pub(super) cost_micros: u64,
}

impl Amount {
    fn plus(self, other: Amount) -> Amount {
        Amount {
            calls: self.calls.saturating_add(other.calls),
            tokens: self.tokens.saturating_add(other.tokens),
            cost_micros: self.cost_micros.saturating_add(other.cost_micros),
        }
    }

    fn minus(self, other: Amount) -> Amount {
        Amount {
            calls: self.calls.saturating_sub(other.calls),
            tokens: self.tokens.saturating_sub(other.tokens),
            cost_micros: self.cost_micros.saturating_sub(other.cost_micros),
        }
    }

    /// What was taken, and what may have been.
    fn of(taken: &Taken) -> Amount {
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        Amount {
            calls: count(taken.calls + taken.held_calls),
            tokens: count(taken.input_tokens + taken.output_tokens + taken.held_tokens),
            cost_micros: count(taken.cost_micros + taken.held_cost_micros),
        }
    }
}

/// A budget that a call has to fit into.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    pub(super) scope: Scope,
    pub(super) budget: Budget,
    /// How often somebody has let the step take as much again.
    pub(super) grants: u64,
}

/// Why nothing is held.
#[derive(Debug)]
pub(super) enum NotHeld {
    /// It does not fit.
    Excess(Excess),
    /// What was taken before cannot be read.
    Unread(StoreError),
}

/// The end of a call: what was held for it, and what it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    pub(super) bound: Amount,
    pub(super) taken: Amount,
}

/// What has come of trying to hold something.
enum Tried {
    Held,
    /// Others hold the room that it takes.
    Later,
    /// A count is not at hand any more.
    Missing,
}

/// Why a call does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excess {
    /// Which of the limits.
    pub(super) at: usize,
    /// What is spent: `tokens`, `calls`, `cost_usd`, `wall`.
    pub(super) what: &'static str,
    /// A sentence.
    pub(super) message: String,
}

#[derive(Debug)]
struct Entry {
    spent: Amount,
    held: Amount,
    first_at: Option<Time>,
    used_at: tokio::time::Instant,
}

/// How a call stands to a limit.
enum Fit {
    Fits,
    /// It would, if what others hold were not there.
    Later,
    Never(&'static str, String),
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: Mutex<HashMap<Scope, Entry>>,
    settled: Notify,
    /// One at a time, so that nothing is counted from two readings.
    loading: AsyncMutex<()>,
}

impl Ledger {
    /// Waits until a call fits into all limits, and holds what it can take.
    ///
    /// # Errors
    ///
    /// The limit that it does not fit into whatever others do, or that nobody can know.
    pub(super) async fn hold(
        &self,
        store: &Arc<dyn Store>,
        limits: &[Limit],
        bound: Amount,
        now: impl Fn() -> Time,
    ) -> Result<(), NotHeld> {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            self.load(store, limits).await.map_err(NotHeld::Unread)?;
            match self.try_hold(limits, bound, now()).map_err(NotHeld::Excess)? {
                Tried::Held => return Ok(()),
                Tried::Missing => {}
                Tried::Later => settled.await,
            }
        }
    }

    fn try_hold(&self, limits: &[Limit], bound: Amount, now: Time) -> Result<Tried, Excess> {
        let mut entries = self.entries.lock();
        let mut fits = true;
        for (at, limit) in limits.iter().enumerate() {
            let Some(entry) = entries.get(&limit.scope) else { return Ok(Tried::Missing) };
            match entry.fit(limit, bound, now) {
                Fit::Fits => {}
                Fit::Later => fits = false,
                Fit::Never(what, message) => return Err(Excess { at, what, message }),
            }
        }
        if !fits {
            return Ok(Tried::Later);
        }
        for scope in scopes(limits) {
            if let Some(entry) = entries.get_mut(scope) {
                entry.held = entry.held.plus(bound);
                entry.first_at.get_or_insert(now);
            }
        }
        Ok(Tried::Held)
    }

    /// What was held is taken, or never was. `all` are the scopes that the call belongs to, limited
    /// or not: who is counted already has to be counted on.
    pub(super) fn settle(&self, limits: &[Limit], all: &[Scope], settled: Settled) {
        let mut entries = self.entries.lock();
        for scope in scopes(limits) {
            if let Some(entry) = entries.get_mut(scope) {
                entry.held = entry.held.minus(settled.bound);
            }
        }
        for scope in all {
            if let Some(entry) = entries.get_mut(scope) {
                entry.spent = entry.spent.plus(settled.taken);
            }
        }
        drop(entries);
        self.settled.notify_waiters();
    }

    /// Has everything that limits count at hand. What is not was never counted by this server.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    async fn load(&self, store: &Arc<dyn Store>, limits: &[Limit]) -> Result<(), StoreError> {
        let is_there = |scope: &Scope| {
            let mut entries = self.entries.lock();
            let entry = entries.get_mut(scope);
            entry.map(|entry| entry.used_at = tokio::time::Instant::now()).is_some()
        };
        if limits.iter().all(|limit| is_there(&limit.scope)) {
            return Ok(());
        }
        let _turn = self.loading.lock().await;
        for scope in scopes(limits).filter(|scope| !is_there(scope)) {
            let (store, wanted) = (store.clone(), scope.clone());
            let read = tokio::task::spawn_blocking(move || rows(&*store, &wanted)).await;
            let rows = read.map_err(|error| StoreError::Unavailable(error.to_string()))??;
            let taken = rows.iter().map(|row| Amount::of(&row.taken));
            let entry = Entry {
                spent: taken.fold(Amount::default(), Amount::plus),
                held: Amount::default(),
                first_at: rows.iter().map(|row| row.first_at).min(),
                used_at: tokio::time::Instant::now(),
            };
            self.keep(scope.clone(), entry);
        }
        Ok(())
    }

    fn keep(&self, scope: Scope, entry: Entry) {
        let mut entries = self.entries.lock();
        if entries.len() >= ENTRIES_MAX {
            let is_in_use = |entry: &mut Entry| {
                entry.held != Amount::default() || entry.used_at.elapsed() < KEPT
            };
            entries.retain(|_, entry| is_in_use(entry));
        }
        entries.insert(scope, entry);
    }
}

/// Each once.
fn scopes(limits: &[Limit]) -> impl Iterator<Item = &Scope> {
    let is_first = |at: usize| limits[..at].iter().all(|other| other.scope != limits[at].scope);
    limits.iter().enumerate().filter(move |(at, _)| is_first(*at)).map(|(_, limit)| &limit.scope)
}

fn rows(store: &dyn Store, scope: &Scope) -> Result<Vec<UsageRow>, StoreError> {
    let of_day = |project: &str, workflow: Option<&String>, day: i64| {
        let filter =
            UsageFilter { workflow: workflow.cloned(), from_day: day, to_day: day, by_hour: false };
        store.usage(project, &filter, ROWS_MAX)
    };
    match scope {
        Scope::Run(run_id) => store.usage_of_run(*run_id),
        Scope::NodeOfRun(run_id, node) => {
            let mut rows = store.usage_of_run(*run_id)?;
            rows.retain(|row| row.node == *node);
            Ok(rows)
        }
        Scope::Workflow(project, workflow, day) => of_day(project, Some(workflow), *day),
        Scope::NodeOfDay(project, workflow, node, day) => {
            let mut rows = of_day(project, Some(workflow), *day)?;
            rows.retain(|row| row.node == *node);
            Ok(rows)
        }
        Scope::Project(project, day) => of_day(project, None, *day),
    }
}

impl Entry {
    fn fit(&self, limit: &Limit, bound: Amount, now: Time) -> Fit {
        let budget = &limit.budget;
        let times = limit.grants.saturating_add(1);
        let wall = budget.wall.zip(self.first_at);
        if let Some((wall, first_at)) = wall {
            let most = wall.0.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX));
            let gone = now.since(first_at);
            if gone >= most {
                let message = format!("{}s of {}s are gone", gone.as_secs(), most.as_secs());
                return Fit::Never("wall", message);
            }
        }
        let limits = [
            ("tokens", budget.tokens, self.spent.tokens, self.held.tokens, bound.tokens),
            ("calls", budget.calls, self.spent.calls, self.held.calls, bound.calls),
            (
                "cost_usd",
                budget.cost_micros(),
                self.spent.cost_micros,
                self.held.cost_micros,
                bound.cost_micros,
            ),
        ];
        let mut fit = Fit::Fits;
        for (what, most, spent, held, bound) in limits {
            let Some(most) = most.map(|most| most.saturating_mul(times)) else { continue };
            if spent.saturating_add(bound) > most {
                return Fit::Never(what, told(what, spent, most, bound));
            }
            if spent.saturating_add(held).saturating_add(bound) > most {
                fit = Fit::Later;
            }
        }
        fit
    }
}

fn told(what: &str, spent: u64, most: u64, bound: u64) -> String {
    let dollars = |micros: u64| format!("${}.{:06}", micros / 1_000_000, micros % 1_000_000);
    match what {
        "cost_usd" => format!(
            "{} of {} are spent, and the next call can cost {}",
            dollars(spent),
            dollars(most),
            dollars(bound)
        ),
        "calls" => format!("{spent} of {most} calls are made"),
        _ => format!("{spent} of {most} tokens are spent, and the next call can take {bound}"),
    }
}

#[cfg(test)]
mod tests;
