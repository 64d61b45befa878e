//! Boxes and lines as SVG. Colours come from the style sheet, by class.

use std::fmt::Write;

use windlass_core::definition::{Body, Edge, Graph, Node, On, Plan, Role};
use windlass_core::run::{Counts, StepStatus, path};

use super::Standing;
use super::group::{Group, groups};
use super::place::{Placed, Point, place};

const WIDTH: f64 = 190.0;
const HEIGHT: f64 = 50.0;
/// Around the graph inside a block, and above it for its name.
const PADDING: f64 = 18.0;
const TITLE: f64 = 54.0;
/// Above a graph that says what it is for.
const LABEL: f64 = 22.0;
/// Around everything, so that no border is cut.
const MARGIN: f64 = 6.0;
/// The room of a line that goes back, besides that of its label, and how round its corners are.
const LANE: f64 = 26.0;
const BEND: f64 = 9.0;
/// About how wide a letter of usual width is, and how much of a box no name may use.
pub(super) const LETTER: f64 = 7.4;
pub(super) const NAME_MARGIN: f64 = 42.0;

/// A graph with its boxes, each with what is inside.
struct Drawn<'a> {
    graph: &'a Graph,
    groups: Vec<Group>,
    /// What is inside each box: nothing, or graphs one below the other.
    inside: Vec<Vec<Inside<'a>>>,
    sizes: Vec<Point>,
    lines: Vec<Line<'a>>,
    /// Lines back, each in a lane of its own to the right of everything else.
    jumps: Vec<Back>,
    placed: Placed,
}

/// A line from a box back to one before it.
struct Back {
    source: usize,
    target: usize,
    /// How far from the left it goes up.
    lane: f64,
    label: String,
    told: String,
}

/// A graph inside a box.
struct Inside<'a> {
    drawn: Drawn<'a>,
    label: Option<String>,
}

impl Inside<'_> {
    fn width(&self) -> f64 {
        self.drawn.placed.width
    }

    fn height(&self) -> f64 {
        self.drawn.placed.height + self.label.as_ref().map_or(0.0, |_| LABEL)
    }
}

struct Line<'a> {
    source: usize,
    target: usize,
    edge: &'a Edge,
    label: Option<String>,
}

pub(super) fn draw(plan: &Plan, standing: Option<&Standing<'_>>) -> String {
    let drawn = drawn(&plan.graph);
    let (width, height) = (drawn.placed.width + 2.0 * MARGIN, drawn.placed.height + 2.0 * MARGIN);
    let mut text = String::new();
    // Links inside of an image would be hidden from who cannot see it.
    let role = if standing.is_some() { "group" } else { "img" };
    let _ = write!(
        text,
        "<svg class=\"graph\" role=\"{role}\" aria-label=\"Graph of {}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
         markerHeight=\"7\" orient=\"auto\"><path class=\"arrow\" d=\"M0 0L8 4L0 8z\"/></marker>\
         </defs>",
        escape(&plan.name)
    );
    write_graph(&mut text, &drawn, (MARGIN, MARGIN), "", standing);
    text.push_str("</svg>");
    text
}

fn drawn<'a>(graph: &'a Graph) -> Drawn<'a> {
    let groups = groups(graph);
    let mut group_of = vec![0; graph.nodes.len()];
    for (number, group) in groups.iter().enumerate() {
        group.nodes.iter().for_each(|node| group_of[*node as usize] = number);
    }
    let inside: Vec<Vec<Inside<'a>>> = groups
        .iter()
        .map(|group| {
            let inside =
                |body: &'a Body| Inside { drawn: drawn(&body.graph), label: role_word(&body.role) };
            first(graph, group).bodies.iter().map(inside).collect()
        })
        .collect();
    let size = |inside: &Vec<Inside<'_>>| match inside.as_slice() {
        [] => (WIDTH, HEIGHT),
        inside => {
            let wide = inside.iter().map(Inside::width).fold(0.0, f64::max);
            let high: f64 = inside.iter().map(|one| one.height() + PADDING).sum();
            ((wide + 2.0 * PADDING).max(WIDTH), high + TITLE)
        }
    };
    let sizes: Vec<Point> = inside.iter().map(size).collect();
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        let from = first(graph, group);
        for edge in &from.edges {
            let (source, target) = (number, group_of[edge.target as usize]);
            // Several edges to one box are one line, unless they say different things.
            let label = label(from, edge, &graph.target(edge).id);
            let is_there = lines.iter().any(|line| {
                (line.source, line.target) == (source, target)
                    && edge_word(line.edge) == edge_word(edge)
                    && line.label == label
            });
            if !is_there {
                lines.push(Line { source, target, edge, label });
            }
        }
    }
    let ends: Vec<(usize, usize)> = lines.iter().map(|line| (line.source, line.target)).collect();
    let mut placed = place(&sizes, &ends);
    let jumps = jumps(graph, &groups, &group_of, &mut placed.width);
    Drawn { graph, groups, inside, sizes, lines, jumps, placed }
}

