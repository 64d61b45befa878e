use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema as JsonSchemaOf, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Awaits, Complaint, NodeConfig, Wait, parse_config};
use crate::duration::HumanDuration;
use crate::expr::Type;
use crate::failure::Failure;
use crate::limits::APPROVER_COUNT_MAX;
use crate::schema::Schema;

/// Waits for people to decide.
///
/// Nothing behind it begins before enough of those who may decide have approved. While the step
/// waits, it holds no process and no memory. A decision names the hash of what is asked, so that
/// nobody approves something else than they have seen. Each visit asks anew, and so does a run that
/// repeats another one; nobody can mark the step as done by hand.
///
/// The output is `{"decision": "approve", "approved": true, "form": …, "by": …, "decisions": […]}`,
/// with the form of whoever decided last. A rejection fails the step with the code `rejected`,
/// unless `on_reject` says otherwise.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// What is asked, in a sentence.
    pub title: String,
    /// What is approved: any JSON with templates. Whoever decides sees it.
    #[serde(default)]
    pub subject: Value,
    /// JSON Schema of an object that whoever approves fills in.
    #[serde(default)]
    pub form: Option<Value>,
    /// Who may decide: names, and roles as `role:approver`. Left out, everybody with the right to
    /// approve.
    #[serde(default)]
    pub approvers: Vec<String>,
    /// How many have to approve: a number, or `2 of 3`. One rejection is enough to reject, unless it
    /// is said of how many: then those who are left must still be able to make up the number.
    #[serde(default)]
    pub quorum: Quorum,
    /// Whether whoever has started the run may not decide.
    #[serde(default)]
    pub not_by_requester: bool,
    /// How long there is to decide.
    #[serde(default)]
    pub deadline: Option<HumanDuration>,
    /// What is taken for decided then.
    #[serde(default)]
    pub on_deadline: Option<OnDeadline>,
    /// How often a `reminded` event says that it still waits. At least a second.
    #[serde(default)]
    pub remind: Option<HumanDuration>,
    /// What a rejection does.
    #[serde(default)]
    pub on_reject: OnReject,
}

/// What is taken for decided when the time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDeadline {
    /// It is approved.
    Approve,
    /// It is rejected. The default.
    Reject,
    /// The step fails with the code `deadline`.
    Fail,
}

/// What a rejection does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnReject {
    /// The step fails with the code `rejected`.
    #[default]
    Fail,
    /// The step succeeds; its output says `"approved": false`.
    Continue,
}

/// How many have to approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// So many.
    pub needed: u32,
    /// Of so many, if that is said.
    pub of: Option<u32>,
}

impl Default for Quorum {
    fn default() -> Quorum {
        Quorum { needed: 1, of: None }
    }
}

impl Quorum {
    fn parse(text: &str) -> Option<Quorum> {
        let (needed, of) = text.split_once(" of ")?;
        Some(Quorum { needed: needed.trim().parse().ok()?, of: Some(of.trim().parse().ok()?) })
    }

    /// Whether so many rejections leave too few who could approve.
    pub fn is_out_of_reach(&self, rejections: u32) -> bool {
        match self.of {
            None => rejections > 0,
            Some(of) => of.saturating_sub(rejections) < self.needed,
        }
    }
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            None => write!(f, "{}", self.needed),
            Some(of) => write!(f, "{} of {of}", self.needed),
        }
    }
}

impl Serialize for Quorum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quorum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quorum, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u32),
            Text(String),
        }
        let refuse = || serde::de::Error::custom("expected a number, or a text such as `2 of 3`");
        match Written::deserialize(deserializer).map_err(|_| refuse())? {
            Written::Number(needed) => Ok(Quorum { needed, of: None }),
            Written::Text(text) => Quorum::parse(&text).ok_or_else(refuse),
        }
    }
}

