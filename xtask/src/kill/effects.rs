//! The effect log: one line, `run step attempt`, for each time that a step acted on the world.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, bail};

/// Attempts that acted, by run and step, in the order in which they did.
#[derive(Default)]
pub(super) struct Effects {
    attempts: HashMap<(String, String), Vec<u64>>,
}

impl Effects {
    pub(super) fn read(file: &Path) -> Result<Effects> {
        if !file.exists() {
            return Ok(Effects::default());
        }
        Effects::parse(&std::fs::read_to_string(file)?)
    }

    fn parse(text: &str) -> Result<Effects> {
        let mut effects = Effects::default();
        for (index, line) in text.lines().enumerate() {
            let mut words = line.split(' ');
            let (run, step, attempt) = (words.next(), words.next(), words.next());
            let attempt = attempt.and_then(|attempt| attempt.parse().ok());
            let (Some(run), Some(step), Some(attempt)) = (run, step, attempt) else {
                // A line is one small append, which the kernel does not tear.
                bail!("the effect log has no run, step and attempt in line {}", index + 1);
            };
            effects.attempts.entry((run.to_owned(), step.to_owned())).or_default().push(attempt);
        }
        Ok(effects)
    }

    /// What is wrong with the effects of a step whose success, in that attempt, is in the journal.
    pub(super) fn complaint(&self, run: &str, step: &str, succeeded: u64) -> Option<String> {
        let key = (run.to_owned(), step.to_owned());
        let attempts = self.attempts.get(&key).map_or(&[][..], Vec::as_slice);
        let last = attempts.last().copied();
        if attempts.windows(2).any(|pair| pair[0] >= pair[1]) {
            Some(format!("an attempt was made twice: {attempts:?}"))
        } else if last.is_some_and(|last| last > succeeded) {
            Some(format!("attempt {succeeded} had succeeded, and yet there were {attempts:?}"))
        } else if last != Some(succeeded) {
            Some(format!("attempt {succeeded} succeeded without its effect: {attempts:?}"))
        } else {
            None
        }
    }

    /// The runs and steps that acted.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attempts.keys().map(|(run, step)| (run.as_str(), step.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_may_act_in_each_attempt_up_to_the_one_that_succeeded() {
        let effects = Effects::parse("r a 1\nr b 1\nr b 3\nr c 2\nr c 2\nr d 1\nr d 2\n").unwrap();
        let wrong = |step, succeeded| effects.complaint("r", step, succeeded).is_some();
        assert!(!wrong("a", 1) && !wrong("b", 3));
        assert!(wrong("a", 2), "no effect of the attempt that succeeded");
        assert!(wrong("c", 2), "the same attempt twice");
        assert!(wrong("d", 1), "executed again after its success");
        assert!(wrong("e", 1), "no effect at all");
        assert!(Effects::parse("r a\n").is_err());
    }
}