/// The lines back. They take no part in the placing, which knows no circles; each makes the picture
/// wider by its lane.
fn jumps(graph: &Graph, groups: &[Group], group_of: &[usize], width: &mut f64) -> Vec<Back> {
    let mut jumps = Vec::new();
    for (source, group) in groups.iter().enumerate() {
        let from = first(graph, group);
        for jump in &from.jumps {
            let target = graph.target(&jump.edge);
            let times = format!("{}×", jump.max_visits);
            let label = match label(from, &jump.edge, &target.id) {
                Some(label) => format!("{label}, {times}"),
                None => times,
            };
            let room = label.chars().map(self::width).sum::<f64>() * LETTER + LANE;
            let lane = *width + room / 2.0;
            *width += room;
            let told = format!(
                "{} jumps back to {}, which runs {} times at most",
                from.id, target.id, jump.max_visits
            );
            let target = group_of[jump.edge.target as usize];
            jumps.push(Back { source, target, lane, label, told });
        }
    }
    jumps
}

fn first<'a>(graph: &'a Graph, group: &Group) -> &'a Node {
    &graph.nodes[group.nodes[0] as usize]
}

fn write_graph(
    text: &mut String,
    drawn: &Drawn<'_>,
    at: Point,
    scope: &str,
    standing: Option<&Standing<'_>>,
) {
    for (line, points) in drawn.lines.iter().zip(&drawn.placed.lines) {
        write_line(text, line, points, at);
    }
    for jump in &drawn.jumps {
        write_jump(text, drawn, jump, at);
    }
    for (number, group) in drawn.groups.iter().enumerate() {
        let (middle, top) = drawn.placed.boxes[number];
        let (width, height) = drawn.sizes[number];
        let corner = (at.0 + middle - width / 2.0, at.1 + top);
        let node = first(drawn.graph, group);
        let address =
            if scope.is_empty() { node.id.clone() } else { format!("{scope}.{}", node.id) };
        let state = standing.map(|standing| State::of(drawn.graph, group, scope, standing));
        write_box(text, node, group, state.as_ref(), corner, (width, height));
        let inside = &drawn.inside[number];
        let mut top = corner.1 + TITLE;
        for one in inside {
            let left = corner.0 + (width - one.width()) / 2.0;
            let mut place = top;
            if let Some(label) = &one.label {
                let _ = write!(
                    text,
                    "<text class=\"body-label\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    corner.0 + PADDING,
                    top + 10.0,
                    escape(label)
                );
                place += LABEL;
            }
            write_graph(text, &one.drawn, (left, place), &address, standing);
            top += one.height() + PADDING;
        }
    }
}

/// What is written above a graph inside a box, if there are several.
fn role_word(role: &Role) -> Option<String> {
    match role {
        Role::Main => None,
        Role::Catch(None) => Some("on failure".to_owned()),
        Role::Catch(Some(codes)) => Some(cut(&format!("on {}", codes.join(", ")), WIDTH)),
        Role::Finally => Some("finally".to_owned()),
    }
}

