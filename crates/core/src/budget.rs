//! How much the calls to models may take.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::HumanDuration;

/// Budgets of one place, at most.
const COUNT_MAX: usize = 8;
const COST_USD_MAX: f64 = 1_000_000_000.0;

/// How much the calls to models may take, all together: whatever is reached first counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Tokens, sent and answered.
    pub tokens: Option<u64>,
    /// US dollars, by the prices in the server's settings. A model without a price is not asked then.
    pub cost_usd: Option<f64>,
    /// Calls.
    pub calls: Option<u64>,
    /// How long after the first call of the run there may be another one. Only with `per: run`.
    pub wall: Option<HumanDuration>,
    /// Whether each run has that much, or all runs of a day (UTC) together.
    pub per: Per,
    /// What happens to a call that would take more than is left.
    pub on_spent: OnSpent,
    /// The cheaper model of `on_spent: fallback`.
    pub fallback: Option<String>,
}

/// What a budget is for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Per {
    /// Each run.
    #[default]
    Run,
    /// All runs of a day.
    Day,
}

/// What happens to a call that would take more than is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OnSpent {
    /// The step fails with `budget_spent`.
    #[default]
    Stop,
    /// The step waits as an `approval` does. Who approves lets it take as much again.
    Ask,
    /// The cheaper model is asked, if what is left is enough for it. If not, the step fails.
    Fallback,
}

/// One budget or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Budgets {
    /// One.
    One(Budget),
    /// Several, each of which holds.
    Many(Vec<Budget>),
}

impl Default for Budgets {
    fn default() -> Budgets {
        Budgets::Many(Vec::new())
    }
}

impl Budgets {
    /// All of them.
    pub fn all(&self) -> &[Budget] {
        match self {
            Budgets::One(budget) => std::slice::from_ref(budget),
            Budgets::Many(budgets) => budgets,
        }
    }

    /// What is wrong with them: the place behind that of the budgets, and a sentence.
    pub fn complaints(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.all().len() > COUNT_MAX {
            found.push((String::new(), format!("at most {COUNT_MAX} budgets")));
        }
        for (at, budget) in self.all().iter().enumerate() {
            let place = match self {
                Budgets::One(_) => String::new(),
                Budgets::Many(_) => format!("/{at}"),
            };
            let complaint = |(field, message): (&str, String)| (format!("{place}{field}"), message);
            found.extend(budget.complaint().map(complaint));
        }
        found
    }
}

impl Budget {
    fn complaint(&self) -> Option<(&'static str, String)> {
        let limits = [
            self.tokens.is_some(),
            self.cost_usd.is_some(),
            self.calls.is_some(),
            self.wall.is_some(),
        ];
        if !limits.contains(&true) {
            let message = "one of `tokens`, `cost_usd`, `calls` and `wall` is needed";
            return Some(("", message.to_owned()));
        }
        if self.cost_usd.is_some_and(|cost| !(0.0..=COST_USD_MAX).contains(&cost)) {
            return Some(("/cost_usd", format!("0 to {COST_USD_MAX} dollars")));
        }
        if self.wall.is_some() && self.per == Per::Day {
            return Some(("/wall", "only a budget `per: run` has a `wall`".to_owned()));
        }
        if self.on_spent == OnSpent::Fallback && self.tokens.is_none() && self.cost_usd.is_none() {
            let message =
                "a cheaper model needs calls and time as well: limit `tokens` or `cost_usd`";
            return Some(("/on_spent", message.to_owned()));
        }
        match (self.on_spent, self.fallback.as_deref().filter(|model| !model.is_empty())) {
            (OnSpent::Fallback, None) => {
                Some(("/fallback", "`on_spent: fallback` needs a model".to_owned()))
            }
            (OnSpent::Stop | OnSpent::Ask, Some(_)) => {
                let message = "only `on_spent: fallback` has a cheaper model";
                Some(("/fallback", message.to_owned()))
            }
            _ => None,
        }
    }

    /// The dollars in millionths.
    pub fn cost_micros(&self) -> Option<u64> {
        // In range, as it was checked.
        self.cost_usd.map(|cost| (cost * 1_000_000.0).round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn complaints(budgets: Value) -> Vec<String> {
        let budgets: Budgets = serde_json::from_value(budgets).unwrap();
        budgets.complaints().into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (budgets, wanted) in [
            (json!({ "tokens": 0 }), &[][..]),
            (json!([{ "calls": 5 }, { "cost_usd": 0.5, "per": "day" }]), &[]),
            (json!({ "tokens": 5, "on_spent": "fallback", "fallback": "m" }), &[]),
            (json!({ "wall": "5m", "on_spent": "fallback", "fallback": "m" }), &["/on_spent"]),
            (json!({}), &[""]),
            (json!([{ "calls": 5 }, { "cost_usd": -0.5 }]), &["/1/cost_usd"]),
            (json!({ "wall": "5m", "per": "day" }), &["/wall"]),
            (json!({ "tokens": 1, "on_spent": "fallback" }), &["/fallback"]),
            (json!({ "tokens": 1, "on_spent": "fallback", "fallback": "" }), &["/fallback"]),
            (json!({ "calls": 1, "fallback": "m" }), &["/fallback"]),
            (json!(vec![json!({ "calls": 1 }); 9]), &[""]),
        ] {
            assert_eq!(complaints(budgets.clone()), wanted, "{budgets}");
        }
        assert!(serde_json::from_value::<Budgets>(json!({ "token": 5 })).is_err());
    }
}
