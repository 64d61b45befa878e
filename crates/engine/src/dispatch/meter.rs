//! Counting the calls of an attempt to models: within its budgets, and in the journal.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Value, json};
use windlass_core::run::path::address_of;
use windlass_core::{OnSpent, Per, Time};
use windlass_nodes::llm::{Accountant, Bound, OverBudget, Refusal, Then, Usage};
use windlass_nodes::retry;
use windlass_store::Taken;

use super::ledger::{Amount, Excess, Limit, NotHeld, Scope, Settled};
use super::records::Records;
use crate::shard::{AttemptOrder, Report};
use crate::usage::{COUNT_MAX, Call, day_of, taken};

/// Counts the calls of one attempt.
pub(super) struct Meter {
    records: Arc<Records>,
    has_budget: bool,
    /// Numbers the calls of the attempt.
    count: AtomicU64,
    held: Mutex<HashMap<u64, Held>>,
}

/// A call that was allowed.
#[derive(Clone)]
struct Held {
    bound: Bound,
    amount: Amount,
    at: Time,
    belongs: Arc<Belongs>,
}

/// What a call belongs to on its day.
struct Belongs {
    limits: Vec<Limit>,
    /// All of it, limited or not.
    scopes: Vec<Scope>,
}

impl Meter {
    pub(super) fn new(records: Arc<Records>) -> Meter {
        let AttemptOrder { budgets: [node, workflow], project, .. } = &*records.order;
        let of_project = records.dispatcher.config.budgets.get(&**project);
        let has_budget = !node.is_empty()
            || !workflow.is_empty()
            || of_project.is_some_and(|all| !all.is_empty());
        Meter { records, has_budget, count: AtomicU64::new(0), held: Mutex::default() }
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What becomes of a call that does not fit.
    fn refusal(&self, limits: &[Limit], excess: Excess) -> OverBudget {
        let Limit { scope, budget, grants } = &limits[excess.at];
        let whose = match scope {
            Scope::Run(_) => "the run's budget",
            Scope::NodeOfRun(..) => "the node's budget",
            Scope::Workflow(..) => "the workflow's budget of the day",
            Scope::NodeOfDay(..) => "the node's budget of the day",
            Scope::Project(..) => "the project's budget of the day",
        };
        let message = format!("{whose} is spent: {}", excess.message);
        let key = format!("budget-{}-{}", excess.at, grants + 1);
        let order = &self.records.order;
        let is_refused = order.records.iter().any(|record| record.key == key);
        let message = if is_refused { format!("{message}; more was refused") } else { message };
        let then = match (budget.on_spent, &budget.fallback) {
            (OnSpent::Fallback, Some(model)) => Then::Fallback(model.clone()),
            (OnSpent::Ask, _) if !is_refused => {
                let title = format!("May `{}` spend as much again?", order.path);
                let subject = json!({ "spent": excess.what, "message": message, "budget": budget });
                Then::Ask { key, question: json!({ "title": title, "subject": subject }) }
            }
            _ => Then::Stop,
        };
        OverBudget { message, then }
    }

    /// Takes back what is held for a call, and counts what it took.
    fn release(&self, number: u64, spent: impl FnOnce(&Held) -> Amount) {
        if let Some(held) = self.held.lock().remove(&number) {
            let Belongs { limits, scopes } = &*held.belongs;
            let (bound, taken) = (held.amount, spent(&held));
            self.records.dispatcher.ledger.settle(limits, scopes, Settled { bound, taken });
        }
    }

    /// Counts a call for which nothing was held.
    fn count(&self, usage: &Usage) {
        let scopes = belongs(&self.records, self.records.dispatcher.shared.clock.now()).scopes;
        let settled = Settled { bound: Amount::default(), taken: amount(usage) };
        self.records.dispatcher.ledger.settle(&[], &scopes, settled);
    }
}

/// An attempt may be dropped in the middle of anything. What is still held then counts as spent: nobody
/// knows better.
impl Drop for Meter {
    fn drop(&mut self) {
        let numbers: Vec<u64> = self.held.lock().keys().copied().collect();
        for number in numbers {
            self.release(number, |held| held.amount);
        }
    }
}

fn call(provider: &str, model: &str, at: Time, taken: Taken) -> Call {
    Call { provider: provider.to_owned(), model: model.to_owned(), at, taken }
}

/// The budgets that a call of an attempt has to fit into, and all that it belongs to.
fn belongs(records: &Records, at: Time) -> Belongs {
    let day = day_of(at);
    let AttemptOrder { run_id, project, workflow, path, budgets, .. } = &*records.order;
    let node = address_of(path);
    let of_node = [
        Scope::NodeOfRun(*run_id, node.clone()),
        Scope::NodeOfDay(project.clone(), workflow.to_string(), node, day),
    ];
    let of_workflow =
        [Scope::Run(*run_id), Scope::Workflow(project.clone(), workflow.to_string(), day)];
    let of_project = [Scope::Run(*run_id), Scope::Project(project.clone(), day)];
    let settings = &records.dispatcher.config.budgets;
    let for_project = settings.get(&**project).map(Vec::as_slice).unwrap_or_default();
    let all =
        [(&budgets[0][..], &of_node), (&budgets[1][..], &of_workflow), (for_project, &of_project)];
    let mut limits: Vec<Limit> = Vec::new();
    for (budgets, [run, day]) in all {
        for budget in budgets {
            let scope = match budget.per {
                Per::Run => run.clone(),
                Per::Day => day.clone(),
            };
            limits.push(Limit { scope, budget: budget.clone(), grants: 0 });
        }
    }
    for (at, limit) in limits.iter_mut().enumerate() {
        let start = format!("budget-{at}-");
        let is_grant = |value: &Value| value["approved"] == true;
        let grants = records
            .order
            .records
            .iter()
            .filter(|record| record.key.starts_with(&start) && is_grant(&record.value));
        limit.grants = grants.count() as u64;
    }
    let [run, day] = of_workflow;
    let [.., project] = of_project;
    Belongs { limits, scopes: of_node.into_iter().chain([run, day, project]).collect() }
}

#[async_trait]
impl Accountant for Meter {
    fn has_budget(&self) -> bool {
        self.has_budget
    }

