//! Clients that submit runs till the server is gone, and ask again for what they did not hear.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::Place;
use super::api::{Api, Outcome};
use super::ledger::{Ledger, Submission};

const WORKFLOWS: [&str; 5] = [
    include_str!("workflows/noops.yaml"),
    include_str!("workflows/effects.yaml"),
    include_str!("workflows/map.yaml"),
    include_str!("workflows/pause.yaml"),
    include_str!("workflows/sleeper.yaml"),
];

/// How often each is asked for, in a hundred; the rest are noops. A child costs a thousand times
/// what a noop does, and a backlog that grows from cycle to cycle would test waiting only.
const MIX: [(u32, &str); 4] =
    [(4, "kill-effects"), (1, "kill-map"), (4, "kill-pause"), (1, "kill-sleeper")];
const NOOPS: &str = "kill-noops";

const BATCH_PERCENT: u32 = 3;
const REPEAT_PERCENT: u32 = 3;
const BREATH_MS: std::ops::RangeInclusive<u64> = 0..=4;

pub(super) fn deploy(api: &Api) -> Result<()> {
    WORKFLOWS.iter().try_for_each(|workflow| api.deploy(workflow))
}

pub(super) struct Client<'a> {
    name: String,
    submitted: u32,
    chance: fastrand::Rng,
    effects: PathBuf,
    api: Api,
    ledger: &'a Ledger,
}

impl<'a> Client<'a> {
    pub(super) fn new(
        name: String,
        chance: fastrand::Rng,
        place: &Place,
        api: Api,
        ledger: &'a Ledger,
    ) -> Client<'a> {
        let effects = place.effects.clone();
        Client { name, submitted: 0, chance, effects, api, ledger }
    }

    pub(super) fn submit_until(mut self, is_dead: &AtomicBool) {
        while !is_dead.load(Ordering::Relaxed) {
            let submission = self.ledger.take_unknown().unwrap_or_else(|| self.choose());
            submit(&self.api, self.ledger, submission, &self.effects);
            std::thread::sleep(Duration::from_millis(self.chance.u64(BREATH_MS)));
        }
    }

    fn choose(&mut self) -> Submission {
        let dice = self.chance.u32(0..100);
        if dice < REPEAT_PERCENT
            && let Some(known) = self.ledger.any_acknowledged(&mut self.chance)
        {
            return known;
        }
        let count = if dice >= 100 - BATCH_PERCENT { self.chance.u32(2..=50) } else { 1 };
        let workflow = if count > 1 { NOOPS } else { self.choose_workflow() };
        let keys = (0..count).map(|number| format!("{}-{}-{number}", self.name, self.submitted));
        let keys = keys.collect();
        self.submitted += 1;
        Submission { workflow, keys, pause_ms: self.chance.u64(50..=500) }
    }

    fn choose_workflow(&mut self) -> &'static str {
        let mut dice = self.chance.u32(0..100);
        for (percent, workflow) in MIX {
            match dice.checked_sub(percent) {
                Some(rest) => dice = rest,
                None => return workflow,
            }
        }
        NOOPS
    }
}

/// Sends what is still unknown when nobody is killed any more. Now each must be answered.
pub(super) fn repeat_unknown(api: &Api, ledger: &Ledger, effects: &Path) -> Result<()> {
    let mut patience = 1000;
    while let Some(submission) = ledger.take_unknown() {
        patience -= 1;
        if patience == 0 {
            bail!("requests are still not answered, and nobody is killed any more");
        }
        submit(api, ledger, submission, effects);
    }
    Ok(())
}

fn submit(api: &Api, ledger: &Ledger, submission: Submission, effects: &Path) {
    let input = |key: &str| -> Value {
        json!({ "key": key, "effects": effects, "pause": format!("{}ms", submission.pause_ms) })
    };
    let outcome = match submission.keys.as_slice() {
        [key] => api.execute(submission.workflow, key, &input(key)).map(|id| vec![id]),
        keys => {
            let runs: Vec<(&str, Value)> =
                keys.iter().map(|key| (key.as_str(), input(key))).collect();
            api.execute_batch(submission.workflow, &runs)
        }
    };
    match outcome {
        Outcome::Acknowledged(ids) => ledger.acknowledge(submission, ids),
        Outcome::Unknown => ledger.did_not_hear(submission),
        Outcome::Refused(reason) => ledger.violation(format!("refused: {reason}")),
    }
}
