//! What the picture of a template must look like: where units can get, and that they get out again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::draft::{ComponentDraft, Draft};
use super::model::{Direction, RoleKind};
use crate::definition::findings::Findings;
use crate::finding::Finding;

/// Cycles that are told at once.
const CYCLES_SHOWN: usize = 20;

/// A place in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Role(usize),
    Interaction(usize),
}

pub(super) fn check(draft: &Draft, out: &mut Findings<'_>) {
    turned_around(draft, out);
    cycles(draft, out);
    // What is left out of the picture would make everything behind it look lost.
    let is_whole = draft.components.iter().all(|one| ends(one).is_some())
        && draft.roles.iter().all(|role| role.kind.is_some());
    if is_whole {
        reached(draft, out);
    }
}

/// ALPHA pulls from nothing and OMEGA pushes nowhere, unless a template loops on purpose.
fn turned_around(draft: &Draft, out: &mut Findings<'_>) {
    let wrong = [
        (RoleKind::Alpha, Direction::Inbound, "alpha-inbound", "pulls by", "begin there"),
        (RoleKind::Omega, Direction::Outbound, "omega-outbound", "pushes by", "end there"),
    ];
    for (kind, direction, code, verb, why) in wrong {
        for (index, role) in draft.roles_of(kind) {
            let components = draft.components_of(index, direction);
            for component in components.filter(|one| one.direction == Some(direction)) {
                let (word, name) = (kind.as_str(), &role.name);
                let message =
                    format!("the {word} role `{name}` {verb} the component `{}`", component.name);
                let finding = Finding::error(code, component.path.clone(), message).as_warning();
                out.add(finding.hint(format!("units of work {why}; keep it only for a loop")));
            }
        }
    }
}

/// Where a component leads from and to; `None` if that could not be read.
fn ends(component: &ComponentDraft) -> Option<(Place, Place)> {
    let role = Place::Role(component.role?);
    let interaction = Place::Interaction(component.interaction?);
    Some(match component.direction? {
        Direction::Inbound => (interaction, role),
        Direction::Outbound => (role, interaction),
    })
}

/// Every cycle has a guardian on it that can end it. A cycle through TAU ends by the clock.
fn cycles(draft: &Draft, out: &mut Findings<'_>) {
    let is_clock =
        |place: Place| matches!(place, Place::Role(role) if draft.roles[role].is(RoleKind::Tau));
    let mut endless: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
    for (from, to) in draft.components.iter().filter(|one| !one.has_exit()).filter_map(ends) {
        if !is_clock(from) && !is_clock(to) {
            endless.entry(from).or_default().push(to);
        }
    }
    let mut told: BTreeSet<BTreeSet<Place>> = BTreeSet::new();
    for index in 0..draft.interactions.len() {
        let Some(cycle) = shortest_cycle(Place::Interaction(index), &endless) else { continue };
        if told.len() == CYCLES_SHOWN {
            return;
        }
        if !told.insert(cycle.iter().copied().collect()) {
            continue;
        }
        let names: Vec<&str> = cycle
            .iter()
            .map(|place| match place {
                Place::Role(role) => draft.roles[*role].name.as_str(),
                Place::Interaction(interaction) => draft.interaction_name(*interaction),
            })
            .collect();
        let message =
            format!("the cycle {} → {} has no guardian that ends it", names.join(" → "), names[0]);
        let path = draft.interactions[index].path.clone();
        out.add(Finding::error("no-way-out", path, message).hint(
            "put a gate other than PASS_THRU, or a policy with a condition, on one of its \
             components",
        ));
    }
}

/// The shortest way from a place back to it.
fn shortest_cycle(start: Place, ways: &BTreeMap<Place, Vec<Place>>) -> Option<Vec<Place>> {
    let mut came_from: BTreeMap<Place, Place> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for to in ways.get(&at).into_iter().flatten() {
            if *to == start {
                let back = std::iter::successors(Some(at), |place| came_from.get(place).copied());
                let mut cycle: Vec<Place> = back.collect();
                cycle.reverse();
                return Some(cycle);
            }
            if !came_from.contains_key(to) {
                came_from.insert(*to, at);
                queue.push_back(*to);
            }
        }
    }
    None
}

/// Units get to every interaction, and from there to OMEGA.
fn reached(draft: &Draft, out: &mut Findings<'_>) {
    let edges: Vec<(Place, Place)> = draft.components.iter().filter_map(ends).collect();
    let role_of = |kind| draft.roles_of(kind).next().map(|(index, _)| Place::Role(index));
    let (Some(alpha), Some(omega)) = (role_of(RoleKind::Alpha), role_of(RoleKind::Omega)) else {
        return;
    };
    // Rejected, failed and late units are put there by the engine.
    let helpers: Vec<Place> =
        [RoleKind::Epsilon, RoleKind::Tau].into_iter().filter_map(role_of).collect();
    let mut starts = vec![alpha];
    starts.extend(edges.iter().filter(|(_, to)| helpers.contains(to)).map(|(from, _)| *from));
    let forward = spread(starts, |at, next| {
        edges.iter().filter(|(from, _)| *from == at).for_each(|(_, to)| next(*to));
    });
    let backward = spread(vec![omega], |at, next| {
        edges.iter().filter(|(_, to)| *to == at).for_each(|(from, _)| next(*from));
    });
    for (index, interaction) in draft.interactions.iter().enumerate() {
        let name = &interaction.interaction.name;
        let place = Place::Interaction(index);
        let has_both = [Direction::Inbound, Direction::Outbound].into_iter().all(|direction| {
            draft.components.iter().any(|component| {
                component.interaction == Some(index) && component.direction == Some(direction)
            })
        });
        // Without a producer or a consumer it has its finding by R7.
        let (code, message, hint) = match () {
            () if !has_both => continue,
            () if !forward.contains(&place) => (
                "unreachable-interaction",
                format!("no unit of work gets to the interaction `{name}`"),
                "lead a way to it that begins at ALPHA, or take it out",
            ),
            () if !backward.contains(&place) => (
                "dead-end",
                format!("from the interaction `{name}` no way leads to OMEGA"),
                "give a role that pulls from it an OUTBOUND component",
            ),
            () => continue,
        };
        let finding = Finding::error(code, interaction.path.clone(), message).as_warning();
        out.add(finding.hint(hint));
    }
}

fn spread(starts: Vec<Place>, next: impl Fn(Place, &mut dyn FnMut(Place))) -> BTreeSet<Place> {
    let mut found: BTreeSet<Place> = starts.iter().copied().collect();
    let mut open = starts;
    while let Some(at) = open.pop() {
        next(at, &mut |place| {
            if found.insert(place) {
                open.push(place);
            }
        });
    }
    found
}
