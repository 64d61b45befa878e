use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;
use windlass_core::run::AttemptError;

use super::place::{Place, Turn};
use super::*;
use crate::context::{LogSink, LogStream, Terms};

const MANIFEST: &str = r#"{ "name": "p", "version": "1", "kinds": [{
    "kind": "resize", "summary": "Resizes", "config": { "type": "object" }, "example": {},
    "output": { "type": "object", "required": ["url"] } }] }"#;

struct World {
    board: Arc<Board>,
    kind: Arc<windlass_core::kinds::Kind>,
}

impl World {
    fn new() -> World {
        let kind = Manifest::parse(MANIFEST).unwrap().kinds.remove(0);
        let board = Arc::new(Board::new([("resize".to_owned(), "pictures".to_owned())]));
        World { board, kind }
    }

    fn put(&self, project: &str, step: &str, attempt: u32) -> Place {
        let origin = Origin {
            kind: Arc::from("resize"),
            project: Arc::from(project),
            run_id: Uuid::nil(),
            step: step.to_owned(),
            attempt,
        };
        let (logs, _) = LogSink::channel();
        self.board.put(self.kind.clone(), origin, json!({ "step": step }), logs, &Terms::default())
    }

    async fn poll(&self, scope: &Scope, worker: &str, max: usize) -> Vec<Handed> {
        self.board.poll(scope, &demand(worker, max), Duration::ZERO).await.unwrap()
    }
}

fn demand(worker: &str, max: usize) -> Demand {
    let (worker, kinds) = (worker.to_owned(), vec!["resize".to_owned()]);
    Demand { worker, kinds, max, lease: LEASE_DEFAULT }
}

fn of(project: &str) -> Scope {
    Scope::Project(project.to_owned())
}

fn hold(worker: &str, task: &Handed) -> Hold {
    Hold { worker: worker.to_owned(), fence: task.fence }
}

