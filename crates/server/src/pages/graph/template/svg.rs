//! The picture itself. Colours come from the style sheet, by class.

use std::fmt::Write;

use windlass_core::template::{Component, Direction, Guardian, GuardianKind, RoleKind, Template};

use super::super::place::Point;
use super::super::svg::{LETTER, NAME_MARGIN, cut, escape};
use super::layout::{COUNTED_HEIGHT, Layout, Pipe, RADIUS, WIDTH_MAX, layout};
use super::{Standing, Tally};

/// Around everything, so that neither border nor the name of a pipe is cut.
const MARGIN: f64 = 34.0;
/// How far the slanted sides of a hexagon go in.
const SLANT: f64 = 16.0;
/// The radius of a guardian's octagon, and how far apart two of them are along their pipe.
const GUARD: f64 = 7.5;
const GUARDS_APART: f64 = 0.2;
/// As much of a pipe's name as is written.
const PIPE_NAME: f64 = 150.0;

pub(super) fn draw(template: &Template, number: usize, standing: Option<&Standing<'_>>) -> String {
    let layout = layout(template, standing.is_some());
    let (width, height) = (layout.placed.width + 2.0 * MARGIN, layout.placed.height + 12.0);
    let mut text = String::new();
    // Links inside of an image would be hidden from who cannot see it.
    let role = if standing.is_some() { "group" } else { "img" };
    let _ = write!(
        text,
        "<svg class=\"graph template-graph\" role=\"{role}\" aria-labelledby=\"graph-{number}-title \
         graph-{number}-told\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} \
         {height:.0}\"><title id=\"graph-{number}-title\">Graph of {}</title><desc \
         id=\"graph-{number}-told\">{}</desc><defs><marker id=\"arrow-{number}\" viewBox=\"0 0 8 8\" \
         refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path \
         class=\"arrow\" d=\"M0 0L8 4L0 8z\"/></marker></defs>",
        escape(&template.name),
        escape(&told(template, standing)),
    );
    // Names last, so that no line runs through one.
    for pipe in &layout.pipes {
        write_line(&mut text, pipe, number);
    }
    for (index, role) in template.roles.iter().enumerate() {
        write_role(&mut text, (&role.name, role.kind, role.word()), corner(&layout, index));
    }
    for (index, place) in template.interactions.iter().enumerate() {
        let at = template.roles.len() + index;
        write_place(&mut text, &place.name, corner(&layout, at), layout.sizes[at], standing);
    }
    for (pipe, component) in layout.pipes.iter().zip(&template.components) {
        write_name(&mut text, pipe, component);
    }
    text.push_str("</svg>");
    text
}

/// The picture in words.
fn told(template: &Template, standing: Option<&Standing<'_>>) -> String {
    let mut told = String::new();
    for component in &template.components {
        let role = &template.roles[component.role];
        let place = &template.interactions[component.interaction].name;
        let verb = match component.direction {
            Direction::Inbound => "takes from",
            Direction::Outbound => "puts into",
        };
        let _ =
            write!(told, "{} ({}) {verb} {place} by {}", role.name, role.word(), component.name);
        if !component.guardians.is_empty() {
            let guards = component.guardians.iter().map(guard_told);
            let _ = write!(told, ", guarded by {}", guards.collect::<Vec<_>>().join(" and "));
        }
        told.push_str(". ");
    }
    for (place, tally) in standing.iter().flat_map(|standing| standing.tallies) {
        let _ = write!(told, "At {place}: {}. ", tally_told(tally));
    }
    told.trim_end().to_owned()
}

