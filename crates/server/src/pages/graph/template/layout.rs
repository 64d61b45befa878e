//! Where roles, interactions and pipes go. Templates go in circles, the placing knows none: a pipe
//! that closes one is placed as if it led the other way.

use windlass_core::template::{Direction, Template};

use super::super::place::{Placed, Point, place_apart};
use super::super::svg::{LETTER, width};

/// Between levels there is room for the name of a pipe and for its guardians.
const GAP: f64 = 84.0;
/// The radius of a role's circle, and the room for the two lines below it.
pub(super) const RADIUS: f64 = 24.0;
pub(super) const CAPTION: f64 = 38.0;
/// How high an interaction is, without and with the line that counts its units.
const HEIGHT: f64 = 44.0;
pub(super) const COUNTED_HEIGHT: f64 = 60.0;
/// The narrowest and widest that a name makes its box.
const WIDTH_MIN: f64 = 92.0;
pub(super) const WIDTH_MAX: f64 = 200.0;

/// A template with its places. Boxes are the roles, then the interactions.
pub(super) struct Layout {
    pub(super) sizes: Vec<Point>,
    pub(super) placed: Placed,
    pub(super) pipes: Vec<Pipe>,
}

/// A component: from a box to another, in the direction in which units go.
pub(super) struct Pipe {
    /// Through these points.
    pub(super) points: Vec<Point>,
    /// How far it is bent aside, so that two between the same boxes can be told apart.
    pub(super) aside: f64,
    /// Where along its piece its name stands, and whether that is its last piece.
    pub(super) name_at: (f64, bool),
}

pub(super) fn layout(template: &Template, is_counted: bool) -> Layout {
    let roles = template.roles.len();
    let text = |name: &str| name.chars().map(width).sum::<f64>() * LETTER;
    let wide = |name: &str, more: f64| (text(name) + more).clamp(WIDTH_MIN, WIDTH_MAX);
    let high = if is_counted { COUNTED_HEIGHT } else { HEIGHT };
    let circles = template.roles.iter().map(|one| (wide(&one.name, 8.0), 2.0 * RADIUS + CAPTION));
    let hexagons = template.interactions.iter().map(|one| (wide(&one.name, 52.0), high));
    let sizes: Vec<Point> = circles.chain(hexagons).collect();
    let ends: Vec<(usize, usize)> = template
        .components
        .iter()
        .map(|one| match one.direction {
            Direction::Inbound => (roles + one.interaction, one.role),
            Direction::Outbound => (one.role, roles + one.interaction),
        })
        .collect();
    let ate = template.ate().map(|place| roles + place);
    let chronos = template.chronos().map(|place| roles + place);
    let first = [Some(template.alpha()), ate, chronos].into_iter().flatten();
    let backward = backward(sizes.len(), &ends, first);
    let forward: Vec<(usize, usize)> = ends
        .iter()
        .zip(&backward)
        .map(|((source, target), is_back)| match is_back {
            true => (*target, *source),
            false => (*source, *target),
        })
        .collect();
    let placed = place_apart(&sizes, &forward, GAP);
    let pipe = |(number, is_back): (usize, &bool)| {
        let mut points = placed.lines[number].clone();
        if *is_back {
            points.reverse();
        }
        Pipe { points, aside: aside(&ends, number), name_at: name_at(&forward, number, *is_back) }
    };
    let pipes = backward.iter().enumerate().map(pipe).collect();
    Layout { sizes, pipes, placed }
}

/// Which lines close a circle, when one walks from `first` on and then from whatever is left.
fn backward(
    count: usize,
    ends: &[(usize, usize)],
    first: impl Iterator<Item = usize>,
) -> Vec<bool> {
    let mut leaving: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (number, (source, _)) in ends.iter().enumerate() {
        leaving[*source].push(number);
    }
    let mut backward = vec![false; ends.len()];
    // On the way there now; been there before.
    let (mut is_open, mut is_done) = (vec![false; count], vec![false; count]);
    for start in first.chain(0..count) {
        if start >= count || is_done[start] || is_open[start] {
            continue;
        }
        // Each with how many of its lines were followed.
        let mut way = vec![(start, 0)];
        is_open[start] = true;
        while let Some((at, followed)) = way.last_mut() {
            let Some(line) = leaving[*at].get(*followed).copied() else {
                is_open[*at] = false;
                is_done[*at] = true;
                way.pop();
                continue;
            };
            *followed += 1;
            let target = ends[line].1;
            if is_open[target] {
                backward[line] = true;
            } else if !is_done[target] {
                is_open[target] = true;
                way.push((target, 0));
            }
        }
    }
    backward
}

/// Pipes between the same two boxes are bent apart.
fn aside(ends: &[(usize, usize)], number: usize) -> f64 {
    const APART: f64 = 46.0;
    let (source, target) = ends[number];
    let is_same = |one: &(usize, usize)| *one == (source, target) || *one == (target, source);
    let all = ends.iter().filter(|one| is_same(one)).count();
    let before = ends[..number].iter().filter(|one| is_same(one)).count();
    (before as f64 - (all - 1) as f64 / 2.0) * APART
}

/// Where lines fan out their names stand at the far ends, where they come together at the near ones.
fn name_at(forward: &[(usize, usize)], number: usize, is_back: bool) -> (f64, bool) {
    let (upper, lower) = forward[number];
    let leaving = forward.iter().filter(|one| one.0 == upper).count();
    let coming = forward.iter().filter(|one| one.1 == lower).count();
    let (part, is_low) = match (leaving > 1, coming > 1) {
        (true, false) => (0.66, true),
        (false, true) => (0.3, false),
        _ => (0.48, false),
    };
    // The points of a line that is drawn upwards are in the other order.
    if is_back { (1.0 - part, !is_low) } else { (part, is_low) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_closes_a_circle_leads_back() {
        let ends = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 3), (0, 2)];
        let found = backward(5, &ends, [0].into_iter());
        assert_eq!(found, [false, false, true, false, true, false]);
    }

    #[test]
    fn two_pipes_between_the_same_boxes_are_apart() {
        let ends = [(0, 1), (1, 0), (1, 2)];
        assert_eq!(aside(&ends, 0), -aside(&ends, 1));
        assert!(aside(&ends, 0).abs() > 10.0);
        assert_eq!(aside(&ends, 2), 0.0);
    }
}
