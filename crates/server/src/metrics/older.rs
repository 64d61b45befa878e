//! The text format of Prometheus before OpenMetrics.

use std::collections::HashMap;

/// A page of OpenMetrics in the older text format, which knows neither units nor information, and
/// calls a counter by the name of its sample.
pub fn as_text(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let mut kinds: HashMap<&str, &str> = HashMap::new();
    for line in page.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|it| it.split_once(' ')) {
            kinds.insert(name, kind);
        }
    }
    for line in page.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "UNIT", ..] | ["#", "EOF"] => continue,
            ["#", what @ ("HELP" | "TYPE"), name, rest] => {
                let (name, rest) = match (kinds.get(name).copied(), *what) {
                    (Some("counter"), _) => (format!("{name}_total"), *rest),
                    (Some("info"), "TYPE") => (format!("{name}_info"), "gauge"),
                    (Some("info"), _) => (format!("{name}_info"), *rest),
                    (Some("unknown"), "TYPE") => ((*name).to_owned(), "untyped"),
                    _ => ((*name).to_owned(), *rest),
                };
                text.push_str(&format!("# {what} {name} {rest}"));
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::as_text;

    #[test]
    fn the_older_format_has_other_names_and_types() {
        let page = "# HELP w_build This.\n# TYPE w_build info\nw_build_info{version=\"1\"} 1\n# HELP \
            w_runs_seconds How long.\n# TYPE w_runs_seconds counter\n# UNIT w_runs_seconds seconds\n\
            w_runs_seconds_total 2.5\n# HELP w_now Now.\n# TYPE w_now gauge\nw_now 3\n# EOF\n";
        assert_eq!(
            as_text(page),
            "# HELP w_build_info This.\n# TYPE w_build_info gauge\nw_build_info{version=\"1\"} 1\n# \
            HELP w_runs_seconds_total How long.\n# TYPE w_runs_seconds_total counter\n\
            w_runs_seconds_total 2.5\n# HELP w_now Now.\n# TYPE w_now gauge\nw_now 3\n"
        );
    }
}
