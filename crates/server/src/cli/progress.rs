//! Telling people how a run goes: a bar on a terminal, a line for each change elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use uuid::Uuid;
use windlass_core::kinds::Awaits;
use windlass_core::run::{Fact, TaskWord};
use windlass_store::{LogRow, NumberedEvent, Overview};

use super::exit::message;
use crate::app::App;
use crate::follow::{Follower, Portion};

/// Follows a run to its end: from its beginning, or from where an earlier process left it.
///
/// # Errors
///
/// If it cannot be read.
pub(crate) async fn follow(
    app: Arc<App>,
    run_id: Uuid,
    left: Option<Overview>,
    is_quiet: bool,
) -> anyhow::Result<()> {
    let mut teller = Teller::new(is_quiet);
    let mut follower = Follower::new(app, run_id).with_logs_after(0);
    if let Some(left) = left {
        teller.begin(&left);
        follower = follower.after(left.row.last_seq).with_logs_after(left.last_log_seq);
    }
    while let Some(Portion { events, logs, .. }) = follower.next().await? {
        // Events and lines have orders of their own; people read them by the clock.
        let mut logs = logs.iter().peekable();
        for event in &events {
            while let Some(line) = logs.next_if(|line| line.at <= event.event.at) {
                teller.log(line);
            }
            teller.event(event);
        }
        logs.for_each(|line| teller.log(line));
    }
    teller.bar.finish_and_clear();
    Ok(())
}

struct Teller {
    bar: ProgressBar,
    is_quiet: bool,
}

impl Teller {
    fn new(is_quiet: bool) -> Teller {
        let is_shown = !is_quiet && std::io::stderr().is_terminal();
        let target =
            if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} steps  {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Teller { bar, is_quiet }
    }

    /// Says how far an earlier process came.
    fn begin(&self, overview: &Overview) {
        let total = overview.row.counts.total();
        let done = overview.row.counts.iter().filter(|(status, _)| status.is_terminal());
        let done: u32 = done.map(|(_, count)| count).sum();
        self.bar.inc_length(u64::from(total));
        self.bar.inc(u64::from(done));
        self.say(&format!("resumed: {done} of {total} steps were over"));
    }

    fn say(&self, text: &str) {
        if !self.is_quiet {
            self.bar.suspend(|| message(text));
        }
    }

    fn log(&self, line: &LogRow) {
        self.say(&format!("  {} | {}", line.path, line.text));
    }

    fn event(&mut self, numbered: &NumberedEvent) {
        let fact = &numbered.event.fact;
        match fact {
            Fact::RunStarted { nodes, .. } => self.bar.inc_length(u64::from(*nodes)),
            Fact::ItemsOpened { from, to, ready, .. } => {
                self.bar.inc_length(u64::from(to - from) * ready.len() as u64);
            }
            Fact::StepSucceeded { .. }
            | Fact::StepFailed { .. }
            | Fact::StepSkipped { .. }
            | Fact::StepCancelled { .. } => self.bar.inc(1),
            _ => {}
        }
        if let Some(text) = told(fact) {
            self.say(&text);
        }
    }
}

/// What is worth a line.
fn told(fact: &Fact) -> Option<String> {
    Some(match fact {
        Fact::StepSucceeded { path, attempt: 0 | 1, .. } => format!("{path}: succeeded"),
        Fact::StepSucceeded { path, attempt, .. } => {
            format!("{path}: succeeded at attempt {attempt}")
        }
        Fact::StepFailed { path, error, .. } => format!("{path}: failed: {error}"),
        Fact::TaskSeen { path, seen } => match (seen.what, &seen.error) {
            (TaskWord::Ended(_), Some(error)) => format!("{path}: failed: {error}"),
            (TaskWord::Ended(end), None) => format!("{path}: {}", end.as_str()),
            (TaskWord::Retried, _) => format!("{path}: attempt {} failed", seen.attempt.max(1)),
            _ => return None,
        },
        Fact::AttemptFailed { path, attempt, error, retry_at, .. } => {
            format!("{path}: attempt {attempt} failed: {error}; next at {retry_at}")
        }
        Fact::AttemptInterrupted { path, attempt, .. } => {
            format!("{path}: attempt {attempt} was interrupted")
        }
        Fact::StepAwaiting { path, awaits: Awaits::Approval, input, .. } => {
            let title = input["title"].as_str().unwrap_or_default();
            format!("{path}: waits for an approval: {title}")
        }
        Fact::StepAwaiting { path, awaits: Awaits::Signal(name), .. } => {
            format!("{path}: waits for the signal {name}")
        }
        Fact::StepAwaiting { path, awaits: Awaits::Event(name), .. } => {
            format!("{path}: waits for the event {name}")
        }
        Fact::StepDecided { path, decision } => {
            format!("{path}: {} says {}", decision.by, decision.verdict.as_str())
        }
        Fact::StepWaiting { path, until, .. } => format!("{path}: waits until {until}"),
        Fact::StepParked { path, .. } => format!("{path}: waits for a decision"),
        Fact::StepSkipped { path, reason, .. } => format!("{path}: skipped ({reason})"),
        Fact::StepCancelled { path, reason, .. } => format!("{path}: cancelled ({reason})"),
        _ => return None,
    })
}
