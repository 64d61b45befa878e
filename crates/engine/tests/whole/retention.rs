//! Runs that have had their time, by rules, and an archive that takes them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::watch;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::{RunStatus, SeenEnd, TaskWord};
use windlass_engine::shard::{Line, Word};
use windlass_engine::{Archive, RetentionRules, Rule};
use windlass_store::{RunFilter, RunRow};

use crate::ground::Ground;
use crate::observed::{ended, started, task};
use crate::server::{PROJECT, Server, patiently, view};

const HOUR: Duration = Duration::from_secs(3_600);
const MOMENT: Duration = Duration::from_millis(1);

fn workflow(name: &str, kind: &str) -> String {
    format!("name: {name}\nnodes: [{{ id: a, type: {kind} }}]\n")
}

fn fails(name: &str) -> String {
    workflow(name, "fail, config: { message: no }")
}

fn there(server: &Server) -> BTreeSet<Uuid> {
    let runs = server.store.runs(PROJECT, &RunFilter::default(), None, 100).unwrap().items;
    runs.into_iter().map(|run| run.run_id).collect()
}

async fn until_left(server: &Server, left: &[Uuid]) {
    let left: BTreeSet<Uuid> = left.iter().copied().collect();
    let gone = async {
        while there(server) != left {
            tokio::time::sleep(MOMENT).await;
        }
    };
    patiently("only those are left", gone).await;
}

fn aged(age: Duration) -> Rule {
    Rule { age: Some(age), ..Rule::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_hold_by_workflow_status_and_number() {
    for ground in Ground::both() {
        let server = ground.serve();
        let run = async |text: &str| server.run(text, json!(null)).await.run_id;
        run(&workflow("Plain", "noop")).await;
        let failed = run(&fails("Plain")).await;
        let kept = run(&workflow("Kept", "noop")).await;
        let mut counted = Vec::new();
        for _ in 0..4 {
            counted.push(run(&workflow("Counted", "noop")).await);
        }
        let later = "name: Plain\nnodes: [{ id: a, type: delay, config: { duration: 1h } }]\n";
        let open = server.begin(later, json!(null)).await;
        server.stop().await;

        let by_status = [(RunStatus::Failed, HOUR)].into();
        let rules = RetentionRules {
            default: Rule { by_status, ..aged(MOMENT) },
            workflows: [
                ("Kept".to_owned(), Rule::default()),
                ("Counted".to_owned(), Rule { count: Some(2), ..aged(HOUR) }),
            ]
            .into(),
        };
        let server = ground.serve_with(|config| config.retention = rules);
        until_left(&server, &[failed, kept, counted[2], counted[3], open]).await;
        view(server.cancel(open).await);
        server.stop().await;
    }
}

/// An archive that takes nothing at first.
struct Slow {
    refusals_left: Mutex<u32>,
    asked: watch::Sender<u32>,
    kept: Mutex<Vec<RunRow>>,
}

impl Archive for Slow {
    fn keep(&self, runs: &[RunRow]) -> Result<(), String> {
        self.asked.send_modify(|asked| *asked += 1);
        let mut left = self.refusals_left.lock();
        if *left > 0 {
            *left -= 1;
            return Err("the other side is away".to_owned());
        }
        self.kept.lock().extend(runs.iter().cloned());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_was_archived_once_and_what_cannot_be_archived_stays() {
    for ground in Ground::both() {
        let server = ground.serve();
        let mut runs = Vec::new();
        for _ in 0..3 {
            runs.push(server.run(&workflow("Plain", "noop"), json!(null)).await.run_id);
        }
        server.stop().await;
        let archive = Arc::new(Slow {
            refusals_left: Mutex::new(1),
            asked: watch::channel(0).0,
            kept: Mutex::default(),
        });
        let server = ground.serve_with(|config| {
            config.retention = RetentionRules::by_age(Some(MOMENT));
            config.archive = Some(archive.clone());
        });
        let mut asked = archive.asked.subscribe();
        patiently("it is asked", asked.wait_for(|asked| *asked > 0)).await.unwrap();
        assert_eq!(there(&server).len(), 3, "nothing goes that is not kept");
        until_left(&server, &[]).await;
        let kept: Vec<RunRow> = archive.kept.lock().clone();
        assert_eq!(kept.iter().map(|run| run.run_id).collect::<Vec<_>>(), runs);
        assert!(kept.iter().all(|run| run.status == RunStatus::Succeeded));
        assert_eq!(*archive.asked.borrow(), 2, "it is tried again later, and not in a loop");
        server.stop().await;
    }
}

/// An archive that takes its time with the first batch.
struct Distant {
    asked: watch::Sender<u32>,
    may_go_on: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Archive for Distant {
    fn keep(&self, _: &[RunRow]) -> Result<(), String> {
        self.asked.send_modify(|asked| *asked += 1);
        // The second one finds nobody there to wait for.
        let _ = self.may_go_on.lock().recv();
        Ok(())
    }
}

/// A line of a task that is known is no event of its run.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_comes_while_its_run_is_archived_is_archived_too() {
    for ground in Ground::both() {
        let server = ground.serve();
        let over = ended(3, SeenEnd::Succeeded);
        server.hear("r-1", vec![started(0), task("load:1", 1, TaskWord::Started), over]).await;
        server.stop().await;
        let (go_on, may_go_on) = std::sync::mpsc::channel();
        let archive =
            Arc::new(Distant { asked: watch::channel(0).0, may_go_on: Mutex::new(may_go_on) });
        let server = ground.serve_with(|config| {
            config.retention = RetentionRules::by_age(Some(MOMENT));
            config.archive = Some(archive.clone());
        });
        let mut asked = archive.asked.subscribe();
        patiently("it is asked", asked.wait_for(|asked| *asked > 0)).await.unwrap();
        let line = Line {
            at: Time::from_micros(1_700_000_002_000_000),
            path: "load:1".to_owned(),
            attempt: 0,
            level: None,
            text: "one more thing".to_owned(),
            id: None,
        };
        server.hear("r-1", vec![Word::Line(line)]).await;
        go_on.send(()).unwrap();
        drop(go_on);
        patiently("it is asked again", asked.wait_for(|asked| *asked > 1)).await.unwrap();
        until_left(&server, &[]).await;
        server.stop().await;
    }
}
