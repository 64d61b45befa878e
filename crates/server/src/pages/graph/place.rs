//! Where boxes and the lines between them go.
//!
//! `rust-sugiyama` orders the boxes of a level and gives them their places across. It does not say
//! how a line gets past the levels between its ends, so long lines are cut into pieces here, with a
//! small box of no height on every level they cross.

use rust_sugiyama::configure::Config;
use rust_sugiyama::from_vertices_and_edges;

/// Space between boxes of a level.
const GAP_X: f64 = 28.0;
/// Space between levels, for the lines.
const GAP_Y: f64 = 44.0;
/// The width that a line passing a level is given.
const PASS_WIDTH: f64 = 14.0;

/// A point.
pub(super) type Point = (f64, f64);

/// Boxes and lines with their places.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// The middle of each box's upper side.
    pub(super) boxes: Vec<Point>,
    /// The points each line goes through, from box to box.
    pub(super) lines: Vec<Vec<Point>>,
    /// How wide all of it is.
    pub(super) width: f64,
    /// How high.
    pub(super) height: f64,
}

/// Places boxes of these sizes with these lines between them. There must be no cycle.
pub(super) fn place(sizes: &[Point], lines: &[(usize, usize)]) -> Placed {
    place_apart(sizes, lines, GAP_Y)
}

/// The same with so much space between levels.
pub(super) fn place_apart(sizes: &[Point], lines: &[(usize, usize)], gap: f64) -> Placed {
    if sizes.is_empty() {
        return Placed::default();
    }
    let levels = levels(sizes.len(), lines);
    let depth = levels.iter().max().map_or(1, |last| last + 1);
    let mut heights = vec![0.0_f64; depth];
    for (size, level) in sizes.iter().zip(&levels) {
        heights[*level] = heights[*level].max(size.1);
    }
    let mut tops = vec![0.0; depth];
    for level in 1..depth {
        tops[level] = tops[level - 1] + heights[level - 1] + gap;
    }
    let (across, passes) = across(sizes, lines, &levels);
    let left = |vertex: usize, width: f64| across[vertex] - width / 2.0;
    let least = (0..sizes.len()).map(|one| left(one, sizes[one].0)).fold(f64::MAX, f64::min);
    let least = passes.iter().flatten().map(|pass| across[*pass]).fold(least, f64::min);
    let right = (0..sizes.len()).map(|one| left(one, sizes[one].0) + sizes[one].0);
    let most = right.fold(f64::MIN, f64::max);
    let most = passes.iter().flatten().map(|pass| across[*pass]).fold(most, f64::max);
    let route = |((source, target), passes): (&(usize, usize), &Vec<usize>)| {
        let mut points = vec![(across[*source] - least, tops[levels[*source]] + sizes[*source].1)];
        for (level, pass) in (levels[*source] + 1..).zip(passes) {
            points.push((across[*pass] - least, tops[level]));
            points.push((across[*pass] - least, tops[level] + heights[level]));
        }
        points.push((across[*target] - least, tops[levels[*target]]));
        points
    };
    Placed {
        boxes: (0..sizes.len()).map(|one| (across[one] - least, tops[levels[one]])).collect(),
        lines: lines.iter().zip(&passes).map(route).collect(),
        width: most - least,
        height: tops[depth - 1] + heights[depth - 1],
    }
}

/// The level of each box: one below the lowest of those with a line to it.
fn levels(count: usize, lines: &[(usize, usize)]) -> Vec<usize> {
    let mut levels = vec![0; count];
    // As many rounds as there can be levels.
    for _ in 0..count {
        let mut has_moved = false;
        for (source, target) in lines {
            if levels[*target] <= levels[*source] && levels[*source] + 1 < count {
                levels[*target] = levels[*source] + 1;
                has_moved = true;
            }
        }
        if !has_moved {
            break;
        }
    }
    levels
}

/// The place across of every box and of every pass, and the passes of each line.
fn across(
    sizes: &[Point],
    lines: &[(usize, usize)],
    levels: &[usize],
) -> (Vec<f64>, Vec<Vec<usize>>) {
    let number = |vertex: usize| u32::try_from(vertex).unwrap_or(u32::MAX);
    let mut vertices: Vec<(u32, Point)> =
        sizes.iter().enumerate().map(|(one, size)| (number(one), (size.0, 1.0))).collect();
    let (mut pieces, mut passes) = (Vec::new(), Vec::new());
    for (source, target) in lines {
        let (mut last, mut crossed) = (*source, Vec::new());
        for _ in levels[*source] + 1..levels[*target] {
            let pass = vertices.len();
            vertices.push((number(pass), (PASS_WIDTH, 1.0)));
            pieces.push((number(last), number(pass)));
            crossed.push(pass);
            last = pass;
        }
        pieces.push((number(last), number(*target)));
        passes.push(crossed);
    }
    // A vertex above all makes one graph of several that hang on nothing.
    let above = number(vertices.len());
    vertices.push((above, (1.0, 1.0)));
    let roots = levels.iter().enumerate().filter(|(_, level)| **level == 0);
    pieces.extend(roots.map(|(root, _)| (above, number(root))));
    pieces.sort_unstable();
    pieces.dedup();
    let config =
        Config { vertex_spacing: GAP_X, transpose: vertices.len() < 120, ..Config::default() };
    let mut across = vec![0.0; vertices.len()];
    for (places, _, _) in from_vertices_and_edges(&vertices, &pieces, &config) {
        for (vertex, (x, _)) in places {
            if let Some(place) = across.get_mut(vertex) {
                *place = x;
            }
        }
    }
    (across, passes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_do_not_overlap_and_lines_go_down() {
        let sizes = [(100.0, 40.0); 6];
        let lines = [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3), (3, 4)];
        let placed = place(&sizes, &lines);
        for one in 0..sizes.len() {
            for other in 0..one {
                let (a, b) = (placed.boxes[one], placed.boxes[other]);
                let is_apart = (a.0 - b.0).abs() >= 100.0 || (a.1 - b.1).abs() >= 40.0;
                assert!(is_apart, "{one} and {other}: {placed:?}");
            }
            assert!(placed.boxes[one].0 >= 50.0 && placed.boxes[one].0 <= placed.width - 50.0);
        }
        for line in &placed.lines {
            assert!(line.windows(2).all(|ends| ends[0].1 <= ends[1].1), "{line:?}");
        }
        // The line from the first box to the fourth passes one level.
        assert_eq!(placed.lines[4].len(), 4);
    }

    #[test]
    fn the_smallest_graphs_have_their_place() {
        assert_eq!(place(&[], &[]).boxes, []);
        let placed = place(&[(100.0, 40.0)], &[]);
        assert_eq!((placed.boxes[0], placed.width, placed.height), ((50.0, 0.0), 100.0, 40.0));
    }
}
