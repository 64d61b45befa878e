//! Rules R1 to R12, but for what is said where it is read: R5 and R6 of an unknown word, and R11 of
//! a condition; and what a run counts on besides.

use super::draft::{ComponentDraft, Draft};
use super::guardians::Gate;
use super::model::{Direction, GuardianKind, RoleKind};
use crate::definition::findings::Findings;
use crate::finding::Finding;
use crate::json;

pub(super) fn check(draft: &Draft, out: &mut Findings<'_>) {
    let single = [
        ("r1", RoleKind::Alpha, "units of work begin there"),
        ("r2", RoleKind::Omega, "units of work end there"),
        ("r3", RoleKind::Epsilon, "it mends what was rejected or failed"),
        ("r4", RoleKind::Tau, "it deals with what took too long"),
    ];
    for (rule, kind, why) in single {
        exactly_one(rule, kind, why, draft, out);
    }
    for (index, role) in draft.roles_of(RoleKind::Beta) {
        if role.strategy.is_none() && !role.strategy_is_broken {
            let message = format!("R5: the BETA role `{}` has no strategy", role.name);
            let finding = Finding::error("r5", role.path.clone(), message);
            out.add(finding.hint("`strategy: HOMOGENEOUS` or `strategy: HETEROGENEOUS`"));
        }
        several_ways(index, draft, out);
    }
    ends(draft, out);
    guarded(draft, out);
    if let Some((index, alpha)) = draft.roles_of(RoleKind::Alpha).next()
        && draft.components_of(index, Direction::Outbound).next().is_none()
    {
        let message = format!("R10: the ALPHA role `{}` has no OUTBOUND component", alpha.name);
        let finding = Finding::error("r10", alpha.path.clone(), message);
        out.add(finding.hint("lead it to the interaction where units of work begin"));
    }
    if let Some((index, omega)) = draft.roles_of(RoleKind::Omega).next()
        && draft.components_of(index, Direction::Inbound).next().is_none()
    {
        let message = format!("R10: the OMEGA role `{}` has no INBOUND component", omega.name);
        let finding = Finding::error("r10", omega.path.clone(), message);
        out.add(finding.hint("lead an interaction to it"));
    }
    helpers(draft, out);
    gateways(draft, out);
    cerberuses(draft, out);
}

/// What goes wrong waits for EPSILON and TAU where they pull from: without such a place it would wait
/// nowhere.
fn helpers(draft: &Draft, out: &mut Findings<'_>) {
    for (kind, what) in
        [(RoleKind::Epsilon, "what was rejected or failed"), (RoleKind::Tau, "what took too long")]
    {
        let Some((index, role)) = draft.roles_of(kind).next() else { continue };
        if draft.components_of(index, Direction::Inbound).next().is_none() {
            let message =
                format!("the {} role `{}` has no INBOUND component", kind.as_str(), role.name);
            let finding = Finding::error("no-queue", role.path.clone(), message);
            out.add(finding.hint(format!("lead the interaction to it where {what} is to wait")));
        }
    }
}

/// Only the work of a BETA can be that of another template.
fn gateways(draft: &Draft, out: &mut Findings<'_>) {
    for role in draft.roles.iter().filter(|role| role.child_workflow_name.is_some()) {
        let Some((kind, _)) = role.kind.filter(|(kind, _)| *kind != RoleKind::Beta) else {
            continue;
        };
        let message = format!(
            "the {} role `{}` has a child_workflow_name: only a BETA may have one",
            kind.as_str(),
            role.name
        );
        let finding = Finding::error("not-a-gateway", role.path.clone(), message);
        out.add(finding.hint("take it out, or give it to a BETA"));
    }
}

/// CERBERUS stands where OMEGA pulls. Anywhere else nothing comes that it could hold.
fn cerberuses(draft: &Draft, out: &mut Findings<'_>) {
    for component in &draft.components {
        let role = component.role.map(|role| &draft.roles[role]);
        let may_be_omega =
            role.is_none_or(|role| role.kind.is_none_or(|(kind, _)| kind == RoleKind::Omega));
        if may_be_omega && component.may_be(Direction::Inbound) {
            continue;
        }
        let guardians = component.guardians.iter();
        for guardian in guardians.filter(|one| one.kind == Some(GuardianKind::Cerberus)) {
            let message = format!(
                "the CERBERUS `{}` stands on the component `{}`, by which OMEGA does not pull",
                guardian.name, component.name
            );
            let finding = Finding::error("misplaced-cerberus", component.path.clone(), message);
            out.add(finding.hint("put it on an INBOUND component of the OMEGA role"));
        }
    }
}

