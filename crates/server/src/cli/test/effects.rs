//! What steps did to the world, counted in a file that the server never reads.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::bail;
use serde_json::Value;
use windlass_core::run::path;

use super::prepare::Prepared;
use super::story::Story;

/// Attempts that acted, by step, in the order in which they did.
pub(super) type Effects = BTreeMap<String, Vec<u64>>;

/// The line a `shell` step adds to the file before it does anything else.
pub(super) fn note(file: &Path) -> String {
    let file = file.display().to_string().replace('\'', "'\\''");
    format!("printf '%s %s\\n' \"$WINDLASS_ATTEMPT\" \"$WINDLASS_STEP\" >> '{file}'")
}

/// Reads the file.
///
/// # Errors
///
/// If it holds anything else. A line is one small append, which the kernel does not tear.
pub(super) fn read(file: &Path) -> anyhow::Result<Effects> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error.into()),
    };
    let mut effects = Effects::new();
    for line in text.lines() {
        let parts = line.split_once(' ');
        let Some((attempt, step)) = parts.and_then(|(a, step)| Some((a.parse().ok()?, step)))
        else {
            bail!("`{line}` is no line of the effect log");
        };
        effects.entry(step.to_owned()).or_default().push(attempt);
    }
    Ok(effects)
}

/// What is wrong with the effects of a story.
pub(super) fn complaints(expected: &Story, story: &Story, prepared: &Prepared) -> Vec<String> {
    let none = Vec::new();
    let mut complaints = Vec::new();
    for (step, attempts) in &story.effects {
        let undisturbed = expected.effects.get(step).unwrap_or(&none);
        if undisturbed.is_empty() {
            complaints.push(format!("`{step}` acted, and does not if nobody disturbs it"));
        }
        if attempts.windows(2).any(|pair| pair[0] >= pair[1]) {
            complaints.push(format!("`{step}` made an attempt twice: {attempts:?}"));
        }
        let succeeded = story.succeeded.get(step);
        if succeeded.zip(attempts.last()).is_some_and(|(succeeded, last)| last > succeeded) {
            complaints.push(format!("`{step}` acted after it had succeeded: {attempts:?}"));
        }
        let is_never = prepared.never.contains(path::node_of(step));
        if is_never && attempts.len() > undisturbed.len() {
            let times = attempts.len();
            complaints.push(format!("`{step}` has `effect: never` and acted {times} times"));
        }
    }
    for step in expected.effects.keys().filter(|step| !story.effects.contains_key(*step)) {
        if !story.settled.contains(step) {
            complaints.push(format!("`{step}` did not act"));
        }
    }
    complaints
}

/// The attempts in which steps succeeded, by step.
pub(super) fn succeeded(steps: &[Value]) -> BTreeMap<String, u64> {
    let good = steps.iter().filter(|step| step["status"] == "succeeded");
    good.filter_map(|step| Some((step["path"].as_str()?.to_owned(), step["attempt"].as_u64()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(effects: &[(&str, &[u64])], succeeded: &[(&str, u64)]) -> Story {
        let effects = effects.iter().map(|(step, all)| ((*step).to_owned(), all.to_vec()));
        let succeeded = succeeded.iter().map(|(step, attempt)| ((*step).to_owned(), *attempt));
        Story { effects: effects.collect(), succeeded: succeeded.collect(), ..Story::default() }
    }

    #[test]
    fn what_acts_too_often_or_not_at_all_is_found() {
        let prepared = Prepared { never: ["pay".to_owned()].into(), ..Prepared::default() };
        let expected = story(&[("fetch", &[1]), ("pay", &[1])], &[("fetch", 1), ("pay", 1)]);
        let found = |effects: &[(&str, &[u64])], succeeded: &[(&str, u64)]| {
            complaints(&expected, &story(effects, succeeded), &prepared).join("; ")
        };
        assert_eq!(found(&[("fetch", &[1, 2]), ("pay", &[1])], &[("fetch", 2)]), "");
        assert!(found(&[("fetch", &[1]), ("pay", &[1, 2])], &[]).contains("acted 2 times"));
        assert!(found(&[("fetch", &[1, 1]), ("pay", &[1])], &[]).contains("twice"));
        assert!(found(&[("fetch", &[1, 2]), ("pay", &[1])], &[("fetch", 1)]).contains("after"));
        assert_eq!(found(&[("fetch", &[1])], &[]), "`pay` did not act");
        let stranger = found(&[("fetch", &[1]), ("pay", &[1]), ("x", &[1])], &[]);
        assert!(stranger.starts_with("`x` acted"), "{stranger}");
    }
}
