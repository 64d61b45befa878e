//! Policies and routes that do not do what they seem to: warnings, and routes to nowhere.

use super::draft::{ComponentDraft, Draft, GuardianDraft};
use super::guardians::Gate;
use super::model::{Direction, GuardianKind};
use super::policy::{Policy, When};
use super::reader::{Hints, shown};
use crate::definition::findings::Findings;
use crate::finding::Finding;

pub(super) fn check(draft: &Draft, out: &mut Findings<'_>) {
    let hints = Hints::default();
    for component in &draft.components {
        for guardian in &component.guardians {
            misplaced(component, guardian, out);
            routes(draft, component, guardian, &hints, out);
            if let Some(policy) = &guardian.policy {
                order(policy, guardian, out);
                elsewhere(draft, component, policy, guardian, out);
            }
        }
    }
    for role in 0..draft.roles.len() {
        unreachable_components(draft, role, out);
    }
}

fn misplaced(component: &ComponentDraft, guardian: &GuardianDraft, out: &mut Findings<'_>) {
    let name = &guardian.name;
    if guardian.has_policy && component.direction == Some(Direction::Inbound) {
        let message = format!(
            "the policy of guardian `{name}` is never asked: the component `{}` is INBOUND",
            component.name
        );
        let path = format!("{}/interaction_policy", guardian.config_path);
        let finding = Finding::error("policy-on-inbound", path, message).as_warning();
        out.add(finding.hint("a policy stands on the OUTBOUND components of a role"));
    }
    let is_injector = guardian.kind == Some(GuardianKind::ConditionalInjector);
    if is_injector && component.direction == Some(Direction::Outbound) {
        let message = format!(
            "guardian `{name}` adds nothing: the component `{}` is OUTBOUND",
            component.name
        );
        let path = guardian.config_path.clone();
        let finding = Finding::error("injector-on-outbound", path, message).as_warning();
        out.add(finding.hint("it works when a role pulls: put it on an INBOUND component"));
    }
}

/// Every route leads to an interaction that the role pushes to.
fn routes(
    draft: &Draft,
    component: &ComponentDraft,
    guardian: &GuardianDraft,
    hints: &Hints,
    out: &mut Findings<'_>,
) {
    let known = || draft.interactions.iter().map(|one| one.interaction.name.as_str());
    let targets = guardian.gate.as_ref().map(Gate::targets).unwrap_or_default();
    for (path, target) in targets {
        let path = format!("{}{path}", guardian.config_path);
        let name = &guardian.name;
        if !known().any(|interaction| interaction == target) {
            let message =
                format!("guardian `{name}` has a route to `{}`, which is not there", shown(target));
            let finding = Finding::error("unknown-interaction", path, message);
            out.add(finding.hint_if(hints.nearest(target, known())));
            continue;
        }
        let Some(role) = component.role else { continue };
        let mut pushed = draft.components_of(role, Direction::Outbound);
        let is_way = |one: &ComponentDraft| {
            one.interaction.is_none_or(|index| draft.interaction_name(index) == target)
        };
        if !pushed.any(is_way) {
            let message = format!(
                "guardian `{name}` has a route to `{target}`, but the role `{}` does not push there",
                draft.roles[role].name
            );
            out.add(Finding::error("other-interaction", path, message).as_warning());
        }
    }
}

