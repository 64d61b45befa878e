//! Every arrow between crates points down, and each floor knows only what it may know.
//!
//! Read from the text of each `Cargo.toml` rather than from cargo, for the line numbers.

use super::{File, Tree, Violation};

/// A crate, the crates of ours it may depend on, and what else it must never know.
struct Floor {
    name: &'static str,
    may_use: &'static [&'static str],
    must_not_use: &'static [&'static str],
}

const FLOORS: [Floor; 5] = [
    Floor {
        name: "core",
        may_use: &[],
        must_not_use: &[
            "tokio", "rusqlite", "reqwest", "axum", "http", "tracing", "rand", "fastrand",
        ],
    },
    // Large values may be objects of a service, so it speaks HTTP; it never listens.
    Floor { name: "store", may_use: &["core"], must_not_use: &["axum", "hyper", "tower"] },
    Floor { name: "nodes", may_use: &["core"], must_not_use: &["rusqlite"] },
    Floor {
        name: "engine",
        may_use: &["core", "nodes", "store"],
        must_not_use: &["axum", "http", "hyper", "reqwest", "tower", "rusqlite"],
    },
    Floor {
        name: "server",
        may_use: &["core", "nodes", "store", "engine", "client"],
        must_not_use: &[],
    },
];

/// Stands outside of the house, in `sdk/rust`, and knows it by HTTP alone.
const CLIENT: Floor =
    Floor { name: "client", may_use: &[], must_not_use: &["hyper", "rusqlite", "ureq"] };

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.with_extension("toml") {
        if file.path == "sdk/rust/Cargo.toml" {
            violations.extend(breaches(&CLIENT, file));
        }
        let Some(name) = file.path.strip_prefix("crates/") else { continue };
        let Some(name) = name.strip_suffix("/Cargo.toml") else { continue };
        match FLOORS.iter().find(|floor| floor.name == name) {
            Some(floor) => violations.extend(breaches(floor, file)),
            None => violations.push(Violation {
                file: file.path.clone(),
                line: 1,
                what: format!("the house has no floor called `{name}`"),
                hint: "a sixth crate needs a page in docs/decisions and a line in tidy/arrows.rs",
            }),
        }
    }
    violations
}

fn breaches(floor: &Floor, file: &File) -> Vec<Violation> {
    let breach = |(line, dependency): (usize, &str)| {
        let hint = match dependency.strip_prefix("windlass-") {
            Some(ours) if floor.may_use.contains(&ours) => return None,
            Some(_) => "every arrow points down; see DESIGN §3, the house",
            None if floor.must_not_use.contains(&dependency) => {
                "another floor knows about that; ask it by a trait or a value"
            }
            None => return None,
        };
        let what = format!("`{}` must not depend on `{dependency}`", floor.name);
        Some(Violation { file: file.path.clone(), line, what, hint })
    };
    dependencies(&file.text).into_iter().filter_map(breach).collect()
}

/// Names in the sections `dependencies`, `dev-dependencies` and so on, with their lines.
fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            is_inside = header.ends_with("dependencies");
            // `[dependencies.tokio]` names one in the header.
            if let Some((_, name)) = header.rsplit_once("dependencies.") {
                found.push((index + 1, name));
            }
        } else if is_inside && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default().trim_matches('"');
            if !name.is_empty() {
                found.push((index + 1, name));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(path: &str, manifest: &str) -> Vec<(usize, String)> {
        let found = check(&Tree::planted(&[(path, manifest)]));
        found.into_iter().map(|violation| (violation.line, violation.what)).collect()
    }

    #[test]
    fn the_core_knows_no_other_floor_and_no_world() {
        let manifest = "[package]\nname = \"windlass-core\"\n[dependencies]\nserde = \"1\"\n\
                        windlass-store.workspace = true\n# rusqlite = \"1\"\n\
                        tokio = { version = \"1\" }\n";
        let expected = [
            (5, "`core` must not depend on `windlass-store`".to_owned()),
            (7, "`core` must not depend on `tokio`".to_owned()),
        ];
        assert_eq!(found_in("crates/core/Cargo.toml", manifest), expected);
    }

    #[test]
    fn neighbours_on_the_ground_floor_never_see_each_other() {
        let manifest = "[dependencies]\nwindlass-core.workspace = true\n\
                        [dev-dependencies]\nwindlass-store.workspace = true\n";
        assert_eq!(found_in("crates/nodes/Cargo.toml", manifest).len(), 1);
        assert_eq!(found_in("crates/store/Cargo.toml", manifest).len(), 1);
    }

    #[test]
    fn the_engine_speaks_no_http_however_it_is_written() {
        let manifest = "[dependencies.axum]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\n\
                        http = \"1\"\n[features]\nreqwest = []\n";
        let lines: Vec<usize> = found_in("crates/engine/Cargo.toml", manifest)
            .into_iter()
            .map(|(line, _)| line)
            .collect();
        assert_eq!(lines, [1, 4]);
    }

    #[test]
    fn nothing_below_depends_on_the_server_and_a_sixth_crate_is_noticed() {
        let manifest = "[dependencies]\nwindlass-server.workspace = true\n";
        assert_eq!(found_in("crates/engine/Cargo.toml", manifest).len(), 1);
        assert_eq!(found_in("crates/utils/Cargo.toml", "").len(), 1);
        assert_eq!(found_in("sdk/rust/Cargo.toml", manifest).len(), 1);
        assert_eq!(found_in("xtask/Cargo.toml", manifest), []);
    }
}
