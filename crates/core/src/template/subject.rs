//! What guardians and policies look at, and the conditions they hold against it.

use std::borrow::Cow;

use serde_json::Value;

use crate::expr::{Environment, ExprError, Expression, Names, NodeView, Root};
use crate::time::Time;

/// The names every unit has. An attribute of the same name is hidden by them.
pub const RESERVED_NAMES: &[&str] =
    &["uow_id", "child_count", "finished_child_count", "status", "parent_id"];

/// A unit of work, as guardians and policies see it.
pub trait Subject {
    /// The newest value of an attribute.
    fn attribute(&self, name: &str) -> Option<&Value>;
    /// The names of all attributes.
    fn attribute_names(&self) -> Vec<&str>;
    /// The value of one of [`RESERVED_NAMES`].
    fn reserved(&self, name: &str) -> Option<Value>;
    /// When the unit was created.
    fn created_at(&self) -> Time;
    /// The interaction from which the role has pulled it, by name. `None` if nobody knows: then the
    /// filters of every way in are held against it.
    fn place(&self) -> Option<&str> {
        None
    }
    /// Whether a guardian, by name, is not to judge it: its policy still routes.
    fn is_waived(&self, _guardian: &str) -> bool {
        false
    }
}

/// What `name` holds: a reserved name first, so that no attribute can speak for the unit's status.
pub(super) fn value_of<'a>(subject: &'a dyn Subject, name: &str) -> Option<Cow<'a, Value>> {
    if RESERVED_NAMES.contains(&name) {
        return subject.reserved(name).map(Cow::Owned);
    }
    subject.attribute(name).map(Cow::Borrowed)
}

/// A condition, with the text it was compiled from.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// As it was written.
    pub text: String,
    expression: Expression,
}

impl Condition {
    /// Compiles a condition. It may read attributes and [`RESERVED_NAMES`].
    ///
    /// # Errors
    ///
    /// The first syntax error, or everything that a condition may not have.
    pub fn compile(text: &str) -> Result<Condition, Vec<ExprError>> {
        let forbidden = |name: &str| {
            (name == "actor_id").then(|| {
                "a condition cannot read `actor_id`: who acts does not decide where work goes"
                    .to_owned()
            })
        };
        let expression = Expression::guard(text, &forbidden)?;
        Ok(Condition { text: text.to_owned(), expression })
    }

    /// Whether it holds for `subject`.
    ///
    /// # Errors
    ///
    /// The first error: an attribute that is not there, or values that do not go together.
    pub fn holds(&self, subject: &dyn Subject, now: Time) -> Result<bool, ExprError> {
        self.expression.holds(&Environment::new(&Attributes(subject), now))
    }

    /// Whether it holds whatever the unit is like.
    pub fn is_always_true(&self) -> bool {
        self.expression.is_always_true()
    }

    /// The attributes and reserved names it reads.
    pub fn names(&self) -> Vec<&str> {
        self.expression.attributes()
    }
}

struct Attributes<'a>(&'a dyn Subject);

impl Names for Attributes<'_> {
    fn value(&self, _: &Root) -> Cow<'_, Value> {
        Cow::Owned(Value::Null)
    }

    fn node(&self, _: u8, _: &str) -> NodeView<'_> {
        NodeView { status: "pending", output: None, error: None }
    }

    fn attribute(&self, name: &str) -> Option<Cow<'_, Value>> {
        value_of(self.0, name)
    }
}

/// Why a condition could not be answered. Such errors are kept and shown; they stop nothing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BranchError {
    /// Which branch or rule, from 0.
    pub branch: usize,
    /// Its condition, as it was written.
    pub condition: String,
    /// A stable word such as `missing-attribute` or `type-mismatch`.
    #[serde(rename = "type")]
    pub code: String,
    /// What was wrong.
    pub message: String,
    /// The guardian the condition belongs to; empty until a role's routing says it.
    #[serde(default)]
    pub guardian: String,
    /// The attributes and reserved names the condition reads.
    #[serde(default)]
    pub variables: Vec<String>,
}

impl BranchError {
    pub(super) fn new(branch: usize, condition: &Condition, error: &ExprError) -> BranchError {
        let mut variables: Vec<String> = condition.names().into_iter().map(str::to_owned).collect();
        variables.sort();
        variables.dedup();
        BranchError {
            branch,
            condition: condition.text.clone(),
            code: error.code.to_owned(),
            message: error.message.clone(),
            guardian: String::new(),
            variables,
        }
    }
}