fn tally_told(tally: &Tally) -> String {
    let parts: Vec<String> =
        tally.parts().map(|(count, _, word)| format!("{count} {word}")).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

fn guard_told(guardian: &Guardian) -> String {
    format!("{} ({})", guardian.name, guardian.kind.as_str())
}

fn corner(layout: &Layout, number: usize) -> Point {
    let (middle, top) = layout.placed.boxes[number];
    (MARGIN + middle, 6.0 + top)
}

/// The letter in a role's circle, and the class that has its colour.
fn sign(kind: RoleKind) -> (&'static str, &'static str) {
    match kind {
        RoleKind::Alpha => ("α", "alpha"),
        RoleKind::Beta => ("β", "beta"),
        RoleKind::Omega => ("Ω", "omega"),
        RoleKind::Epsilon => ("ε", "epsilon"),
        RoleKind::Tau => ("τ", "tau"),
    }
}

fn write_role(text: &mut String, (name, kind, word): (&str, RoleKind, &str), (x, y): Point) {
    let (letter, class) = sign(kind);
    let middle = y + RADIUS;
    let _ = write!(
        text,
        "<g class=\"role is-{class}\"><title>{}, {word}</title><circle cx=\"{x:.1}\" \
         cy=\"{middle:.1}\" r=\"{RADIUS}\"/><text class=\"sign\" text-anchor=\"middle\" x=\"{x:.1}\" \
         y=\"{:.1}\">{letter}</text><text class=\"name\" text-anchor=\"middle\" x=\"{x:.1}\" \
         y=\"{:.1}\">{}</text><text class=\"kind\" text-anchor=\"middle\" x=\"{x:.1}\" \
         y=\"{:.1}\">{word}</text></g>",
        escape(name),
        middle + 6.5,
        y + 2.0 * RADIUS + 16.0,
        escape(&cut(name, WIDTH_MAX + NAME_MARGIN)),
        y + 2.0 * RADIUS + 31.0,
    );
}

fn write_place(
    text: &mut String,
    name: &str,
    (middle, y): Point,
    (width, height): Point,
    standing: Option<&Standing<'_>>,
) {
    let tally = standing.map(|one| one.tallies.get(name).copied().unwrap_or_default());
    let (left, right, half) = (middle - width / 2.0, middle + width / 2.0, y + height / 2.0);
    if let Some(standing) = standing {
        let _ = write!(text, "<a href=\"{}\">", escape(&(standing.link)(name)));
    }
    let told = match &tally {
        Some(tally) => format!("{name}: {}", tally_told(tally)),
        None => name.to_owned(),
    };
    let _ = write!(
        text,
        "<g class=\"interaction\"><title>{}</title><path class=\"outline\" d=\"M{left:.1} {half:.1}\
         L{:.1} {y:.1}H{:.1}L{right:.1} {half:.1}L{:.1} {:.1}H{:.1}z\"/><text class=\"name\" \
         text-anchor=\"middle\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
        escape(&told),
        left + SLANT,
        right - SLANT,
        right - SLANT,
        y + height,
        left + SLANT,
        if tally.is_some() { y + 25.0 } else { half + 4.5 },
        escape(&cut(name, WIDTH_MAX + NAME_MARGIN - 2.0 * SLANT - 12.0)),
    );
    if let Some(tally) = tally {
        write_tally(text, &tally, (middle, y + COUNTED_HEIGHT - 15.0));
    }
    text.push_str(if standing.is_some() { "</g></a>" } else { "</g>" });
}

/// A dot and a number for each of what there is.
fn write_tally(text: &mut String, tally: &Tally, (middle, y): Point) {
    const DOT: f64 = 13.0;
    const APART: f64 = 9.0;
    let parts: Vec<(String, &str)> =
        tally.parts().map(|(count, class, _)| (short(count), class)).collect();
    if parts.is_empty() {
        let _ = write!(
            text,
            "<text class=\"kind\" text-anchor=\"middle\" x=\"{middle:.1}\" y=\"{y:.1}\">empty</text>"
        );
        return;
    }
    let wide = |count: &str| DOT + count.len() as f64 * LETTER;
    let all = parts.iter().map(|(count, _)| wide(count)).sum::<f64>();
    let mut x = middle - (all + APART * (parts.len() - 1) as f64) / 2.0;
    for (count, class) in &parts {
        let _ = write!(
            text,
            "<g class=\"is-{class}\"><circle class=\"token\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4.5\"/>\
             <text class=\"count\" x=\"{:.1}\" y=\"{y:.1}\">{count}</text></g>",
            x + 4.5,
            y - 4.5,
            x + DOT,
        );
        x += wide(count) + APART;
    }
}

/// A number that fits: past 9,999 in thousands, past a million in those.
fn short(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}

/// A piece of a pipe: a curve from one level to the next.
struct Piece {
    from: Point,
    to: Point,
    aside: f64,
}

impl Piece {
    /// The points that bend it.
    fn bends(&self) -> (Point, Point) {
        let bend = (self.to.1 - self.from.1) / 2.0;
        let first = (self.from.0 + self.aside * 1.4, self.from.1 + bend);
        (first, (self.to.0 + self.aside * 1.4, self.to.1 - bend))
    }

    /// The point at a part of it, from 0 to 1.
    fn at(&self, part: f64) -> Point {
        let (first, second) = self.bends();
        let rest = 1.0 - part;
        let shares = [
            rest * rest * rest,
            3.0 * rest * rest * part,
            3.0 * rest * part * part,
            part * part * part,
        ];
        let points = [self.from, first, second, self.to];
        let sum = |of: fn(&Point) -> f64| {
            points.iter().zip(shares).map(|(point, share)| of(point) * share).sum::<f64>()
        };
        (sum(|point| point.0), sum(|point| point.1))
    }
}

impl Pipe {
    fn pieces(&self) -> impl DoubleEndedIterator<Item = Piece> + '_ {
        let point = |(x, y): Point| (x + MARGIN, y + 6.0);
        self.points.windows(2).map(move |ends| Piece {
            from: point(ends[0]),
            to: point(ends[1]),
            aside: self.aside,
        })
    }
}

