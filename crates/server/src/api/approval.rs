//! Approvals, as the API, the pages and the command line have them.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::kinds::{Approval, parse_config};
use windlass_core::run::{Decision, Vote};
use windlass_engine::AskView;
use windlass_engine::shard::{Answer, Command};
use windlass_store::AskRow;

use super::execute::refusal;
use crate::access::Caller;
use crate::app::App;
use crate::http::problem::{self, Problem};

/// An approval that waits to be decided, in short.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ApprovalSummary {
    /// The run.
    pub run_id: Uuid,
    /// The workflow's name.
    pub workflow: String,
    /// The step's path.
    pub step: String,
    /// What is asked.
    pub title: String,
    /// Who may decide; everybody with the right to approve, if nobody is named.
    pub approvers: Vec<String>,
    /// Since when it waits, RFC 3339.
    #[schema(format = DateTime)]
    pub since: String,
    /// Until when it can be decided, RFC 3339.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

impl From<AskRow> for ApprovalSummary {
    fn from(row: AskRow) -> ApprovalSummary {
        let approvers = row.detail.get("approvers").cloned().unwrap_or_default();
        ApprovalSummary {
            run_id: row.run_id,
            workflow: row.workflow,
            step: row.path,
            title: row.name,
            approvers: serde_json::from_value(approvers).unwrap_or_default(),
            since: row.since.to_string(),
            deadline: row.deadline.map(|deadline| deadline.to_string()),
        }
    }
}

/// What a step asks, and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ApprovalBody {
    /// The run.
    pub run_id: Uuid,
    /// The step's path.
    pub step: String,
    /// What is asked.
    pub title: String,
    /// What is approved.
    pub subject: Value,
    /// JSON Schema of what whoever approves fills in.
    pub form: Option<Value>,
    /// Who may decide: names, and roles as `role:approver`. Empty: everybody with the right to
    /// approve.
    pub approvers: Vec<String>,
    /// How many have to approve, such as `1` or `2 of 3`.
    pub quorum: String,
    /// What a decision is bound to: a decision with another hash is refused.
    pub hash: String,
    /// Since when it waits, RFC 3339.
    #[schema(format = DateTime)]
    pub since: String,
    /// Until when it can be decided, RFC 3339.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
    /// Who has decided so far.
    pub decisions: Vec<DecisionBody>,
}

/// What somebody has decided.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DecisionBody {
    /// Who.
    pub by: String,
    /// `approve` or `reject`.
    pub decision: &'static str,
    /// What they have filled in.
    pub form: Option<Value>,
    /// What they say about it.
    pub comment: Option<String>,
}

impl From<Decision> for DecisionBody {
    fn from(decision: Decision) -> DecisionBody {
        let Decision { by, verdict, form, comment } = decision;
        DecisionBody { by, decision: verdict.as_str(), form, comment }
    }
}

impl ApprovalBody {
    fn of(run_id: Uuid, view: AskView) -> Result<ApprovalBody, Problem> {
        let approval: Approval = parse_config((*view.input).clone())
            .map_err(|failure| Problem::new(problem::INTERNAL, failure.message))?;
        Ok(ApprovalBody {
            run_id,
            step: view.path,
            title: approval.title,
            subject: approval.subject,
            form: approval.form,
            approvers: approval.approvers,
            quorum: approval.quorum.to_string(),
            hash: view.hash,
            since: view.since.to_string(),
            deadline: view.deadline.map(|deadline| deadline.to_string()),
            decisions: view.decisions.into_iter().map(DecisionBody::from).collect(),
        })
    }
}

/// What a step asks.
///
/// # Errors
///
/// If it asks nothing now.
pub async fn asked(app: &App, run_id: Uuid, path: String) -> Result<ApprovalBody, Problem> {
    match app.engine.command(run_id, Command::Asked { path }).await {
        Answer::Asked(view) => ApprovalBody::of(run_id, *view),
        other => Err(refusal(other)),
    }
}

/// Somebody's vote: their name and role come from their credential and from nowhere else.
pub fn vote(caller: &Caller, decision: Decision, hash: Option<String>) -> Vote {
    let decision = Decision { by: caller.name().to_owned(), ..decision };
    Vote { decision, roles: vec![caller.principal.role.as_str().to_owned()], hash }
}