    async fn hold(&self, bound: Bound) -> Result<u64, Refusal> {
        let dispatcher = &self.records.dispatcher;
        let at = dispatcher.shared.clock.now();
        let belongs = Arc::new(belongs(&self.records, at));
        let limits = &belongs.limits;
        let unpriced = limits.iter().position(|limit| limit.budget.cost_usd.is_some());
        let cost_micros = match (bound.cost_micros, unpriced) {
            (None, Some(at)) => {
                let message = format!("`llm.prices` has no price for `{}`", bound.model);
                let excess = Excess { at, what: "cost_usd", message };
                let OverBudget { message, .. } = self.refusal(limits, excess);
                return Err(Refusal::OverBudget(OverBudget { message, then: Then::Stop }));
            }
            (cost, _) => cost.unwrap_or(0),
        };
        let amount = Amount { calls: 1, tokens: bound.tokens, cost_micros };
        let now = || dispatcher.shared.clock.now();
        let held = dispatcher.ledger.hold(&dispatcher.shared.store, limits, amount, now).await;
        match held {
            Ok(()) => {}
            Err(NotHeld::Excess(excess)) => {
                return Err(Refusal::OverBudget(self.refusal(limits, excess)));
            }
            Err(NotHeld::Unread(error)) => {
                let message = format!("budgets cannot be read: {error}");
                return Err(Refusal::Failed(retry("unavailable", message)));
            }
        }
        let number = self.next();
        let change = Taken {
            held_calls: 1,
            held_tokens: int(bound.tokens),
            held_cost_micros: int(cost_micros),
            ..Taken::default()
        };
        let held = call(&bound.provider, &bound.model, at, change);
        let note = json!({ "model": bound.model, "tokens": bound.tokens, "cost_micros": bound.cost_micros });
        // From here on it is held, whatever becomes of the attempt.
        self.held.lock().insert(number, Held { bound, amount, at, belongs });
        let kept = self.records.keep_with(format!("hold-{number}"), note, Some(held)).await;
        kept.map(|()| number).map_err(|error| {
            // A step that is over keeps no record, and makes no call.
            let is_refused = error.failure.code == "cancelled";
            let spent = |held: &Held| if is_refused { Amount::default() } else { held.amount };
            self.release(number, spent);
            Refusal::Failed(error)
        })
    }

    async fn settle(&self, number: Option<u64>, usage: Option<Usage>) {
        let held = number.and_then(|number| self.held.lock().get(&number).cloned());
        let number = number.unwrap_or_else(|| self.next());
        let Some(held) = held else {
            let Some(usage) = usage else { return };
            let at = self.records.dispatcher.shared.clock.now();
            let call = call(&usage.provider, &usage.model, at, taken(&usage));
            let (key, note) = (format!("usage-{number}"), json!(usage));
            let _ = self.records.keep_with(key, note, Some(call)).await;
            return self.count(&usage);
        };
        let mut change = usage.as_ref().map(taken).unwrap_or_default();
        change.held_calls -= 1;
        // An answer whose provider does not say what it took counts with all it could have taken.
        let is_known = usage.as_ref().is_none_or(Usage::is_known);
        if is_known {
            change.held_tokens -= int(held.amount.tokens);
            change.held_cost_micros -= int(held.amount.cost_micros);
        }
        let (key, note) = match &usage {
            Some(usage) => (format!("usage-{number}"), json!(usage)),
            None => (format!("released-{number}"), json!({ "model": held.bound.model })),
        };
        let call = call(&held.bound.provider, &held.bound.model, held.at, change);
        let kept = self.records.keep_with(key, note, Some(call)).await;
        self.release(number, |held| match &usage {
            // What is not durable counts as if all of it had been taken.
            _ if kept.is_err() || !is_known => held.amount,
            Some(usage) => amount(usage),
            None => Amount::default(),
        });
    }

    fn give_up(&self, number: Option<u64>, usage: Option<Usage>) {
        if let Some(number) = number {
            return self.release(number, |held| held.amount);
        }
        let Some(usage) = usage else { return };
        self.count(&usage);
        let Records { dispatcher, order, .. } = &*self.records;
        let call =
            call(&usage.provider, &usage.model, dispatcher.shared.clock.now(), taken(&usage));
        let (key, value) = (format!("usage-{}", self.next()), Arc::new(json!(usage)));
        dispatcher.report(order, Report::Recorded { key, value, call: Some(Box::new(call)) });
    }
}

fn int(count: u64) -> i64 {
    i64::try_from(count.min(COUNT_MAX)).unwrap_or(0)
}

fn amount(usage: &Usage) -> Amount {
    Amount {
        calls: 1,
        tokens: usage.input_tokens.saturating_add(usage.output_tokens),
        cost_micros: usage.cost_micros.unwrap_or(0),
    }
}
