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

use super::ledger::{Amount, Excess, Limit, Scope};
use super::records::Records;
use crate::shard::{AttemptOrder, Report};
use crate::usage::{Call, day_of, taken};

/// Counts the calls of one attempt.
pub(super) struct Meter {
    records: Arc<Records>,
    limits: Vec<Limit>,
    /// What the calls belong to, limited or not.
    scopes: Vec<Scope>,
    /// Numbers the calls of the attempt.
    count: AtomicU64,
    held: Mutex<HashMap<u64, Held>>,
}

struct Held {
    bound: Bound,
    amount: Amount,
    at: Time,
}

impl Meter {
    pub(super) fn new(records: Arc<Records>, now: Time) -> Meter {
        let (limits, scopes) = limits(&records, day_of(now));
        Meter { records, limits, scopes, count: AtomicU64::new(0), held: Mutex::default() }
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What becomes of a call that does not fit.
    fn refusal(&self, excess: Excess) -> OverBudget {
        let Limit { scope, budget, grants } = &self.limits[excess.at];
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

    fn call(&self, provider: &str, model: &str, at: Time, taken: Taken) -> Call {
        Call { provider: provider.to_owned(), model: model.to_owned(), at, taken }
    }

    fn release(&self, held: &Held, spent: Amount) {
        let ledger = &self.records.dispatcher.ledger;
        ledger.settle(&self.limits, &self.scopes, held.amount, spent);
    }
}

/// The budgets that the calls of an attempt have to fit into, and all that they belong to.
fn limits(records: &Records, day: i64) -> (Vec<Limit>, Vec<Scope>) {
    let AttemptOrder { run_id, project, workflow, path, budgets, .. } = &records.order;
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
    (limits, of_node.into_iter().chain([run, day, project]).collect())
}

#[async_trait]
impl Accountant for Meter {
    fn has_budget(&self) -> bool {
        !self.limits.is_empty()
    }

    async fn hold(&self, bound: Bound) -> Result<u64, Refusal> {
        let dispatcher = &self.records.dispatcher;
        let unpriced = self.limits.iter().position(|limit| limit.budget.cost_usd.is_some());
        let cost_micros = match (bound.cost_micros, unpriced) {
            (None, Some(at)) => {
                let model = &bound.model;
                let message = format!("`llm.prices` has no price for `{model}`");
                let excess = Excess { at, what: "cost_usd", message };
                let OverBudget { message, .. } = self.refusal(excess);
                return Err(Refusal::OverBudget(OverBudget { message, then: Then::Stop }));
            }
            (cost, _) => cost.unwrap_or(0),
        };
        let unavailable = |error: windlass_store::StoreError| {
            Refusal::Failed(retry("unavailable", format!("budgets cannot be read: {error}")))
        };
        dispatcher.ledger.load(&dispatcher.store, &self.limits).await.map_err(unavailable)?;
        let amount = Amount { calls: 1, tokens: bound.tokens, cost_micros };
        let now = || dispatcher.clock.now();
        let held = dispatcher.ledger.hold(&self.limits, amount, now).await;
        held.map_err(|excess| Refusal::OverBudget(self.refusal(excess)))?;
        let (number, at) = (self.next(), now());
        let change = Taken {
            held_calls: 1,
            held_tokens: int(bound.tokens),
            held_cost_micros: int(cost_micros),
            ..Taken::default()
        };
        let call = self.call(&bound.provider, &bound.model, at, change);
        let note = json!({ "model": bound.model, "tokens": bound.tokens, "cost_micros": bound.cost_micros });
        // From here on it is held, whatever becomes of the attempt.
        self.held.lock().insert(number, Held { bound, amount, at });
        let kept = self.records.keep_with(format!("hold-{number}"), note, Some(call)).await;
        match kept {
            Ok(()) => Ok(number),
            Err(error) => {
                self.give_up(Some(number), None);
                Err(Refusal::Failed(error))
            }
        }
    }

    async fn settle(&self, number: Option<u64>, usage: Option<Usage>) {
        let held = number.and_then(|number| self.held.lock().remove(&number));
        let number = number.unwrap_or_else(|| self.next());
        let mut change = usage.as_ref().map(taken).unwrap_or_default();
        let spent = usage.as_ref().map(amount).unwrap_or_default();
        let (provider, model, at) = match (&held, &usage) {
            (Some(Held { bound, at, .. }), _) => (&bound.provider, &bound.model, *at),
            (None, Some(usage)) => {
                (&usage.provider, &usage.model, self.records.dispatcher.clock.now())
            }
            (None, None) => return,
        };
        if let Some(held) = &held {
            change.held_calls -= 1;
            change.held_tokens -= int(held.amount.tokens);
            change.held_cost_micros -= int(held.amount.cost_micros);
        }
        let call = self.call(provider, model, at, change);
        let (key, note) = match &usage {
            Some(usage) => (format!("usage-{number}"), json!(usage)),
            None => (format!("released-{number}"), json!({ "model": model })),
        };
        let kept = self.records.keep_with(key, note, Some(call)).await;
        match held {
            // What is not durable counts as if all of it had been taken.
            Some(held) if kept.is_err() => self.release(&held, held.amount),
            Some(held) => self.release(&held, spent),
            None => {
                let ledger = &self.records.dispatcher.ledger;
                ledger.settle(&[], &self.scopes, Amount::default(), spent);
            }
        }
    }

    fn give_up(&self, number: Option<u64>, usage: Option<Usage>) {
        if let Some(number) = number {
            if let Some(held) = self.held.lock().remove(&number) {
                self.release(&held, held.amount);
            }
            return;
        }
        let Some(usage) = usage else { return };
        let Records { dispatcher, order, .. } = &*self.records;
        let at = dispatcher.clock.now();
        let call = self.call(&usage.provider, &usage.model, at, taken(&usage));
        let (key, value) = (format!("usage-{}", self.next()), Arc::new(json!(usage)));
        dispatcher.report(order, Report::Recorded { key, value, call: Some(Box::new(call)) });
    }
}

fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn amount(usage: &Usage) -> Amount {
    Amount {
        calls: 1,
        tokens: usage.input_tokens.saturating_add(usage.output_tokens),
        cost_micros: usage.cost_micros.unwrap_or(0),
    }
}
