//! `windlass test`: what a workflow does when the server dies, tried at every place where it can.
//!
//! ```text
//!   undisturbed story ──▶ expected end, number of commits
//!   for each commit, before and after:
//!     server ──kill -9 there──▶ same directory ──▶ next server ──▶ end = expected? effects kept?
//! ```
//!
//! Every story has a data directory of its own and goes through the public API, as a client would
//! who repeats its request with the same key when it hears no answer.

mod compare;
mod effects;
mod prepare;
mod server;
mod story;

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};
use windlass_core::HumanDuration;

use super::exit::{Usage, message};
use super::{Exit, Format, input, output};
use crate::crash::Boundary;
use prepare::Prepared;
use story::{Story, Teller};

/// Errors of steps that mean that something was not deployed.
pub(super) const MISSING: [&str; 2] = ["workflow_not_found", "unknown_kind"];

/// Runs a workflow over and over, kills the server at every place, and compares how it ends.
///
/// Each commit of the run has two places, right before and right after it is durable. A server of
/// its own is killed there (`kill -9`), the next one goes on with the same directory, and status,
/// output, error and steps must be those of a run that nobody disturbed. What `shell` steps do to
/// the world is counted outside of the server: an attempt acts at most once, nothing acts after its
/// step has succeeded, and a step with `effect: never` acts no oftener than undisturbed. A step
/// whose outcome nobody knows is settled with the undisturbed output, and the run goes on.
///
/// Exits with 1 at a difference, and prints the first of each place.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The definition, in YAML or JSON.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Further definitions that it needs, such as those of its sub-runs. Their waits are shortened
    /// too; what they do to the world is not counted, and a step of theirs whose outcome nobody knows
    /// is not settled. May be given several times.
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
    /// Kills the server at every place.
    #[arg(long, required = true)]
    crash_everywhere: bool,
    /// The input: `key=value`, `@FILE`, or `-` for standard input. May be given several times. Left
    /// out: the first example of the input's schema.
    #[arg(short, long, value_name = "PART")]
    input: Vec<String>,
    /// Only as many places, evenly over the run.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// Waits of the definition last at most this long: delays, and pauses between attempts.
    #[arg(long, value_name = "DURATION", default_value = "100ms")]
    wait_max: HumanDuration,
    /// What may differ, such as `/output/text` or `/steps/fetch/output`. May be given several times.
    #[arg(long, value_name = "POINTER")]
    ignore: Vec<String>,
    /// How long one run may take after a kill.
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    patience: HumanDuration,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Test {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        debug_assert!(self.crash_everywhere, "there is no other test yet");
        let directory = tempfile::Builder::new().prefix("windlass-test-").tempdir()?;
        let effects = directory.path().join("effects");
        let Some(prepared) = self.prepared(&self.file, Some(&effects))? else {
            return Ok(Exit::CheckFailed);
        };
        let mut further = Vec::with_capacity(self.with.len());
        for file in &self.with {
            let Some(one) = self.prepared(file, None)? else { return Ok(Exit::CheckFailed) };
            further.push(one.document);
        }
        let input = match (self.input.is_empty(), &prepared.example) {
            (true, Some(example)) => example.clone(),
            _ => input::read(&self.input)?,
        };
        let mut teller = Teller {
            root: directory.path().to_owned(),
            effects,
            prepared: &prepared,
            further,
            input,
            patience: self.patience.0,
            told: 0,
        };
        let expected = teller.tell(None, None).await?;
        refuse_missing(&expected)?;
        self.refuse_chance(&expected, &teller.tell(None, None).await?)?;
        let places = sampled(&places_of(&expected), self.sample);
        let mut reports = Vec::with_capacity(places.len());
        for place in &places {
            let story = teller.tell(Some(*place), Some(&expected)).await?;
            let report = self.report(*place, &expected, &story, &prepared);
            message(&format!(
                "{} of {}: {}",
                reports.len() + 1,
                places.len(),
                report.line(&expected)
            ));
            reports.push(report);
        }
        Ok(self.conclude(&prepared.name, &expected, &reports))
    }

    /// A definition that is ready to be tested; `None` if it has errors, which are told.
    fn prepared(&self, file: &Path, effects: Option<&Path>) -> anyhow::Result<Option<Prepared>> {
        let text = super::run::read_definition(file)?;
        match prepare::definition(&text, effects, self.wait_max.0) {
            Ok(prepared) => Ok(Some(prepared)),
            Err(findings) => {
                let name = file.display();
                findings.iter().for_each(|finding| message(&format!("{name}:{finding}")));
                Ok(None)
            }
        }
    }

    /// What differs by itself cannot tell what a kill has done.
    fn refuse_chance(&self, one: &Story, other: &Story) -> anyhow::Result<()> {
        if let Some(difference) = compare::first_difference(&one.end, &other.end, &self.ignore) {
            bail!(Usage(format!(
                "two runs that nobody disturbed differ: {difference}; leave it out with `--ignore`"
            )));
        }
        Ok(())
    }

    fn report(&self, at: Boundary, expected: &Story, story: &Story, of: &Prepared) -> Report {
        let mut complaints = story.complaints.clone();
        complaints.extend(compare::first_difference(&expected.end, &story.end, &self.ignore));
        complaints.extend(effects::complaints(expected, story, of));
        let (was_killed, settled) = (story.was_killed, story.settled.clone());
        Report { at, was_killed, settled, complaint: complaints.into_iter().next() }
    }

    fn conclude(&self, name: &str, expected: &Story, reports: &[Report]) -> Exit {
        let failed = reports.iter().filter(|report| report.complaint.is_some()).count();
        let killed = reports.iter().filter(|report| report.was_killed).count();
        let settled = reports.iter().filter(|report| !report.settled.is_empty()).count();
        let undisturbed = how_it_ended(expected);
        match self.output {
            Format::Json => output::json(&json!({
                "workflow": name,
                "undisturbed": { "status": expected.end["status"], "error": expected.end["error"] },
                "boundaries_total": expected.commits.len() * 2,
                "boundaries_tested": reports.len(),
                "killed": killed,
                "settled": settled,
                "failed": failed,
                "boundaries": reports.iter().map(Report::json).collect::<Vec<_>>(),
            })),
            Format::Table => {
                let mut rows = vec![vec!["none".to_owned(), "-".to_owned(), undisturbed.clone()]];
                rows.extend(reports.iter().map(|report| report.row(expected)));
                output::table(&["PLACE", "EVENTS", "RESULT"], &rows);
            }
        }
        message(&format!(
            "{name}: undisturbed it {undisturbed}; {killed} kills at {} of {} places, {settled} with a step settled by hand, \
             {failed} differences",
            reports.len(),
            expected.commits.len() * 2
        ));
        if failed == 0 { Exit::Ok } else { Exit::RunFailed }
    }
}

