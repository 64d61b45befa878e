//! Errors that are the same but for numbers and ids.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_store::RunGlance;

/// Kinds of error that are told apart; what comes later is counted together.
const GROUPS_MAX: usize = 1_000;
/// The longest message that is looked at, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// Runs that failed alike.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong, with `#` for numbers and ids.
    pub message: String,
    /// How many runs.
    pub count: u64,
    /// The newest of them.
    pub last_run: Uuid,
    /// When that was created, RFC 3339.
    #[schema(format = DateTime)]
    pub last_at: String,
    /// The names of their workflows, at most 5.
    pub workflows: Vec<String>,
}

/// Errors by what they say.
#[derive(Debug, Default)]
pub struct Errors {
    groups: HashMap<String, ErrorBody>,
    others: u64,
}

impl Errors {
    /// Counts a run, if it has failed. The newest come first.
    pub fn add(&mut self, run: &RunGlance) {
        let Some(error) = &run.error else { return };
        let message = alike(error);
        if let Some(group) = self.groups.get_mut(&message) {
            group.count += 1;
            if group.workflows.len() < 5 && !group.workflows.contains(&run.workflow) {
                group.workflows.push(run.workflow.clone());
            }
        } else if self.groups.len() < GROUPS_MAX {
            let group = ErrorBody {
                message: message.clone(),
                count: 1,
                last_run: run.run_id,
                last_at: run.created_at.to_string(),
                workflows: vec![run.workflow.clone()],
            };
            self.groups.insert(message, group);
        } else {
            self.others += 1;
        }
    }

    /// The most frequent ones, and how many runs failed in another way.
    pub fn told(self, most: usize) -> (Vec<ErrorBody>, u64) {
        let mut groups: Vec<ErrorBody> = self.groups.into_values().collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| b.last_run.cmp(&a.last_run)));
        let rest = groups.get(most..).unwrap_or_default();
        let others = self.others + rest.iter().map(|group| group.count).sum::<u64>();
        groups.truncate(most);
        (groups, others)
    }
}

/// A message without what differs from run to run: words that have a digit in them.
pub fn alike(message: &str) -> String {
    let mut said = String::new();
    let mut word = String::new();
    let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let close = |word: &mut String, said: &mut String| {
        let has_digit = word.contains(|c: char| c.is_ascii_digit());
        // The point that ends a sentence is none of a number's.
        let core = word.trim_end_matches('.');
        if has_digit {
            said.push('#');
            said.push_str(&word[core.len()..]);
        } else {
            said.push_str(word);
        }
        word.clear();
    };
    for c in message.chars().take(MESSAGE_CHARS_MAX) {
        if is_of_word(c) {
            word.push(c);
        } else {
            close(&mut word, &mut said);
            said.push(if c.is_whitespace() { ' ' } else { c });
        }
    }
    close(&mut word, &mut said);
    said
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn numbers_and_ids_are_passed_over() {
        for (message, said) in [
            ("no", "no"),
            ("HTTP 503 from 10.0.0.7:80.", "HTTP # from #:#."),
            ("run 01a2043e-35bc-7525 is gone", "run # is gone"),
            ("KeyError('id_7')", "KeyError('#')"),
            ("ends.", "ends."),
        ] {
            assert_eq!(alike(message), said);
        }
    }
}
