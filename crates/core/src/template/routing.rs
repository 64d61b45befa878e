//! Which way a unit goes when a role has done its work.

use serde_json::Value;

use super::model::{Component, Template};
use super::subject::{BranchError, Subject};
use crate::time::Time;

/// Which way a unit goes, and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Routing {
    /// Which of [`Template::components`] it takes. `None` if no way is open: then it is a case for
    /// EPSILON.
    pub component: Option<usize>,
    /// The guardian whose policy has chosen. `None` if none had to.
    pub via: Option<String>,
    /// Which branch of that policy, from 0.
    pub branch: Option<usize>,
    /// The branch's action: `proceed`, `escalate` or its own word.
    pub action: Option<String>,
    /// The branch's payload; null if it has none.
    pub payload: Value,
    /// Conditions that could not be answered, in the order in which they were asked.
    pub errors: Vec<BranchError>,
    /// Components that a guardian has closed to this unit, in order.
    pub closed: Vec<Closed>,
}

/// A component that a guardian has closed to a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Which of [`Template::components`].
    pub component: usize,
    /// The guardian's name.
    pub guardian: String,
    /// Why.
    pub message: String,
}

/// Which of `role`'s OUTBOUND components a unit takes.
///
/// First, ways are closed: by a DIRECTIONAL_FILTER with routes on the component by which the unit
/// came in, or by a gate on the OUTBOUND component itself. Of those left, in order, the first is
/// taken that has a guardian whose policy says so. If none of them has a policy, it is the first.
pub fn route(template: &Template, role: usize, subject: &dyn Subject, now: Time) -> Routing {
    let mut routing = Routing::default();
    let mut open = Vec::new();
    for (index, component) in template.outbound(role) {
        match closed(template, role, component, subject, now) {
            Some((guardian, message)) => {
                routing.closed.push(Closed { component: index, guardian, message });
            }
            None => open.push((index, component)),
        }
    }
    let mut has_policy = false;
    for (index, component) in &open {
        for guardian in &component.guardians {
            let Some(policy) = &guardian.policy else { continue };
            has_policy = true;
            let route = policy.route(subject, now);
            let named = route.errors.into_iter();
            routing.errors.extend(
                named.map(|error| BranchError { guardian: guardian.name.clone(), ..error }),
            );
            if let Some(taken) = route.taken {
                routing.component = Some(*index);
                routing.via = Some(guardian.name.clone());
                routing.branch = Some(taken.branch);
                routing.action = Some(taken.action);
                routing.payload = taken.payload;
                return routing;
            }
        }
    }
    if !has_policy {
        routing.component = open.first().map(|(index, _)| *index);
    }
    routing
}

/// The guardian that closes a component to a unit, and why.
fn closed(
    template: &Template,
    role: usize,
    component: &Component,
    subject: &dyn Subject,
    now: Time,
) -> Option<(String, String)> {
    let name = &template.interactions[component.interaction].name;
    let came_by = template.inbound(role).map(|(_, inbound)| inbound).filter(|inbound| {
        let place = &template.interactions[inbound.interaction].name;
        subject.place().is_none_or(|known| known == place)
    });
    let filters = came_by.flat_map(|inbound| &inbound.guardians).chain(&component.guardians);
    for guardian in filters.filter(|one| !subject.is_waived(&one.name)) {
        let Some(allowed) = guardian.gate.allowed(subject) else { continue };
        if !allowed.contains(name) {
            let message = match allowed.as_slice() {
                [] => "no route is open to this unit".to_owned(),
                allowed => format!("the route leads to {}", allowed.join(", ")),
            };
            return Some((guardian.name.clone(), message));
        }
    }
    let rejection = component.rejection(subject, now);
    rejection.map(|(guardian, message)| (guardian.name.clone(), message))
}