/// Refuses a run that fails because what it asks for is not there: that would say nothing of kills.
fn refuse_missing(story: &Story) -> anyhow::Result<()> {
    let steps = story.end["steps"].as_object().into_iter().flatten();
    for (path, step) in steps.filter(|_| story.end["status"] == "failed") {
        let code = step["error"]["code"].as_str().unwrap_or_default();
        if MISSING.contains(&code) {
            let message = step["error"]["message"].as_str().unwrap_or_default();
            bail!(Usage(format!("`{path}` fails: {message}; give its file by `--with`")));
        }
    }
    Ok(())
}

/// How a run ended, in a few words.
fn how_it_ended(story: &Story) -> String {
    let status = story.end["status"].as_str().unwrap_or_default();
    match story.end["error"]["code"].as_str() {
        Some(code) => format!("{status} ({code})"),
        None => status.to_owned(),
    }
}

/// What came of a kill at one place.
struct Report {
    at: Boundary,
    /// Whether the run came to that commit. How many there are is a little up to chance.
    was_killed: bool,
    /// Steps whose outcome nobody knew.
    settled: Vec<String>,
    complaint: Option<String>,
}

impl Report {
    fn result(&self) -> String {
        match (&self.complaint, self.was_killed, self.settled.is_empty()) {
            (Some(complaint), ..) => complaint.clone(),
            (None, false, _) => "over before it".to_owned(),
            (None, true, true) => "same end".to_owned(),
            (None, true, false) => format!("same end, {} settled by hand", self.settled.join(", ")),
        }
    }

    fn events(&self, expected: &Story) -> String {
        let index = usize::try_from(self.at.commit).unwrap_or(usize::MAX).saturating_sub(1);
        expected.commits.get(index).cloned().unwrap_or_default()
    }

    fn line(&self, expected: &Story) -> String {
        format!("{} (events {}): {}", self.at, self.events(expected), self.result())
    }

    fn row(&self, expected: &Story) -> Vec<String> {
        vec![self.at.to_string(), self.events(expected), self.result()]
    }

    fn json(&self) -> Value {
        json!({
            "at": self.at.to_string(),
            "killed": self.was_killed,
            "settled": self.settled,
            "difference": self.complaint,
        })
    }
}

fn places_of(story: &Story) -> Vec<Boundary> {
    let commits = 1..=u64::try_from(story.commits.len()).unwrap_or(u64::MAX);
    commits.flat_map(|commit| [false, true].map(|is_after| Boundary { commit, is_after })).collect()
}

/// At most `count` of the places, evenly, the first and the last among them.
fn sampled(places: &[Boundary], count: Option<u32>) -> Vec<Boundary> {
    let count = count.map_or(places.len(), |count| count as usize).min(places.len());
    let last = places.len().saturating_sub(1);
    let steps = count.saturating_sub(1).max(1);
    (0..count).map(|index| places[index * last / steps]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_even_and_has_both_ends() {
        let places: Vec<_> = (1..=10).map(|commit| Boundary { commit, is_after: false }).collect();
        let commits = |count| -> Vec<u64> {
            sampled(&places, count).iter().map(|place| place.commit).collect()
        };
        assert_eq!(commits(Some(4)), [1, 4, 7, 10]);
        assert_eq!(commits(Some(1)), [1]);
        assert_eq!(commits(Some(50)), commits(None));
        assert_eq!(commits(None).len(), 10);
        assert!(sampled(&[], Some(3)).is_empty());
    }
}
