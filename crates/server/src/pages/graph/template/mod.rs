//! The graph of a template as inline SVG: roles are circles in the colour of their type, interactions
//! hexagons, guardians octagons on the pipe that they guard. Of an instance it also says how many
//! units of work are at each interaction.

mod alone;
mod layout;
mod svg;

use std::collections::BTreeMap;

use windlass_core::run::token::UnitStatus;
use windlass_core::template::Template;
use windlass_store::UnitCount;

pub use alone::file;

/// Boxes past which nobody could read the picture.
const BOX_COUNT_MAX: usize = 250;

/// How many units are at an interaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// They wait for an actor.
    pub waiting: u64,
    /// Actors have them.
    pub held: u64,
    /// They wait for a pilot.
    pub stuck: u64,
    /// They went wrong, and wait for whoever mends.
    pub failed: u64,
    /// They wait for the rest of their set.
    pub gathered: u64,
}

impl Tally {
    /// Counts units of one status.
    pub fn add(&mut self, status: &str, count: u64) {
        let field = match UnitStatus::parse(status) {
            Some(UnitStatus::Pending) => &mut self.waiting,
            Some(UnitStatus::Active) => &mut self.held,
            Some(
                UnitStatus::Paused
                | UnitStatus::PendingPilotApproval
                | UnitStatus::ZombiedSoft
                | UnitStatus::ZombiedDead,
            ) => &mut self.stuck,
            Some(UnitStatus::Failed) => &mut self.failed,
            Some(UnitStatus::Completed) => &mut self.gathered,
            // What is over is nowhere.
            _ => return,
        };
        *field += count;
    }

    /// What there is, with the class that has its colour and the word for it.
    pub fn parts(&self) -> impl Iterator<Item = (u64, &'static str, &'static str)> {
        let parts = [
            (self.waiting, "pending", "waiting"),
            (self.held, "active", "in hand"),
            (self.stuck, "paused", "stuck"),
            (self.failed, "failed", "failed"),
            (self.gathered, "completed", "gathered"),
        ];
        parts.into_iter().filter(|(count, ..)| *count > 0)
    }
}

/// How many units are at each interaction of a workflow, by name.
pub type Tallies = BTreeMap<String, Tally>;

/// The tallies of one of an instance's workflows.
pub fn tallies(counts: &[UnitCount], workflow: &str) -> Tallies {
    let mut tallies = Tallies::new();
    for count in counts.iter().filter(|count| count.workflow == workflow) {
        if let Some(place) = &count.place {
            tallies.entry(place.clone()).or_default().add(&count.status, count.count);
        }
    }
    tallies
}

/// What is drawn besides the template.
#[derive(Clone, Copy)]
pub struct Standing<'a> {
    /// How many units are where.
    pub tallies: &'a Tallies,
    /// The address that shows those at an interaction.
    pub link: &'a dyn Fn(&str) -> String,
}

/// A template as SVG; empty if it is too large to be read. `number` tells the pictures of a page apart.
pub fn draw(template: &Template, number: usize, standing: Option<&Standing<'_>>) -> String {
    if template.roles.len() + template.interactions.len() > BOX_COUNT_MAX {
        return String::new();
    }
    svg::draw(template, number, standing)
}
