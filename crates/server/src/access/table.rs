//! What each route asks of its caller. A route that is not here is refused, so that one cannot be
//! added and forgotten.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::Method;

use super::principal::Principal;
use super::role::Permission::{self, Administer, Approve, Edit, Ingest, Operate, Read, Work};

/// What a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: anybody may ask.
    Nobody,
    /// A credential, whatever its role.
    Anyone,
    /// A role that may do this.
    May(Permission),
    /// The same, of the project `default`: what is shown belongs to the whole server.
    OfServer(Permission),
}

/// A route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, as it is written in the router.
    pub path: &'static str,
    /// What it asks for.
    pub need: Need,
    /// What it does, in the audit log's words; empty if it changes nothing.
    pub action: &'static str,
}

const fn read(path: &'static str) -> Route {
    Route { method: "GET", path, need: Need::May(Read), action: "" }
}

const fn public(path: &'static str) -> Route {
    Route { method: "GET", path, need: Need::Nobody, action: "" }
}

const fn acts(
    method: &'static str,
    path: &'static str,
    permission: Permission,
    action: &'static str,
) -> Route {
    Route { method, path, need: Need::May(permission), action }
}

/// Every route there is.
pub const ROUTES: &[Route] = &[
    public("/livez"),
    public("/readyz"),
    public("/startupz"),
    public("/health"),
    public("/api/health"),
    public("/ping"),
    public("/version"),
    public("/openapi.json"),
    public("/docs"),
    public("/docs/"),
    public("/docs/{*rest}"),
    public("/redoc"),
    public("/login"),
    Route { method: "POST", path: "/login", need: Need::Nobody, action: "" },
    public("/problems/{code}"),
    public("/assets/{file}"),
    public("/favicon.ico"),
    Route { method: "GET", path: "/metrics", need: Need::OfServer(Read), action: "" },
    Route { method: "GET", path: "/api/v1/me", need: Need::Anyone, action: "" },
    read("/api/v1/workflows"),
    acts("POST", "/api/v1/workflows", Edit, "workflow.deploy"),
    acts("POST", "/api/v1/workflows/check", Read, ""),
    read("/api/v1/workflows/{workflow}"),
    acts("PUT", "/api/v1/workflows/{workflow}", Edit, "workflow.deploy"),
    acts("DELETE", "/api/v1/workflows/{workflow}", Edit, "workflow.delete"),
    read("/api/v1/workflows/{workflow}/versions"),
    acts("POST", "/api/v1/workflows/{workflow}/execute", Operate, RUN_CREATE),
    acts("POST", "/api/v1/workflows/{workflow}/execute-batch", Operate, RUN_CREATE),
    acts("POST", "/api/v1/workflows/{workflow}/pause", Operate, "workflow.pause"),
    acts("POST", "/api/v1/workflows/{workflow}/resume", Operate, "workflow.resume"),
    acts("POST", "/api/v1/workflows/{workflow}/rerun-failed", Operate, RUN_CREATE),
    read("/api/v1/runs"),
    read("/api/v1/runs/{run}"),
    read("/api/v1/runs/{run}/steps"),
    read("/api/v1/runs/{run}/events"),
    read("/api/v1/runs/{run}/logs"),
    read("/api/v1/runs/{run}/stream"),
    read("/api/v1/runs/{run}/export"),
    acts("POST", "/api/v1/runs/{run}/cancel", Operate, "run.cancel"),
    acts("POST", "/api/v1/runs/{run}/terminate", Operate, "run.terminate"),
    acts("POST", "/api/v1/runs/{run}/pause", Operate, "run.pause"),
    acts("POST", "/api/v1/runs/{run}/resume", Operate, "run.resume"),
    acts("POST", "/api/v1/runs/{run}/rerun", Operate, RUN_CREATE),
    read("/api/v1/runs/{run}/why"),
    read("/api/v1/runs/{run}/usage"),
    read("/api/v1/usage"),
    acts("POST", "/api/v1/runs/{run}/steps/{step}/mark", Operate, "step.mark"),
    acts("POST", "/api/v1/runs/{run}/signals/{name}", Operate, "run.signal"),
    acts("POST", "/api/v1/events/{name}", Operate, "event.send"),
    // Not in the audit log: what is reported is in the journals, with whose key it came.
    acts("POST", "/api/v1/events", Ingest, ""),
    acts("POST", "/api/events", Ingest, ""),
    acts("POST", "/api/v1/lineage", Ingest, ""),
    acts("POST", "/v1/traces", Ingest, ""),
    read("/api/v1/logs"),
    read("/api/v1/runs/compare"),
    read("/api/v1/runs/{run}/tasks"),
    read("/api/v1/analytics/workflows"),
    read("/api/v1/analytics/jobs"),
    read("/api/v1/analytics/usage"),
    read("/api/v1/flows"),
    acts("POST", "/api/v1/flows", Ingest, "flow.register"),
    read("/api/v1/flows/{flow}"),
    read("/api/v1/approvals"),
    read("/api/v1/runs/{run}/approvals/{step}"),
    acts("POST", "/api/v1/runs/{run}/approvals/{step}", Approve, "approval.decide"),
    acts("GET", "/api/v1/secrets", Edit, ""),
    acts("PUT", "/api/v1/secrets/{name}", Edit, "secret.set"),
    acts("DELETE", "/api/v1/secrets/{name}", Edit, "secret.delete"),
    Route {
        method: "POST",
        path: "/api/v1/secrets/rotate",
        need: Need::OfServer(Administer),
        action: "secret.rotate",
    },
    read("/api/v1/halt"),
    Route { method: "PUT", path: "/api/v1/halt", need: Need::OfServer(Administer), action: "halt" },
    Route {
        method: "DELETE",
        path: "/api/v1/halt",
        need: Need::OfServer(Administer),
        action: "halt.release",
    },
    read("/api/v1/nodes"),
    read("/api/v1/nodes/{kind}"),
    acts("POST", "/api/v1/nodes/{kind}/test", Edit, "node.test"),
    read("/api/prompts"),
    acts("POST", "/api/prompts/parse", Read, ""),
    acts("POST", "/api/prompts/render", Read, ""),
    acts("POST", "/api/prompts/test", Edit, "prompt.test"),
    read("/api/v1/workers"),
    // What is done there is in the journals of the runs.
    acts("POST", "/api/v1/tasks/poll", Work, ""),
    acts("POST", "/api/v1/tasks/{task}/heartbeat", Work, ""),
    acts("POST", "/api/v1/tasks/{task}/logs", Work, ""),
    acts("POST", "/api/v1/tasks/{task}/complete", Work, ""),
    acts("POST", "/api/v1/tasks/{task}/fail", Work, ""),
    acts("POST", "/api/v1/tasks/{task}/release", Work, ""),
    read("/api/v1/tasks/{task}"),
    acts("POST", "/api/v1/tasks/{task}/claim", Work, ""),
    read("/api/v1/queues"),
    read("/api/v1/queues/{queue}"),
    read("/api/v1/templates"),
    acts("POST", "/api/v1/templates", Edit, "template.import"),
    read("/api/v1/templates/{template}"),
    acts("DELETE", "/api/v1/templates/{template}", Edit, "template.delete"),
    read("/api/v1/instances"),
    acts("POST", "/api/v1/instances", Operate, "instance.create"),
    read("/api/v1/instances/{instance}"),
    acts("POST", "/api/v1/instances/{instance}/pause", Operate, "instance.pause"),
    acts("POST", "/api/v1/instances/{instance}/resume", Operate, "instance.resume"),
    acts("POST", "/api/v1/instances/{instance}/archive", Edit, "instance.archive"),
    acts("POST", "/api/v1/instances/{instance}/kill-switch", Administer, "instance.kill"),
    read("/api/v1/instances/{instance}/actors"),
    acts("POST", "/api/v1/instances/{instance}/actors", Edit, "actor.assign"),
    acts("DELETE", "/api/v1/instances/{instance}/actors/{assignment}", Edit, "actor.revoke"),
    acts("POST", "/api/v1/instances/{instance}/uows", Operate, RUN_CREATE),
    read("/api/v1/instances/{instance}/memory"),
    read("/api/v1/uows"),
    read("/api/v1/uows/{uow}"),
    read("/api/v1/uows/{uow}/history"),
    read("/api/v1/uows/{uow}/attributes"),
    read("/api/v1/uows/{uow}/why"),
    acts("POST", "/api/v1/uows/{uow}/clarify", Operate, "uow.clarify"),
    acts("POST", "/api/v1/uows/{uow}/waive", Administer, "uow.waive"),
    acts("POST", "/api/v1/uows/{uow}/resume", Operate, "uow.resume"),
    acts("POST", "/api/v1/uows/{uow}/cancel", Operate, "uow.cancel"),
    acts("POST", "/api/v1/uows/{uow}/archive", Operate, "uow.archive"),
    read("/api/v1/interventions"),
    read("/api/v1/interventions/metrics"),
    read("/api/v1/interventions/{intervention}"),
    acts("POST", "/api/v1/interventions/{intervention}/approve", Operate, "intervention.approve"),
    acts("POST", "/api/v1/interventions/{intervention}/reject", Operate, "intervention.reject"),
    read("/api/v1/jobs"),
    read("/api/v1/jobs/{run}"),
    read("/api/v1/jobs/{run}/logs"),
    acts("POST", "/api/v1/jobs/{run}/cancel", Operate, "run.cancel"),
    acts("POST", "/workflow/instantiate", Operate, "instance.create"),
    acts("POST", "/workflows/from-template/{template}", Operate, "instance.create"),
    acts("POST", "/workflow/checkout", Work, ""),
    acts("POST", "/workflow/submit", Work, ""),
    acts("POST", "/workflow/failure", Work, ""),
    acts("POST", "/workflow/uow/{uow}/heartbeat", Work, ""),
    acts("POST", "/uows/{uow}/complete", Work, ""),
    acts("POST", "/admin/mark-toxic", Administer, "memory.mark"),
    acts("POST", "/admin/run-memory-decay", Administer, "memory.decay"),
    acts("POST", "/admin/run-zombie-protocol", Administer, "uow.sweep"),
    acts("POST", "/pilot/kill-switch", Administer, "instance.kill"),
    acts("POST", "/pilot/clarification/{uow}", Operate, "uow.clarify"),
    acts("POST", "/pilot/waive/{uow}/{guard_rule}", Administer, "uow.waive"),
    acts("POST", "/pilot/resume/{uow}", Operate, "uow.resume"),
    acts("POST", "/pilot/cancel/{uow}", Operate, "uow.cancel"),
    read("/api/interventions/pending"),
    read("/api/interventions/metrics"),
    read("/api/interventions/{request}"),
    acts("POST", "/api/interventions/{request}/approve", Operate, "intervention.approve"),
    acts("POST", "/api/interventions/{request}/reject", Operate, "intervention.reject"),
    read("/ws/interventions"),
    acts("POST", "/workflows", Edit, "workflow.deploy"),
    acts("DELETE", "/workflows/{workflow}", Edit, "workflow.delete"),
    acts("POST", "/workflows/{workflow}/execute", Operate, RUN_CREATE),
    read("/workflows/{workflow}/status"),
    read("/workflows/{workflow}/uows"),
    read("/uows/{uow}"),
    acts("POST", "/internal/runners/register", Work, ""),
    acts("POST", "/internal/runners/{pod_name}/heartbeat", Work, ""),
    acts("POST", "/internal/tasks/{task}/stream", Work, ""),
    acts("POST", "/internal/tasks/{task}/complete", Work, ""),
    acts("POST", "/api/workflows/run", Operate, "workflow.execute"),
    read("/api/workflows/runs"),
    read("/api/workflows/runs/{run}"),
    read("/api/workflows/runs/{run}/stream"),
    acts("POST", "/api/workflows/runs/{run}/cancel", Operate, "run.cancel"),
    read("/api/workflows"),
    acts("POST", "/api/workflows", Edit, "workflow.deploy"),
    acts("POST", "/api/workflows/from-template", Operate, "workflow.execute"),
    read("/api/workflows/{run}"),
    acts("POST", "/api/workflows/{run}/stop", Operate, "run.pause"),
    acts("POST", "/api/workflows/{run}/resume", Operate, "run.resume"),
    read("/api/workflows/{run}/external-data"),
    acts("POST", "/api/workflows/{run}/external-data", Operate, "run.signal"),
    acts("POST", "/api/workflows/{run}/branch", Operate, "run.rerun"),
    read("/api/templates"),
    read("/api/dashboard/summary"),
    read("/sse/runs/{run}"),
    read("/ws/runs/{run}"),
    read("/ws/workflow/{workflow}"),
    // Each tool asks for more, and is recorded, as the endpoint that does the same.
    acts("POST", "/mcp", Read, ""),
    acts("GET", "/api/v1/keys", Administer, ""),
    acts("POST", "/api/v1/keys", Administer, "key.create"),
    acts("DELETE", "/api/v1/keys/{key}", Administer, "key.revoke"),
    acts("GET", "/api/v1/audit", Administer, ""),
    Route {
        method: "GET",
        path: "/api/v1/audit/verify",
        need: Need::OfServer(Administer),
        action: "",
    },
    read("/"),
    read("/runs"),
    read("/runs/live"),
    read("/runs/compare"),
    read("/flows"),
    read("/flows/live"),
    read("/analytics"),
    read("/search"),
    read("/runs/{run}"),
    read("/runs/{run}/drawer"),
    read("/runs/{run}/live"),
    acts("POST", "/runs/{run}/cancel", Operate, "run.cancel"),
    acts("POST", "/runs/{run}/terminate", Operate, "run.terminate"),
    acts("POST", "/runs/{run}/pause", Operate, "run.pause"),
    acts("POST", "/runs/{run}/resume", Operate, "run.resume"),
    acts("POST", "/runs/{run}/mark", Operate, "step.mark"),
    acts("POST", "/runs/{run}/rerun", Operate, RUN_CREATE),
    read("/approvals"),
    read("/runs/{run}/approvals/{step}"),
    acts("POST", "/runs/{run}/approvals/{step}", Approve, "approval.decide"),
    read("/workflows"),
    read("/workflows/{workflow}"),
    read("/workflows/{workflow}/diff"),
    acts("POST", "/workflows/{workflow}/run", Operate, RUN_CREATE),
    acts("POST", "/workflows/{workflow}/pause", Operate, "workflow.pause"),
    acts("POST", "/workflows/{workflow}/resume", Operate, "workflow.resume"),
    read("/templates"),
    read("/templates/{template}"),
    acts("POST", "/templates/{template}/instantiate", Operate, "instance.create"),
    read("/instances"),
    read("/instances/{instance}"),
    read("/instances/{instance}/live"),
    acts("POST", "/instances/{instance}/uows", Operate, RUN_CREATE),
    acts("POST", "/instances/{instance}/pause", Operate, "instance.pause"),
    acts("POST", "/instances/{instance}/resume", Operate, "instance.resume"),
    acts("POST", "/instances/{instance}/archive", Edit, "instance.archive"),
    acts("POST", "/instances/{instance}/kill-switch", Administer, "instance.kill"),
    acts("POST", "/instances/{instance}/actors", Edit, "actor.assign"),
    acts("POST", "/instances/{instance}/actors/revoke", Edit, "actor.revoke"),
    read("/uows/{uow}/live"),
    acts("POST", "/uows/{uow}/clarify", Operate, "uow.clarify"),
    acts("POST", "/uows/{uow}/waive", Administer, "uow.waive"),
    acts("POST", "/uows/{uow}/resume", Operate, "uow.resume"),
    acts("POST", "/uows/{uow}/cancel", Operate, "uow.cancel"),
    acts("POST", "/uows/{uow}/archive", Operate, "uow.archive"),
    read("/queues"),
    read("/live/queues"),
    read("/queues/{queue}"),
    read("/queues/{queue}/live"),
    read("/workers"),
    read("/live/workers"),
    read("/interventions"),
    read("/live/interventions"),
    acts("POST", "/interventions/{intervention}/approve", Operate, "intervention.approve"),
    acts("POST", "/interventions/{intervention}/reject", Operate, "intervention.reject"),
    read("/inbox"),
    read("/live/inbox"),
    read("/inbox/{task}"),
    acts("POST", "/inbox/{task}/claim", Operate, "task.claim"),
    acts("POST", "/inbox/{task}/submit", Operate, "task.complete"),
    acts("POST", "/inbox/{task}/release", Operate, "task.release"),
    acts("POST", "/inbox/{task}/keep", Operate, "task.keep"),
    acts("GET", "/audit", Administer, ""),
    Route { method: "POST", path: "/logout", need: Need::Anyone, action: "" },
];

/// Creating a run. The run itself says who did it and when.
pub const RUN_CREATE: &str = "run.create";

static BY_PATH: LazyLock<HashMap<&'static str, Vec<&'static Route>>> = LazyLock::new(|| {
    let mut by_path: HashMap<_, Vec<_>> = HashMap::new();
    for route in ROUTES {
        by_path.entry(route.path).or_default().push(route);
    }
    by_path
});

/// The routes of a path, one for each of its methods.
pub fn of_path(path: &str) -> &'static [&'static Route] {
    BY_PATH.get(path).map_or(&[], Vec::as_slice)
}

/// The route of a method among those of a path. `HEAD` is `GET` without a body.
pub fn of_method(routes: &[&'static Route], method: &Method) -> Option<&'static Route> {
    let name = if *method == Method::HEAD { "GET" } else { method.as_str() };
    routes.iter().copied().find(|route| route.method == name)
}

impl Need {
    /// Whether a principal has what is asked for.
    pub fn is_met_by(self, principal: &Principal) -> bool {
        match self {
            Need::Nobody | Need::Anyone => true,
            Need::May(permission) => principal.may(permission),
            Need::OfServer(permission) => principal.may(permission) && principal.is_of_server(),
        }
    }
}