fn write_line(text: &mut String, pipe: &Pipe, number: usize) {
    let mut path = String::new();
    for (index, piece) in pipe.pieces().enumerate() {
        let ((a, b), (x, y)) = (piece.bends(), piece.to);
        if index == 0 {
            let _ = write!(path, "M{:.1} {:.1}", piece.from.0, piece.from.1);
        }
        let _ = write!(path, "C{:.1} {:.1} {:.1} {:.1} {x:.1} {y:.1}", a.0, a.1, b.0, b.1);
    }
    let _ = write!(text, "<path class=\"edge\" d=\"{path}\" marker-end=\"url(#arrow-{number})\"/>");
}

/// The name of a pipe beside it, and its guardians on it.
fn write_name(text: &mut String, pipe: &Pipe, component: &Component) {
    let (part, is_last) = pipe.name_at;
    let piece = if is_last { pipe.pieces().next_back() } else { pipe.pieces().next() };
    let Some(piece) = piece else { return };
    let _ = write!(text, "<g class=\"pipe\"><title>{}</title>", escape(&pipe_told(component)));
    let count = component.guardians.len();
    for (index, guardian) in component.guardians.iter().enumerate().take(4) {
        let shift = (index as f64 - (count.min(4) as f64 - 1.0) / 2.0) * GUARDS_APART;
        write_guard(text, guardian, piece.at((part + shift).clamp(0.1, 0.9)));
    }
    let (x, y) = piece.at(part);
    let name = cut(&component.name, PIPE_NAME + NAME_MARGIN);
    let (anchor, left) = match count {
        0 => ("middle", x),
        _ => ("start", x + GUARD + 4.0),
    };
    let _ = write!(
        text,
        "<text class=\"edge-label\" text-anchor=\"{anchor}\" x=\"{left:.1}\" y=\"{:.1}\">{}</text></g>",
        y + 4.0,
        escape(&name)
    );
}

fn pipe_told(component: &Component) -> String {
    let guards: Vec<String> = component.guardians.iter().map(guard_told).collect();
    match guards.is_empty() {
        true => component.name.clone(),
        false => format!("{}, guarded by {}", component.name, guards.join(" and ")),
    }
}

/// Two octagons, one in the other. That of CERBERUS is filled: it holds what comes.
fn write_guard(text: &mut String, guardian: &Guardian, (x, y): Point) {
    let class = match guardian.kind {
        GuardianKind::Cerberus => "guard is-cerberus",
        _ => "guard",
    };
    let octagon = |radius: f64| {
        let near = radius * 0.414;
        format!(
            "M{:.1} {:.1}H{:.1}L{:.1} {:.1}V{:.1}L{:.1} {:.1}H{:.1}L{:.1} {:.1}V{:.1}z",
            x - near,
            y - radius,
            x + near,
            x + radius,
            y - near,
            y + near,
            x + near,
            y + radius,
            x - near,
            x - radius,
            y + near,
            y - near
        )
    };
    let _ = write!(
        text,
        "<g class=\"{class}\"><title>{}</title><path d=\"{}\"/><path d=\"{}\"/></g>",
        escape(&guard_told(guardian)),
        octagon(GUARD),
        octagon(GUARD - 3.0)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_short() {
        assert_eq!(
            [0, 9_999, 10_000, 999_999, 3_400_000].map(short),
            ["0", "9999", "10k", "999k", "3M"]
        );
    }

    #[test]
    fn a_piece_begins_and_ends_at_its_ends() {
        let piece = Piece { from: (1.0, 2.0), to: (30.0, 80.0), aside: 12.0 };
        assert_eq!((piece.at(0.0), piece.at(1.0)), ((1.0, 2.0), (30.0, 80.0)));
    }
}
