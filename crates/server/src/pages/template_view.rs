//! A template as pages show it: its picture, and its roles, interactions and guardians in tables.

use serde::Serialize;
use windlass_core::template::{Component, Direction, Template};
use windlass_store::UnitCount;

use super::graph::template::{Standing, draw, tallies};
use super::render::json;

/// A template, or one of the workflows of an instance.
#[derive(Debug, Serialize)]
pub(super) struct Shape {
    /// Which of the page's, from 1.
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) graph: String,
    pub(super) roles: Vec<RoleView>,
    pub(super) interactions: Vec<InteractionView>,
    pub(super) guardians: Vec<GuardianView>,
}

#[derive(Debug, Serialize)]
pub(super) struct RoleView {
    pub(super) name: String,
    /// Its type in small letters, for its colour.
    pub(super) class: String,
    /// The word of its type, as it was written.
    pub(super) word: &'static str,
    pub(super) strategy: Option<&'static str>,
    pub(super) description: Option<String>,
    pub(super) child_workflow: Option<String>,
    /// The interactions it takes from, and those it puts into.
    pub(super) takes: Vec<String>,
    pub(super) puts: Vec<String>,
    /// The actors to whom it is given; if there are none, whoever comes may act in it.
    pub(super) assigned: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct InteractionView {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) stale_after: Option<String>,
    /// The roles that take from it, and those that put into it.
    pub(super) takers: Vec<String>,
    pub(super) givers: Vec<String>,
    /// The queue that its units wait in, of an instance.
    pub(super) queue: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct GuardianView {
    pub(super) name: String,
    pub(super) word: &'static str,
    pub(super) component: String,
    /// From where to where the pipe leads.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) config: Option<String>,
}

impl Shape {
    /// Of a template.
    pub(super) fn of(template: &Template) -> Shape {
        Shape::new(template, 1, draw(template, 1, None))
    }

    /// Of a workflow of an instance, with the number of units at each place.
    pub(super) fn with_units(
        template: &Template,
        number: usize,
        counts: &[UnitCount],
        instance_id: uuid::Uuid,
    ) -> Shape {
        let mut shape = Shape::new(template, number, graph(template, number, counts, instance_id));
        for place in &mut shape.interactions {
            place.queue = Some(format!("{instance_id}/{}/{}", template.name, place.name));
        }
        shape
    }

    fn new(template: &Template, number: usize, graph: String) -> Shape {
        let component = |one: &Component| {
            let role = template.roles[one.role].name.clone();
            (role, template.interactions[one.interaction].name.clone())
        };
        let of = |direction: Direction, is_it: &dyn Fn(&Component) -> bool| {
            let components = template.components.iter();
            components
                .filter(move |one| one.direction == direction && is_it(one))
                .map(component)
                .collect::<Vec<_>>()
        };
        let roles = template.roles.iter().enumerate().map(|(index, role)| {
            let own = |one: &Component| one.role == index;
            RoleView {
                name: role.name.clone(),
                class: role.kind.as_str().to_lowercase(),
                word: role.word(),
                strategy: role.strategy.map(|strategy| strategy.as_str()),
                description: role.description.clone(),
                child_workflow: role.child_workflow_name.clone(),
                takes: of(Direction::Inbound, &own).into_iter().map(|(_, place)| place).collect(),
                puts: of(Direction::Outbound, &own).into_iter().map(|(_, place)| place).collect(),
                assigned: Vec::new(),
            }
        });
        let interactions = template.interactions.iter().enumerate().map(|(index, place)| {
            let own = |one: &Component| one.interaction == index;
            let stale =
                place.stale_token_limit_seconds.map(windlass_core::HumanDuration::from_secs);
            InteractionView {
                name: place.name.clone(),
                description: place.description.clone(),
                stale_after: stale.map(|limit| limit.to_string()),
                takers: of(Direction::Inbound, &own).into_iter().map(|(role, _)| role).collect(),
                givers: of(Direction::Outbound, &own).into_iter().map(|(role, _)| role).collect(),
                queue: None,
            }
        });
        let guardians = template.components.iter().flat_map(|one| {
            let (role, place) = component(one);
            let (from, to) = match one.direction {
                Direction::Inbound => (place, role),
                Direction::Outbound => (role, place),
            };
            one.guardians.iter().map(move |guardian| GuardianView {
                name: guardian.name.clone(),
                word: guardian.kind.as_str(),
                component: one.name.clone(),
                from: from.clone(),
                to: to.clone(),
                config: guardian
                    .config
                    .as_object()
                    .filter(|config| !config.is_empty())
                    .map(|_| json(&guardian.config)),
            })
        });
        Shape {
            number,
            name: template.name.clone(),
            graph,
            roles: roles.collect(),
            interactions: interactions.collect(),
            guardians: guardians.collect(),
        }
    }
}

/// The picture of a workflow with its units.
pub(super) fn graph(
    template: &Template,
    number: usize,
    counts: &[UnitCount],
    instance_id: uuid::Uuid,
) -> String {
    let tallies = tallies(counts, &template.name);
    let link = |place: &str| {
        format!("/instances/{instance_id}?place={}#units-title", crate::client::segment(place))
    };
    draw(template, number, Some(&Standing { tallies: &tallies, link: &link }))
}