fn write_line(text: &mut String, line: &Line<'_>, points: &[Point], at: Point) {
    let mut path = String::new();
    let point = |(x, y): Point| (x + at.0, y + at.1);
    for (number, pair) in points.windows(2).enumerate() {
        let ((x1, y1), (x2, y2)) = (point(pair[0]), point(pair[1]));
        if number == 0 {
            let _ = write!(path, "M{x1:.1} {y1:.1}");
        }
        let bend = (y2 - y1) / 2.0;
        let (c1, c2) = (y1 + bend, y2 - bend);
        let _ = write!(path, "C{x1:.1} {c1:.1} {x2:.1} {c2:.1} {x2:.1} {y2:.1}");
    }
    let word = edge_word(line.edge);
    let _ =
        write!(text, "<path class=\"edge edge-{word}\" d=\"{path}\" marker-end=\"url(#arrow)\"/>");
    if let Some(label) = &line.label {
        let ((x1, y1), (x2, y2)) = (point(points[0]), point(points[1]));
        let _ = write!(
            text,
            "<text class=\"edge-label\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            (x1 + x2) / 2.0,
            (y1 + y2) / 2.0 + 4.0,
            escape(label)
        );
    }
}

/// Out of the right side of a box, up its lane, and into the right side of an earlier box. What lies
/// between is drawn over it.
fn write_jump(text: &mut String, drawn: &Drawn<'_>, jump: &Back, at: Point) {
    let right = |number: usize, down: f64| {
        let (middle, top) = drawn.placed.boxes[number];
        (at.0 + middle + drawn.sizes[number].0 / 2.0, at.1 + top + down)
    };
    let (x1, y1) = right(jump.source, HEIGHT - BEND - 4.0);
    let (x2, y2) = right(jump.target, BEND + 4.0);
    let lane = at.0 + jump.lane;
    let (before, below, above) = (lane - BEND, y1 - BEND, y2 + BEND);
    let _ = write!(
        text,
        "<g><title>{}</title><path class=\"edge edge-jump\" d=\"M{x1:.1} {y1:.1}H{before:.1}Q\
         {lane:.1} {y1:.1} {lane:.1} {below:.1}V{above:.1}Q{lane:.1} {y2:.1} {before:.1} {y2:.1}H\
         {x2:.1}\" marker-end=\"url(#arrow)\"/><text class=\"edge-label\" text-anchor=\"middle\" \
         x=\"{lane:.1}\" y=\"{:.1}\">{}</text></g>",
        escape(&jump.told),
        (y1 + y2) / 2.0 + 4.0,
        escape(&jump.label)
    );
}

/// What is written at a line.
fn label(from: &Node, edge: &Edge, target: &str) -> Option<String> {
    if edge.is_branch {
        let to_here = from.branches.iter().filter(|branch| branch.target == target);
        let labels: Vec<&str> = to_here.map(|branch| branch.label.as_str()).collect();
        return (!labels.is_empty()).then(|| labels.join(", "));
    }
    match edge.on {
        On::Failure => Some("on failure".to_owned()),
        On::Always => Some("always".to_owned()),
        On::Success => edge.when.is_some().then(|| "if".to_owned()),
    }
}

/// The word for an edge in classes.
pub(super) fn edge_word(edge: &Edge) -> &'static str {
    match edge.on {
        _ if edge.is_branch => "branch",
        On::Success => "success",
        On::Failure => "failure",
        On::Always => "always",
    }
}

/// How the steps of a box stand.
struct State {
    word: &'static str,
    note: Option<String>,
    /// Its step, where that is; of many nodes in one box there is none to be chosen.
    step: Option<(String, String)>,
}

