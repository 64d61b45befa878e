//! What a test says of a run that another program drives.

use std::time::Duration;

use windlass_core::run::{FlowSeen, FlowWord, ObservedTerms, Seen, SeenEnd, TaskSeen, TaskWord};
use windlass_core::{Failure, HumanDuration, Time};
use windlass_engine::Observation;
use windlass_engine::shard::{Answer, Word};

use crate::server::{PROJECT, Server};

pub(crate) const FLOW: &str = "shop:nightly";

/// What is made of a silence that no test waits for.
pub(crate) fn patient() -> ObservedTerms {
    terms(Duration::from_secs(600), Duration::from_secs(86_400))
}

pub(crate) fn terms(stalled_after: Duration, given_up_after: Duration) -> ObservedTerms {
    ObservedTerms {
        stalled_after: HumanDuration(stalled_after),
        given_up_after: HumanDuration(given_up_after),
    }
}

pub(crate) fn at(seconds: i64) -> Time {
    Time::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
}

pub(crate) fn flow(seconds: i64, what: FlowWord, status: Option<SeenEnd>) -> Word {
    let error = (status == Some(SeenEnd::Failed)).then(|| Failure::new("boom", "it has failed"));
    let seen = FlowSeen { at: at(seconds), what, status, error, ..FlowSeen::default() };
    Word::Seen(Seen::Flow(Box::new(seen)))
}

pub(crate) fn started(seconds: i64) -> Word {
    flow(seconds, FlowWord::Started, None)
}

pub(crate) fn ended(seconds: i64, end: SeenEnd) -> Word {
    flow(seconds, FlowWord::Ended, Some(end))
}

pub(crate) fn task(path: &str, seconds: i64, what: TaskWord) -> Word {
    let seen = TaskSeen { at: at(seconds), what, ..TaskSeen::default() };
    Word::Seen(Seen::Task { path: path.to_owned(), seen: Box::new(seen) })
}

impl Server {
    /// Says something of a run of [`FLOW`]; it is durable then.
    pub(crate) async fn hear(&self, run: &str, words: Vec<Word>) {
        self.hear_with(&patient(), run, words).await;
    }

    pub(crate) async fn hear_with(&self, terms: &ObservedTerms, run: &str, words: Vec<Word>) {
        let describe = || format!(r#"{{ "flow": "{FLOW}" }}"#);
        let flow = self.engine.flow(PROJECT, FLOW, describe).await.unwrap();
        let observation = Observation { external_id: run.to_owned(), flow, words };
        let answers = self.engine.observe(PROJECT, None, terms, vec![observation]).await;
        assert_eq!(answers, [Answer::Heard(Vec::new())]);
    }
}