impl JsonSchema for Quorum {
    fn schema_name() -> Cow<'static, str> {
        "Quorum".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> JsonSchemaOf {
        json_schema!({
            "type": ["integer", "string"],
            "minimum": 1,
            "pattern": "^[0-9]+ of [0-9]+$",
            "x-expected": "a number, or a text such as `2 of 3`",
            "examples": [1, "2 of 3"]
        })
    }
}

/// Whether an object may fit a schema, as far as its type says.
fn of_objects(schema: &Value) -> bool {
    match schema.get("type") {
        None => true,
        Some(Value::Array(types)) => types.iter().any(|one| one == "object"),
        Some(one) => one == "object",
    }
}

impl NodeConfig for Approval {
    const KIND: &'static str = "approval";
    const SUMMARY: &'static str = "Waits for people to approve or reject";
    const EXAMPLE: &'static str = include_str!("examples/approval.yaml");

    fn check(&self) -> Result<(), Complaint> {
        if self.title.trim().is_empty() {
            return Err(Complaint::at("/title", "whoever decides must know what is asked"));
        }
        if self.approvers.len() > APPROVER_COUNT_MAX {
            let message = format!("there may be {APPROVER_COUNT_MAX} approvers at most");
            return Err(Complaint::at("/approvers", message));
        }
        let Quorum { needed, of } = self.quorum;
        if needed == 0 || of.is_some_and(|of| of < needed) {
            return Err(Complaint::at("/quorum", format!("`{}` can never be", self.quorum)));
        }
        let names = self.approvers.iter().filter(|name| !name.starts_with("role:")).count();
        if !self.approvers.is_empty() && names == self.approvers.len() && names < needed as usize {
            let message = format!("{needed} have to approve, but only {names} may");
            return Err(Complaint::at("/quorum", message));
        }
        if self.on_deadline.is_some() && self.deadline.is_none() {
            return Err(Complaint::at("/on_deadline", "there is no `deadline`"));
        }
        if self.remind.is_some_and(|every| every < HumanDuration::from_secs(1)) {
            return Err(Complaint::at("/remind", "a reminder comes every second at most"));
        }
        match self.form.as_ref().map(Schema::compile) {
            Some(Err(error)) => Err(Complaint::at("/form", error)),
            Some(Ok(schema)) if !of_objects(schema.source()) => {
                Err(Complaint::at("/form/type", "a form has fields: its type is `object`"))
            }
            _ => Ok(()),
        }
    }

    fn output(_: &Value) -> Type {
        Type::closed([
            ("decision", Type::Text),
            ("approved", Type::Bool),
            ("form", Type::Any),
            ("by", Type::Any),
            ("decisions", Type::Any),
        ])
    }
}

impl Approval {
    /// How long from its beginning, or from the reminder before, until it has to be looked at.
    pub(crate) fn time(&self, since: Duration) -> Option<Duration> {
        let left = self.deadline.map(|deadline| deadline.0.saturating_sub(since));
        let remind = self.remind.map(|every| every.0);
        match (left, remind) {
            (Some(left), Some(remind)) => Some(left.min(remind)),
            (left, remind) => left.or(remind),
        }
    }
}

pub(super) fn wait(config: &Value) -> Result<Wait, Failure> {
    let approval: Approval = parse_config(config.clone())?;
    if let Err(complaint) = approval.check() {
        let message = format!("{}: {}", complaint.path, complaint.message);
        return Err(Failure::new("bad_config", message));
    }
    Ok(Wait { awaits: Awaits::Approval, time: approval.time(Duration::ZERO) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_is_written_in_two_ways() {
        let read = |text: &str| serde_json::from_str::<Quorum>(text).ok();
        assert_eq!(read("2"), Some(Quorum { needed: 2, of: None }));
        assert_eq!(read("\"2 of 3\""), Some(Quorum { needed: 2, of: Some(3) }));
        assert_eq!(read("\"two\""), None);
        let quorum = Quorum { needed: 2, of: Some(3) };
        assert!(!quorum.is_out_of_reach(1) && quorum.is_out_of_reach(2));
        assert!(Quorum::default().is_out_of_reach(1));
    }
}