fn output(turn: Turn) -> Result<Value, AttemptError> {
    match turn {
        Turn::Ended(result) => result,
        Turn::LeaseOver { worker } => panic!("{worker} has lost its lease"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_goes_to_one_worker_of_its_project_in_the_order_in_which_it_came() {
    let world = World::new();
    let mut first = world.put("default", "a", 1);
    let _second = world.put("default", "b", 1);
    let _other = world.put("other", "c", 1);
    let one = world.poll(&of("default"), "w1", 1).await;
    assert_eq!(one[0].origin.step, "a");
    let rest = world.poll(&of("default"), "w2", 10).await;
    assert_eq!(rest.iter().map(|task| &task.origin.step[..]).collect::<Vec<_>>(), ["b"]);
    // A child of the server does its kinds for all projects, and no others.
    assert_eq!(world.poll(&Scope::Plugin("else".into()), "child", 10).await.len(), 0);
    let child = Scope::Plugin("pictures".into());
    let theirs = world.poll(&child, "child", 10).await;
    assert_eq!(theirs[0].origin.step, "c");
    let of_others = world.board.heartbeat(&of("default"), theirs[0].id, &hold("child", &theirs[0]));
    assert_eq!(of_others, Err(Refused::NotFound), "as unknown as what was never there");
    let done = json!({ "url": "x" });
    let (scope, own) = (of("default"), hold("w1", &one[0]));
    world.board.end(&scope, one[0].id, &own, Ok(done.clone())).unwrap();
    assert_eq!(output(first.turn().await), Ok(done.clone()));
    world.board.end(&scope, one[0].id, &own, Ok(done.clone())).unwrap();
    let late = world.board.heartbeat(&scope, one[0].id, &own);
    assert_eq!(late, Err(Refused::Over(Over::Told)));
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_for_what_comes() {
    let world = World::new();
    let (board, scope) = (world.board.clone(), of("default"));
    let began = tokio::time::Instant::now();
    let nothing = board.poll(&scope, &demand("w", 1), Duration::from_secs(30)).await.unwrap();
    assert_eq!((nothing.len(), began.elapsed()), (0, Duration::from_secs(30)));
    let waiting = {
        let (board, scope) = (board.clone(), scope.clone());
        tokio::spawn(async move { board.poll(&scope, &demand("w", 1), LEASE_MAX).await })
    };
    tokio::task::yield_now().await;
    let place = world.put("default", "a", 1);
    assert_eq!(waiting.await.unwrap().unwrap().len(), 1);
    drop(place);
    // Whoever hangs up is no longer there.
    let wanted = demand("w", 1);
    let gone = board.poll(&scope, &wanted, LEASE_MAX);
    assert!(tokio::time::timeout(Duration::from_secs(1), gone).await.is_err());
    assert!(!board.workers("default")[0].is_polling);
    let mut polls = Vec::new();
    for _ in 0..POLL_COUNT_MAX {
        let (board, scope) = (board.clone(), scope.clone());
        polls.push(tokio::spawn(
            async move { board.poll(&scope, &demand("w", 1), LEASE_MAX).await },
        ));
    }
    while board.state.lock().polls.get(&scope) != Some(&POLL_COUNT_MAX) {
        tokio::task::yield_now().await;
    }
    let more = board.poll(&scope, &demand("w", 1), Duration::ZERO).await;
    assert_eq!(more.map(|_| ()), Err(Refused::TooManyPolls));
    polls.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn a_lease_lives_as_long_as_its_worker_gives_signs() {
    let world = World::new();
    let scope = of("default");
    let mut place = world.put("default", "a", 2);
    let task = world.poll(&scope, "w1", 1).await.remove(0);
    let held = hold("w1", &task);
    for _ in 0..5 {
        let half = tokio::time::timeout(LEASE_DEFAULT * 2 / 3, place.turn()).await;
        assert!(half.is_err(), "the lease holds");
        let beat = world.board.heartbeat(&scope, task.id, &held).unwrap();
        assert_eq!(beat, Beat { cancel: None, lease: LEASE_DEFAULT });
    }
    let mut fences = vec![task.fence];
    for lost in 1..=3 {
        let Turn::LeaseOver { worker } = place.turn().await else { panic!("it has not ended") };
        assert_eq!(worker, "w1");
        assert!(place.put_back());
        let wait = world.board.wait_of(Uuid::nil(), "a").unwrap();
        assert_eq!((wait.held, wait.lost_count), (None, lost));
        let again = world.poll(&scope, "w1", 1).await.remove(0);
        fences.push(again.fence);
        let late = world.board.end(&scope, task.id, &held, Ok(json!({ "url": 1 })));
        assert_eq!(late, Err(Refused::LeaseLost(task.fence)));
    }
    assert!(fences.is_sorted_by(|a, b| a < b), "{fences:?}");
    assert!(matches!(place.turn().await, Turn::LeaseOver { .. }));
    assert!(!place.put_back(), "a task that everybody loses is not offered for ever");
    let later = world.put("default", "a", 3);
    let task = world.poll(&scope, "w2", 1).await.remove(0);
    assert!(task.fence > fences[3], "a later attempt has a larger fence");
    drop(later);
    drop(place);
}

#[tokio::test(start_paused = true)]
async fn who_holds_a_task_that_is_not_wanted_any_more_is_told() {
    let world = World::new();
    let scope = of("default");
    for how in [Over::Cancelled, Over::TimedOut, Over::GoingDown] {
        let place = world.put("default", "a", 1);
        let task = world.poll(&scope, "w", 1).await.remove(0);
        place.leave(how);
        let held = hold("w", &task);
        let beat = world.board.heartbeat(&scope, task.id, &held).unwrap();
        assert_eq!(beat.cancel, Some(how));
        let late = world.board.end(&scope, task.id, &held, Ok(json!({ "url": 1 })));
        assert_eq!(late, Err(Refused::Over(how)));
    }
    let unseen = world.put("default", "b", 1);
    drop(unseen);
    assert_eq!(world.poll(&scope, "w", 1).await.len(), 0, "nobody is handed what is over");
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_goes_to_the_next() {
    let world = World::new();
    let scope = of("default");
    let mut place = world.put("default", "a", 1);
    let task = world.poll(&scope, "w2", 1).await.remove(0);
    world.board.release(&scope, task.id, &hold("w2", &task)).unwrap();
    for _ in 0..100 {
        let task = world.poll(&scope, "w3", 1).await.remove(0);
        world.board.release(&scope, task.id, &hold("w3", &task)).unwrap();
    }
    let error = output(place.turn().await).unwrap_err();
    assert_eq!((&error.failure.code[..], error.is_final), ("worker_lost", false));
}

#[tokio::test(start_paused = true)]
async fn an_output_has_to_fit() {
    let world = World::new();
    let scope = of("default");
    let mut place = world.put("default", "a", 1);
    let task = world.poll(&scope, "w", 1).await.remove(0);
    let told = world.board.end(&scope, task.id, &hold("w", &task), Ok(json!({})));
    assert!(matches!(told, Err(Refused::BadOutput(found)) if found.len() == 1));
    let error = output(place.turn().await).unwrap_err();
    assert_eq!((&error.failure.code[..], error.is_final), ("bad_output", true));
}

#[tokio::test(start_paused = true)]
async fn log_lines_are_bounded() {
    let world = World::new();
    let scope = of("default");
    let (logs, mut lines) = LogSink::channel();
    let origin = Origin {
        kind: Arc::from("resize"),
        project: Arc::from("default"),
        run_id: Uuid::nil(),
        step: "a".into(),
        attempt: 1,
    };
    let place = world.board.put(world.kind.clone(), origin, json!({}), logs, &Terms::default());
    let task = world.poll(&scope, "w", 1).await.remove(0);
    let held = hold("w", &task);
    let reader = tokio::spawn(async move {
        let (mut count, mut last) = (0, None);
        while let Some(line) = lines.recv().await {
            count += 1;
            last = Some(line);
        }
        (count, last.unwrap())
    });
    for _ in 0..3 {
        let lines = vec![(LogStream::Stdout, "x".to_owned()); 50_000];
        world.board.log(&scope, task.id, &held, lines).await.unwrap();
    }
    drop(place);
    let (count, last) = reader.await.unwrap();
    assert_eq!((count, last.stream), (100_001, LogStream::System));
}

#[tokio::test(start_paused = true)]
async fn it_is_known_who_could_take_a_task() {
    let world = World::new();
    let _place = world.put("default", "a", 1);
    let wait = || world.board.wait_of(Uuid::nil(), "a").unwrap();
    assert_eq!((wait().held, wait().worker_count), (None, 0));
    world.poll(&of("other"), "far", 1).await;
    assert_eq!(wait().worker_count, 0, "whoever works for others does not count");
    let task = world.poll(&of("default"), "near", 1).await.remove(0);
    assert_eq!((wait().held.unwrap().worker, wait().worker_count), ("near".into(), 1));
    let views = world.board.workers("default");
    assert_eq!((views.len(), views[0].tasks[0].0), (1, task.id));
    tokio::time::advance(SEEN_RECENTLY + Duration::from_secs(1)).await;
    assert_eq!(wait().worker_count, 0);
    world.board.heartbeat(&of("default"), task.id, &hold("near", &task)).unwrap();
    assert_eq!(wait().worker_count, 1);
}