impl State {
    fn of(graph: &Graph, group: &Group, scope: &str, standing: &Standing<'_>) -> State {
        let mut counts = Counts::default();
        for node in &group.nodes {
            let id = &graph.nodes[*node as usize].id;
            let address = if scope.is_empty() { id.clone() } else { format!("{scope}.{id}") };
            let found = standing.nodes.get(&address).into_iter().flat_map(Counts::iter);
            found.for_each(|(status, count)| counts.add(status, count));
        }
        let nodes = u32::try_from(group.nodes.len()).unwrap_or(u32::MAX);
        if scope.is_empty() && !standing.row.status.is_terminal() {
            let missing = nodes.saturating_sub(counts.total());
            counts.add(StepStatus::Pending, missing);
        }
        let total = counts.total();
        let is_many = total > 1 || nodes > 1;
        let done: u32 =
            counts.iter().filter(|(status, _)| status.is_terminal()).map(|(_, count)| count).sum();
        let note = is_many.then(|| format!("{done}/{total}"));
        // What needs to be seen first wins.
        let order = [
            StepStatus::Failed,
            StepStatus::Running,
            StepStatus::BackingOff,
            StepStatus::Queued,
            StepStatus::Waiting,
            StepStatus::Paused,
            StepStatus::Pending,
            StepStatus::Cancelled,
            StepStatus::Succeeded,
            StepStatus::Skipped,
        ];
        let word = order.into_iter().find(|status| counts.of(*status) > 0);
        let step = (nodes == 1 && total > 0).then(|| {
            let id = &first(graph, group).id;
            let step = match scope {
                // Where an edge has jumped back, the last visit is the one that counts.
                "" => path::visit(id, total),
                scope => format!("{scope}.{id}"),
            };
            ((standing.link)(&step), step)
        });
        State { word: word.unwrap_or(StepStatus::Pending).as_str(), note, step }
    }
}

fn write_box(
    text: &mut String,
    node: &Node,
    group: &Group,
    state: Option<&State>,
    (x, y): Point,
    (width, height): Point,
) {
    let word = state.map_or("none", |state| state.word);
    // The dot tells the state; where there is none, the name takes its place.
    let left = x + if state.is_some() { 31.0 } else { 17.0 };
    let block = if node.bodies.is_empty() { "" } else { " block" };
    let name = match group.nodes.len() {
        1 => node.title.clone().unwrap_or_else(|| node.id.clone()),
        count => format!("{count} × {}", node.kind.name),
    };
    let told = match state {
        Some(state) => format!("{name}, {}, {}", node.kind.name, state.word),
        None => format!("{name}, {}", node.kind.name),
    };
    let step = state.and_then(|state| state.step.as_ref());
    if let Some((href, step)) = step {
        let (href, step) = (escape(href), escape(step));
        let _ = write!(text, "<a href=\"{href}\" data-step=\"{step}\">");
    }
    let _ = write!(
        text,
        "<g class=\"node is-{word}{block}\"><title>{}</title>\
         <rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"8\"/>\
         <circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\"/>\
         <text class=\"name\" x=\"{left:.1}\" y=\"{:.1}\">{}</text>\
         <text class=\"kind\" x=\"{left:.1}\" y=\"{:.1}\">{}</text>",
        escape(&told),
        x + 17.0,
        y + 20.0,
        y + 24.0,
        escape(&cut(&name, width)),
        y + 40.0,
        escape(&node.kind.name.replace('_', " ")),
    );
    if let Some(note) = state.and_then(|state| state.note.as_ref()) {
        let _ = write!(
            text,
            "<text class=\"note\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + width - 12.0,
            y + 40.0,
            escape(note)
        );
    }
    text.push_str(if step.is_some() { "</g></a>" } else { "</g>" });
}

/// As much of a name as fits into a box.
pub(super) fn cut(name: &str, box_width: f64) -> String {
    let mut room = (box_width - NAME_MARGIN) / LETTER;
    let too_far = |(_, letter): &(usize, char)| {
        room -= width(*letter);
        room < 0.0
    };
    match name.char_indices().find(too_far) {
        Some((end, _)) => format!("{}…", name[..end].trim_end()),
        None => name.to_owned(),
    }
}

/// About how wide a letter is, as a share of a usual one: the font is the reader's.
pub(super) fn width(letter: char) -> f64 {
    match letter {
        // Where the scripts begin whose signs are squares.
        '\u{1100}'.. => 1.9,
        'm' | 'w' | 'M' | 'W' | '@' => 1.5,
        letter if letter.is_uppercase() => 1.25,
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | ' ' | '.' | ',' | ':' => 0.6,
        _ => 1.0,
    }
}

pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_by_their_width() {
        assert_eq!(cut("Fetch the report", WIDTH), "Fetch the report");
        assert_eq!(cut("a_rather_long_node_name", WIDTH), "a_rather_long_node_na…");
        assert_eq!(cut("WWWWWWWWWWWWWWWWWWWW", WIDTH), "WWWWWWWWWWWWW…");
        assert_eq!(cut("承認されるまで待ってください", WIDTH), "承認されるまで待って…");
    }
}
