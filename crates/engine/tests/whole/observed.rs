//! Runs that other programs drive, and what a test says of them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use windlass_core::run::observed::UNKNOWN_FLOW;
use windlass_core::run::{
    FlowSeen, FlowWord, ObservedTerms, RunState, RunStatus, Seen, SeenEnd, TaskSeen, TaskWord,
};
use windlass_core::{Failure, HumanDuration, Time};
use windlass_engine::Observation;
use windlass_engine::shard::{Answer, Word};
use windlass_store::{RunFilter, RunRow};

use crate::ground::Ground;
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

    /// The same before anybody has said which flow the run is of.
    pub(crate) async fn hear_nameless(&self, run: &str, words: Vec<Word>) {
        self.hear_under(UNKNOWN_FLOW, &patient(), run, words).await;
    }

    pub(crate) async fn hear_with(&self, terms: &ObservedTerms, run: &str, words: Vec<Word>) {
        self.hear_under(FLOW, terms, run, words).await;
    }

    async fn hear_under(&self, key: &str, terms: &ObservedTerms, run: &str, words: Vec<Word>) {
        let describe = || format!(r#"{{ "flow": "{key}" }}"#);
        let flow = self.engine.flow(PROJECT, key, describe).await.unwrap();
        let called = key.split_once(':').map(|(_, name)| name.to_owned());
        let observation = Observation { external_id: run.to_owned(), flow, called, words };
        let answers = self.engine.observe(PROJECT, None, terms, vec![observation]).await;
        assert_eq!(answers, [Answer::Heard(Vec::new())]);
    }
}

fn row(server: &Server, run: &str) -> RunRow {
    server.store.run(PROJECT, run).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_takes_its_flow_from_the_first_word_that_names_it() {
    for ground in Ground::both() {
        let server = ground.serve();
        server.hear_nameless("r-1", vec![task("load:1", 1, TaskWord::Started)]).await;
        let before = row(&server, "r-1");
        assert_eq!((before.workflow.as_str(), before.status), (UNKNOWN_FLOW, RunStatus::Running));
        server.stop().await;

        let server = ground.serve();
        server
            .hear_nameless("r-1", vec![task("load:1", 2, TaskWord::Ended(SeenEnd::Failed))])
            .await;
        server.hear("r-1", vec![started(0)]).await;
        let flow = server.engine.definitions().newest(PROJECT, FLOW).unwrap().unwrap().row.clone();
        let after = row(&server, "r-1");
        assert_eq!((after.run_id, after.workflow.as_str()), (before.run_id, FLOW));
        assert_eq!(
            (after.workflow_id, after.version, after.definition_id),
            (flow.workflow_id, flow.version, flow.definition_id)
        );
        let filter = RunFilter { workflow_id: Some(flow.workflow_id), ..RunFilter::default() };
        let listed = server.store.runs(PROJECT, &filter, None, 9).unwrap().items;
        assert_eq!(listed.iter().map(|run| run.run_id).collect::<Vec<_>>(), [after.run_id]);
        server.stop().await;

        // What is folded from the journal knows it too.
        let server = ground.serve();
        server.hear_nameless("r-1", vec![ended(9, SeenEnd::Failed)]).await;
        let journal = server.journal(after.run_id);
        let folded = RunState::replay(journal.iter().map(|numbered| &numbered.event)).unwrap();
        assert_eq!((folded.created.workflow.as_str(), folded.status), (FLOW, RunStatus::Failed));
        assert_eq!(row(&server, "r-1").workflow, FLOW);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_found_by_its_tags_and_what_its_metadata_says() {
    for ground in Ground::both() {
        let server = ground.serve();
        let say = |tags: &[&str], env: &str| {
            let seen = FlowSeen {
                at: at(0),
                tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                metadata: Some(Arc::new(json!({ "env": env, "host": "h" }))),
                ..FlowSeen::default()
            };
            Word::Seen(Seen::Flow(Box::new(seen)))
        };
        server.hear("r-1", vec![say(&["etl"], "prod")]).await;
        server.hear("r-2", vec![started(0)]).await;
        server.hear("r-2", vec![say(&["etl", "slow"], "test")]).await;
        let found = |key: &str, value: &str| {
            let labels = vec![(key.to_owned(), value.to_owned())];
            let filter = RunFilter { labels, ..RunFilter::default() };
            let runs = server.store.runs(PROJECT, &filter, None, 9).unwrap().items;
            runs.into_iter().filter_map(|run| run.external_id).collect::<Vec<_>>()
        };
        assert_eq!(found("tag.etl", "true"), ["r-2", "r-1"]);
        assert_eq!(found("tag.slow", "true"), ["r-2"]);
        assert_eq!(found("env", "prod"), ["r-1"]);
        assert_eq!(found("host", "h"), [""; 0]);
        server.stop().await;
    }
}