fn exactly_one(rule: &str, kind: RoleKind, why: &str, draft: &Draft, out: &mut Findings<'_>) {
    let word = kind.as_str();
    let found: Vec<_> = draft.roles_of(kind).map(|(_, role)| role).collect();
    match found.as_slice() {
        [_] => {}
        // One whose type is a mistake may well be meant.
        [] if draft.roles.iter().any(|role| role.kind.is_none()) => {}
        [] => {
            let message =
                format!("{}: there is no {word} role, and there must be one", rule.to_uppercase());
            out.add(Finding::error(rule, "/roles", message).hint(why));
        }
        [_, second, ..] => {
            let names: Vec<&str> = found.iter().map(|role| role.name.as_str()).collect();
            let message = format!(
                "{}: there is one {word} role, not {}: {}",
                rule.to_uppercase(),
                found.len(),
                names.join(", ")
            );
            let finding = Finding::error(rule, second.path.clone(), message);
            out.add(finding.hint(format!("keep one of them; the others may be BETA roles: {why}")));
        }
    }
}

/// R7: something leads to every interaction, and somebody pulls from it.
fn ends(draft: &Draft, out: &mut Findings<'_>) {
    for (index, interaction) in draft.interactions.iter().enumerate() {
        let name = &interaction.interaction.name;
        for (direction, who, hint) in [
            (Direction::Outbound, "producer: no OUTBOUND component leads to it", "push to it"),
            (Direction::Inbound, "consumer: no INBOUND component leads from it", "pull from it"),
        ] {
            let has = draft.components.iter().any(|component| {
                // A component whose interaction could not be read may well be the one.
                component.interaction.is_none_or(|own| own == index) && component.may_be(direction)
            });
            if !has {
                let message = format!("R7: the interaction `{name}` has no {who}");
                let finding = Finding::error("r7", interaction.path.clone(), message);
                out.add(finding.hint(format!("let a role {hint}, or take it out")));
            }
        }
    }
}

/// R8 and R9: what comes to EPSILON and OMEGA is guarded.
fn guarded(draft: &Draft, out: &mut Findings<'_>) {
    for (index, role) in draft.roles_of(RoleKind::Epsilon) {
        for component in
            known(draft, index, Direction::Inbound).filter(|one| one.guardians.is_empty())
        {
            let message = format!(
                "R8: the component `{}`, by which the EPSILON role `{}` pulls, has no guardian",
                component.name, role.name
            );
            let finding = Finding::error("r8", component.path.clone(), message);
            out.add(finding.hint("`guardian: {type: PASS_THRU}` lets everything pass"));
        }
    }
    for (index, role) in draft.roles_of(RoleKind::Omega) {
        let is_cerberus = |component: &&ComponentDraft| {
            let mut kinds = component.guardians.iter().map(|guardian| guardian.kind);
            kinds.any(|kind| kind.is_none_or(|kind| kind == GuardianKind::Cerberus))
        };
        for component in known(draft, index, Direction::Inbound).filter(|one| !is_cerberus(one)) {
            let message = format!(
                "R9: the component `{}`, by which the OMEGA role `{}` pulls, has no CERBERUS",
                component.name, role.name
            );
            let finding = Finding::error("r9", component.path.clone(), message);
            out.add(finding.hint("`guardian: {type: CERBERUS}` waits for the children"));
        }
    }
}

/// The components of a role that lead in this direction for certain.
fn known(
    draft: &Draft,
    role: usize,
    direction: Direction,
) -> impl Iterator<Item = &ComponentDraft> {
    draft.components_of(role, direction).filter(move |one| one.direction == Some(direction))
}

/// R12: a BETA with several ways has something that chooses: a policy on one of them, or a filter
/// with routes on any of its components.
fn several_ways(role: usize, draft: &Draft, out: &mut Findings<'_>) {
    let outbound: Vec<_> = known(draft, role, Direction::Outbound).collect();
    if outbound.len() < 2 {
        return;
    }
    let has_policy = outbound.iter().flat_map(|one| &one.guardians).any(|one| one.has_policy);
    let has_routes = draft
        .components
        .iter()
        .filter(|component| component.role == Some(role))
        .flat_map(|component| &component.guardians)
        .any(|guardian| guardian.gate.as_ref().is_none_or(Gate::has_routes));
    if has_policy || has_routes {
        return;
    }
    let names: Vec<&str> = outbound.iter().map(|one| one.name.as_str()).collect();
    let message = format!(
        "R12: the BETA role `{}` has {} OUTBOUND components ({}) and no `interaction_policy` on any",
        draft.roles[role].name,
        outbound.len(),
        names.join(", ")
    );
    let finding = Finding::error("r12", json::pointer(&draft.roles[role].path, "name"), message);
    out.add(
        finding.hint(
            "give one of them a guardian with `config: {interaction_policy: {branches: […]}}`",
        ),
    );
}
