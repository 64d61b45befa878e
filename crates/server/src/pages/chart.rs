//! Charts over time: bars that stand on each other, and lines. They are drawn by the server, and stretch
//! with the page; what is written beside them does not.

use serde::Serialize;

/// A chart. Its picture is one unit wide for each place, and 100 high.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What it comes to as a whole.
    pub(super) sum: String,
    /// What the picture says, for who does not see it.
    pub(super) told: String,
    /// What the top of it stands for.
    pub(super) top: String,
    pub(super) places: usize,
    pub(super) bars: Vec<Bar>,
    pub(super) lines: Vec<Line>,
    /// What stands below its left end, middle and right end.
    pub(super) below: Vec<String>,
    /// What the colours mean, with the word of their class.
    pub(super) legend: Vec<(&'static str, &'static str)>,
}

/// What stands at one place.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Bar {
    pub(super) x: f64,
    pub(super) told: String,
    pub(super) parts: Vec<Part>,
}

/// A part of a bar.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Part {
    pub(super) tone: &'static str,
    pub(super) y: f64,
    pub(super) height: f64,
}

/// A line, where there is something to tell.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    pub(super) tone: &'static str,
    /// As `x,y x,y`, one for each stretch without a gap.
    pub(super) stretches: Vec<String>,
}

/// A bar as it is told: what it says of itself, and how much of each tone it has, from below.
pub(super) type Told = (String, Vec<(&'static str, f64)>);

/// Bars, each of its own height, under the top that `top_of` makes of the highest.
pub(super) fn bars(columns: Vec<Told>, top_of: impl Fn(f64) -> f64) -> (Vec<Bar>, f64) {
    let height = |(_, parts): &Told| parts.iter().map(|(_, amount)| amount).sum::<f64>();
    let top = top_of(columns.iter().map(height).fold(0.0, f64::max));
    let scale = if top > 0.0 { 100.0 / top } else { 0.0 };
    let bar = |(place, (told, parts)): (usize, Told)| {
        let mut y = 100.0;
        let parts = parts.into_iter().filter(|(_, amount)| *amount > 0.0).map(|(tone, amount)| {
            let height = amount * scale;
            y -= height;
            Part { tone, y: round(y), height: round(height) }
        });
        Bar { x: round(place as f64 + 0.1), told, parts: parts.collect() }
    };
    (columns.into_iter().enumerate().map(bar).collect(), top)
}

/// A line through the places at which there is a value, under a top.
pub(super) fn line(tone: &'static str, values: &[Option<f64>], top: f64) -> Line {
    let scale = if top > 0.0 { 100.0 / top } else { 0.0 };
    let mut stretches = Vec::new();
    let mut points: Vec<String> = Vec::new();
    for (place, value) in values.iter().enumerate() {
        match value {
            Some(value) => {
                let x = place as f64 + 0.5;
                // A single value would be a line without a length.
                let (left, right) = (round(x - 0.25), round(x + 0.25));
                let y = round(100.0 - value * scale);
                points.push(format!("{left},{y} {right},{y}"));
            }
            None if points.is_empty() => {}
            None => stretches.push(std::mem::take(&mut points).join(" ")),
        }
    }
    if !points.is_empty() {
        stretches.push(points.join(" "));
    }
    Line { tone, stretches }
}

/// The next number above that is easy to read: 1, 2 or 5 with noughts.
pub(super) fn easy(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value * 0.999_999).unwrap_or(value)
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tops_are_easy_to_read() {
        let found = [0.0, 1.0, 3.0, 17.0, 51.0, 0.003].map(easy);
        assert_eq!(found, [0.0, 1.0, 5.0, 20.0, 100.0, 0.005]);
    }

    #[test]
    fn bars_stand_on_each_other_and_lines_have_gaps() {
        let columns = vec![
            ("a".to_owned(), vec![("x", 5.0), ("y", 5.0)]),
            ("b".to_owned(), vec![("x", 0.0)]),
        ];
        let (bars, top) = bars(columns, easy);
        assert_eq!(top, 10.0);
        assert_eq!((bars[0].parts[1].y, bars[0].parts[1].height), (0.0, 50.0));
        assert!(bars[1].parts.is_empty());
        let line = line("x", &[Some(5.0), None, Some(10.0), Some(0.0)], top);
        assert_eq!(line.stretches, ["0.25,50 0.75,50", "2.25,0 2.75,0 3.25,100 3.75,100"]);
    }
}