/// `default` and `on_error` are tried last, wherever they stand, and only the first of each.
fn order(policy: &Policy, guardian: &GuardianDraft, out: &mut Findings<'_>) {
    let mut settled: Option<usize> = None;
    let mut default: Option<usize> = None;
    let mut on_error: Option<usize> = None;
    for (index, branch) in policy.branches.iter().enumerate() {
        let before = match &branch.when {
            When::Default => default.replace(index).or(settled),
            When::OnError => on_error.replace(index).or(settled),
            When::Condition(_) => settled,
        };
        let name = &guardian.name;
        let number = index + 1;
        let message = match (before, default, &branch.when) {
            (Some(before), ..) => format!(
                "branch {number} of guardian `{name}` is never taken: branch {} comes before it",
                before + 1
            ),
            (None, Some(default), When::Condition(_)) => format!(
                "branch {number} of guardian `{name}` stands behind the `default`, branch {}, which \
                 looks as if it were unreachable; it is tried first all the same",
                default + 1
            ),
            _ => String::new(),
        };
        if !message.is_empty() {
            let path = format!("{}/interaction_policy/branches/{index}", guardian.config_path);
            let finding = Finding::error("unreachable-branch", path, message).as_warning();
            out.add(finding.hint("put `default` and `on_error` last, and one of each"));
        }
        if let When::Condition(condition) = &branch.when
            && condition.is_always_true()
        {
            settled = settled.or(Some(index));
        }
    }
}

/// A policy chooses whether a unit goes through its own component, and nothing else.
fn elsewhere(
    draft: &Draft,
    component: &ComponentDraft,
    policy: &Policy,
    guardian: &GuardianDraft,
    out: &mut Findings<'_>,
) {
    let Some(own) = component.interaction.map(|index| draft.interaction_name(index)) else {
        return;
    };
    for (index, branch) in policy.branches.iter().enumerate() {
        let Some(next) = branch.next_interaction.as_deref().filter(|next| *next != own) else {
            continue;
        };
        let message = format!(
            "branch {} of guardian `{}` names `{next}`, but the component `{}` leads to `{own}`",
            index + 1,
            guardian.name,
            component.name
        );
        let path = format!(
            "{}/interaction_policy/branches/{index}/next_interaction",
            guardian.config_path
        );
        let finding = Finding::error("other-interaction", path, message).as_warning();
        out.add(finding.hint("a policy never leads elsewhere; put it on the other component"));
    }
}

/// Behind a component that takes everything, or beside one that is asked, without a policy of its
/// own, a component is never taken.
fn unreachable_components(draft: &Draft, role: usize, out: &mut Findings<'_>) {
    let inbound = draft.components_of(role, Direction::Inbound);
    let is_filtered = inbound
        .flat_map(|component| &component.guardians)
        .any(|guardian| guardian.gate.as_ref().is_none_or(Gate::has_routes));
    if is_filtered {
        return;
    }
    let outbound = draft.components_of(role, Direction::Outbound);
    let outbound: Vec<&ComponentDraft> =
        outbound.filter(|one| one.direction == Some(Direction::Outbound)).collect();
    let may_close = |component: &ComponentDraft| {
        let gates = component.guardians.iter().map(|guardian| guardian.gate.as_ref());
        gates.into_iter().any(|gate| {
            gate.is_none_or(|gate| gate.is_exit() && !matches!(gate, Gate::Cerberus(_)))
        })
    };
    let has_policy =
        |component: &ComponentDraft| component.guardians.iter().any(|one| one.has_policy);
    let always_asked = outbound.iter().any(|one| has_policy(one) && !may_close(one));
    let mut taken_by: Option<&ComponentDraft> = None;
    for component in outbound {
        let message = match taken_by {
            Some(before) => format!(
                "the component `{}` is never taken: `{}` before it takes everything",
                component.name, before.name
            ),
            None if always_asked && !has_policy(component) => format!(
                "the component `{}` is never taken: others of the role `{}` have a policy, it has none",
                component.name, draft.roles[role].name
            ),
            None => String::new(),
        };
        if !message.is_empty() {
            let path = component.path.clone();
            let finding = Finding::error("unreachable-component", path, message).as_warning();
            out.add(finding.hint("the `default` belongs on the last OUTBOUND component"));
        }
        let takes_everything = component
            .guardians
            .iter()
            .filter_map(|guardian| guardian.policy.as_ref())
            .any(Policy::takes_everything);
        if taken_by.is_none() && takes_everything && !may_close(component) {
            taken_by = Some(component);
        }
    }
}
