//! Workers outside: what they take, hold, hand in and lose.

mod in_vain;
mod said_again;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use uuid::Uuid;
use windlass_core::definition::check;
use windlass_core::kinds::Kinds;
use windlass_core::run::{AttemptError, Hold, Outcome, RunStatus, StepStatus, UnitDone, UnitTerms};
use windlass_core::{Failure, Time};
use windlass_engine::desk::{Demand, Over, QueueLimits, Rate, Scope, TaskRefused, Want};
use windlass_engine::shard::{Answer, Command};
use windlass_engine::{Claimed, Halt, NewRun};
use windlass_store::{InstanceRow, InstanceStatus, NewInstance, TaskRow, Tokens, UnitRow};

use crate::ground::Ground;
use crate::moody::{Mood, Moody};
use crate::server::{PROJECT, Server, patiently, view};

const LEASE: Duration = Duration::from_secs(60);
/// A lease that has ended as soon as it begins.
const NO_LEASE: Duration = Duration::ZERO;
const WAIT: Duration = Duration::from_secs(30);
const NO_WAIT: Duration = Duration::ZERO;

const INSTANCE: Uuid = Uuid::from_u128(0x1157);

/// An instance whose base units go through one pair of hands, and then wait to be gathered.
fn instance(zombie: &str) -> Value {
    let role = |name: &str, kind: &str| json!({ "name": name, "role_type": kind, "strategy": "HOMOGENEOUS" });
    let pipe = |name: &str, role: &str, at: &str, direction: &str| json!({ "name": name, "role": role, "interaction": at, "direction": direction });
    let guarded = |pipe: Value, kind: &str| {
        let mut pipe = pipe;
        pipe["guardian"] = json!({ "type": kind, "config": {} });
        pipe
    };
    json!({
        "instance": "shop", "master": "Shop", "settings": { "zombie": zombie, "retries": 1_000 },
        "templates": { "Shop": {
            "workflow": { "name": "Shop" },
            "roles": [
                { "name": "In", "role_type": "ALPHA" }, role("Packer", "BETA"),
                { "name": "Out", "role_type": "OMEGA" }, { "name": "Medic", "role_type": "EPSILON" },
                { "name": "Clock", "role_type": "TAU" },
            ],
            "interactions": [{ "name": "Orders" }, { "name": "Packed" }, { "name": "Ate" }, { "name": "Chronos" }],
            "components": [
                pipe("a", "In", "Orders", "OUTBOUND"), pipe("b", "Packer", "Orders", "INBOUND"),
                pipe("c", "Packer", "Packed", "OUTBOUND"),
                guarded(pipe("d", "Out", "Packed", "INBOUND"), "CERBERUS"),
                guarded(pipe("e", "Medic", "Ate", "INBOUND"), "PASS_THRU"),
                pipe("f", "Medic", "Packed", "OUTBOUND"), pipe("g", "Medic", "Chronos", "OUTBOUND"),
                pipe("h", "Clock", "Chronos", "INBOUND"), pipe("i", "Clock", "Ate", "OUTBOUND"),
            ],
        } },
    })
}

fn scope() -> &'static Scope {
    static SCOPE: LazyLock<Scope> = LazyLock::new(|| Scope::Project(PROJECT.to_owned()));
    &SCOPE
}

fn units_at(place: &str, role: &str) -> Want {
    Want { queue: format!("{INSTANCE}/Shop/{place}"), role: Some(role.to_owned()) }
}

fn orders() -> Want {
    units_at("Orders", "Packer")
}

fn queue(name: &str) -> Want {
    Want { queue: name.to_owned(), role: None }
}

fn demand(worker: &str, want: Want, max: usize, lease: Duration) -> Demand {
    Demand { worker: worker.to_owned(), wants: vec![want], max, lease }
}

fn hold(worker: &str, task: &Claimed) -> Hold {
    Hold { by: worker.to_owned(), fence: Some(task.fence) }
}

fn packed(by: &str) -> Outcome {
    let attributes = BTreeMap::from([("packed_by".to_owned(), json!(by))]);
    Outcome::Unit(Box::new(UnitDone { attributes, reasoning: None, children: Vec::new() }))
}

/// What may be asked of an instance.
impl Server {
    async fn set_up(&self, zombie: &str) -> NewRun {
        let document = instance(zombie).to_string();
        let checked = check(&document, &Kinds::pure());
        let plan = checked.plan.unwrap_or_else(|| panic!("{:#?}", checked.findings));
        let now = Time::from_micros(1);
        let row = InstanceRow {
            instance_id: INSTANCE,
            project: PROJECT.to_owned(),
            name: "shop".to_owned(),
            description: None,
            template: "Shop".to_owned(),
            template_version: 1,
            status: InstanceStatus::Active,
            reason: None,
            created_at: now,
            created_by: None,
            updated_at: now,
        };
        let new = NewInstance { row, definition: document, content_hash: "x".to_owned() };
        self.store.create_instance(&new).unwrap();
        NewRun {
            begins_paused: false,
            plan: Arc::new(plan),
            workflow_id: INSTANCE,
            version: 1,
            definition_id: INSTANCE,
            input: json!({ "order": 1 }),
            labels: BTreeMap::new(),
            external_id: None,
            rerun_of: None,
            priority: None,
            is_paused: false,
            by: None,
            reused: BTreeMap::new(),
            key: None,
            unit: Some(UnitTerms::default()),
        }
    }

    async fn add(&self, unit: &NewRun, count: usize) -> Vec<Uuid> {
        let mut ids = Vec::with_capacity(count);
        for first in (0..count).step_by(1_000) {
            let some = vec![unit.clone(); 1_000.min(count - first)];
            for answer in self.create_all(some, false).await {
                ids.push(view(answer).run_id);
            }
        }
        ids
    }

    async fn take(&self, demand: &Demand, wait: Duration) -> Vec<Claimed> {
        let polled = self.engine.poll_tasks(scope(), demand, wait);
        let mut taken = patiently("a poll is answered", polled).await.unwrap();
        taken.iter_mut().for_each(Claimed::heard);
        taken
    }

    async fn take_one(&self, worker: &str, want: Want, lease: Duration) -> Claimed {
        self.take(&demand(worker, want, 1, lease), WAIT).await.remove(0)
    }

    async fn hand_in(&self, worker: &str, task: &Claimed) -> Result<(), TaskRefused> {
        self.end(worker, task, packed(worker)).await
    }

    async fn end(&self, by: &str, task: &Claimed, with: Outcome) -> Result<(), TaskRefused> {
        let hold = hold(by, task);
        let ended = self.engine.complete_task(scope(), task.task_id, &hold, with);
        patiently("a completion is answered", ended).await
    }

    async fn give_up(&self, by: &str, task: &Claimed, is_final: bool) {
        let error = AttemptError::new(Failure::new("torn", "it is torn"), is_final);
        let hold = hold(by, task);
        self.engine.fail_task(scope(), task.task_id, &hold, error).await.unwrap();
    }

    async fn give_back(&self, by: &str, task: &Claimed) {
        let hold = hold(by, task);
        self.engine.release_task(scope(), task.task_id, &hold).await.unwrap();
    }

    fn unit(&self, unit_id: Uuid) -> UnitRow {
        self.store.unit(PROJECT, unit_id).unwrap().unwrap()
    }

    fn task(&self, task_id: Uuid) -> TaskRow {
        Tokens::task(&*self.store, task_id).unwrap().unwrap()
    }

    fn packed_by(&self, unit_id: Uuid) -> Vec<String> {
        let events = self.journal(unit_id);
        let handed_in = events.iter().filter_map(|numbered| match &numbered.event.fact {
            windlass_core::run::Fact::UnitChanged { change, .. }
                if change.because == "submitted" =>
            {
                Some(change.by.clone())
            }
            _ => None,
        });
        handed_in.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_and_their_holders_survive_the_server() {
    for ground in Ground::both() {
        let server = ground.serve();
        let unit = server.set_up("failed").await;
        let ids = server.add(&unit, 2).await;
        let task = server.take_one("ada", orders(), LEASE).await;
        server.stop().await;

        let server = ground.serve();
        assert_eq!(server.engine.sweep_tasks().await, 0, "its lease lasts still");
        let rest = server.take(&demand("bob", orders(), 9, LEASE), WAIT).await;
        let others: Vec<Uuid> = ids.into_iter().filter(|id| *id != task.task_id).collect();
        assert_eq!(rest.iter().map(|task| task.task_id).collect::<Vec<_>>(), others);
        let beat =
            server.engine.heartbeat_task(scope(), task.task_id, &hold("ada", &task), None).await;
        assert_eq!(beat.unwrap().cancel, None);
        let theirs = server.hand_in("bob", &task).await;
        assert!(matches!(theirs, Err(TaskRefused::LeaseLost(_))), "{theirs:?}");
        server.hand_in("ada", &task).await.unwrap();
        assert_eq!(server.unit(task.task_id).status, "completed");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_cannot_be_written_is_nobodys_and_nothing_is_lost() {
    for mood in [Mood::Full, Mood::LostAndUnknown, Mood::WrittenButUnknown] {
        let ground = Ground::in_memory();
        let store = Moody::over(ground.store());
        let server = ground.serve_over(store.clone(), |_| {});
        let unit = server.set_up("pending").await;
        server.add(&unit, 1).await;
        *store.mood.lock() = mood;
        let ada = demand("ada", orders(), 1, NO_LEASE);
        let refused = server.engine.poll_tasks(scope(), &ada, NO_WAIT).await.unwrap_err();
        match mood {
            Mood::Full => assert!(matches!(refused, TaskRefused::Unavailable(_)), "{refused:?}"),
            _ => assert!(matches!(refused, TaskRefused::OutcomeUnknown(_)), "{refused:?}"),
        }
        *store.mood.lock() = Mood::Fine;
        // Whether it was hers after all is known once the run has been read again: then, and only
        // then, the sweeper has something to take back.
        let taken = async {
            loop {
                server.engine.sweep_tasks().await;
                let bob = demand("bob", orders(), 9, LEASE);
                match server.engine.poll_tasks(scope(), &bob, Duration::from_millis(50)).await {
                    Ok(tasks) if !tasks.is_empty() => break tasks,
                    Ok(_) | Err(TaskRefused::Unavailable(_)) => {}
                    Err(refused) => panic!("{refused:?}"),
                }
            }
        };
        let tasks = patiently("the unit is there again", taken).await;
        let fence = if mood == Mood::WrittenButUnknown { 2 } else { 1 };
        assert_eq!(tasks.iter().map(|task| task.fence).collect::<Vec<_>>(), [fence], "{mood:?}");
        server.hand_in("bob", &tasks[0]).await.unwrap();
        assert_eq!(server.packed_by(tasks[0].task_id), ["bob"]);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_race_for_each_of_10_000_units_one_gets_it() {
    const COUNT: usize = 10_000;
    let ground = Ground::in_memory();
    let server = Arc::new(ground.serve());
    let unit = server.set_up("failed").await;
    let ids = server.add(&unit, COUNT).await;
    let won: Arc<Mutex<HashMap<Uuid, Vec<String>>>> = Arc::default();
    let racer = |name: &'static str| {
        let (server, ids, won) = (server.clone(), ids.clone(), won.clone());
        tokio::spawn(async move {
            for id in ids {
                let role = Some("Packer".to_owned());
                let claimed = server.engine.claim_task(scope(), id, (name, role), LEASE).await;
                if let Ok(mut task) = claimed {
                    task.heard();
                    assert_eq!(task.fence, 1);
                    won.lock().entry(id).or_default().push(name.to_owned());
                }
            }
        })
    };
    let racers = [racer("ada"), racer("bob")];
    for racer in racers {
        racer.await.unwrap();
    }
    let won = won.lock();
    assert_eq!(won.len(), COUNT);
    for id in &ids {
        let winners = &won[id];
        assert_eq!(winners.len(), 1, "{id} was taken by {winners:?}");
        assert_eq!(server.unit(*id).holder.as_deref(), Some(winners[0].as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_that_was_acknowledged_is_never_swept_away() {
    const RACES: u64 = 10_000;
    let ground = Ground::in_memory();
    let server = Arc::new(ground.serve());
    let unit = server.set_up("pending").await;
    let ids: HashSet<Uuid> =
        server.add(&unit, usize::try_from(RACES).unwrap()).await.into_iter().collect();
    let (done, lost) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let is_over = Arc::new(AtomicBool::new(false));
    let sweeper = tokio::spawn({
        let (server, lost, is_over) = (server.clone(), lost.clone(), is_over.clone());
        async move {
            while !is_over.load(Ordering::Relaxed) {
                let count = server.engine.sweep_tasks().await;
                lost.fetch_add(u64::try_from(count).unwrap(), Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    let worker = |number: usize| {
        let (server, done) = (server.clone(), done.clone());
        tokio::spawn(async move {
            let name = format!("actor{number}");
            // Their leases end soon: whoever completes races with the sweeper.
            let some = demand(&name, orders(), 10, Duration::from_millis(10));
            let mut handed_in = Vec::new();
            while done.load(Ordering::Relaxed) < RACES {
                for task in server.take(&some, Duration::from_millis(20)).await {
                    match server.hand_in(&name, &task).await {
                        Ok(()) => {
                            done.fetch_add(1, Ordering::Relaxed);
                            handed_in.push((task.task_id, name.clone()));
                        }
                        Err(TaskRefused::LeaseLost(_)) => {}
                        Err(refused) => panic!("{refused:?}"),
                    }
                }
            }
            handed_in
        })
    };
    let workers: Vec<_> = (0..8).map(worker).collect();
    let mut handed_in = HashMap::new();
    for worker in workers {
        for (id, name) in worker.await.unwrap() {
            assert!(handed_in.insert(id, name).is_none(), "{id} was acknowledged twice");
        }
    }
    is_over.store(true, Ordering::Relaxed);
    sweeper.await.unwrap();
    assert_eq!(handed_in.keys().copied().collect::<HashSet<_>>(), ids);
    for (id, name) in handed_in {
        assert_eq!(server.unit(id).status, "completed");
        assert_eq!(server.packed_by(id), [name]);
    }
    let lost = lost.load(Ordering::Relaxed);
    assert!(lost > 0, "nobody raced");
    eprintln!("{RACES} completions, {lost} lost before");
}

const MEASURE: &str = "
name: Measure
nodes:
  - { id: a, type: worker, timeout: 10m, retry: { max_attempts: 3, delay: 1ms, jitter: 0 },
      config: { queue: big, kind: shell } }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_given_back_fails_and_is_done_by_another() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let run_id = server.begin(MEASURE, json!(null)).await;
    let first = server.take_one("ada", queue("big"), LEASE).await;
    server.give_back("ada", &first).await;
    let second = server.take_one("bob", queue("big"), LEASE).await;
    assert_eq!((second.task_id, second.fence), (first.task_id, first.fence + 1));
    assert_eq!(server.step(run_id, "a").attempt, 1, "who gives it back has not tried");
    server.give_up("bob", &second, false).await;
    let third = server.take_one("eve", queue("big"), LEASE).await;
    assert_eq!(server.step(run_id, "a").attempt, 2);
    let output = || Outcome::Output(Arc::new(json!({ "stdout": "2" })));
    let late = server.end("bob", &second, output()).await;
    assert_eq!(late, Err(TaskRefused::Over(Over::Told)), "he has said that it failed");
    let eve = hold("eve", &third);
    server.engine.checkpoint_task(scope(), third.task_id, &eve, json!(7)).await.unwrap();
    server.end("eve", &third, output()).await.unwrap();
    server.end("eve", &third, output()).await.unwrap();
    let run = server.end_of(run_id).await;
    assert_eq!((run.status, server.step(run_id, "a").attempt), (RunStatus::Succeeded, 2));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_worker_is_gone_is_made_again_and_a_final_failure_is_final() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let run_id = server.begin(MEASURE, json!(null)).await;
    let lost = server.take_one("ada", queue("big"), NO_LEASE).await;
    assert_eq!(server.engine.sweep_tasks().await, 1);
    let beat = server.engine.heartbeat_task(scope(), lost.task_id, &hold("ada", &lost), None).await;
    assert!(beat.is_err() || beat.is_ok_and(|beat| beat.cancel == Some(Over::Lost)));
    let next = server.take_one("bob", queue("big"), LEASE).await;
    assert!(next.fence > lost.fence);
    server.give_up("bob", &next, true).await;
    assert_eq!(server.end_of(run_id).await.status, RunStatus::Failed);
    assert_eq!(server.step(run_id, "a").status, StepStatus::Failed);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_works_on_what_is_cancelled_hears_of_it_by_the_heartbeat() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    let unit = server.set_up("failed").await;
    let ids = server.add(&unit, 1).await;
    let run_id = server.begin(MEASURE, json!(null)).await;
    let tasks = [
        (ids[0], server.take_one("ada", orders(), LEASE).await),
        (run_id, server.take_one("ada", queue("big"), LEASE).await),
    ];
    for (run_id, task) in tasks {
        server.cancel(run_id).await;
        let beat =
            server.engine.heartbeat_task(scope(), task.task_id, &hold("ada", &task), None).await;
        assert_eq!(beat.unwrap().cancel, Some(Over::Cancelled));
        let late = server.hand_in("ada", &task).await;
        assert_eq!(late, Err(TaskRefused::Over(Over::Cancelled)));
        assert_eq!(server.row(run_id).status, RunStatus::Cancelled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_and_the_switch_withhold_what_waits_and_give_it_back() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    let unit = server.set_up("failed").await;
    let id = server.add(&unit, 1).await[0];
    let ada = demand("ada", orders(), 1, LEASE);
    let by = || "somebody".to_owned();
    let halt = Halt { at: Time::from_micros(1), by: by(), reason: None };
    for is_pause in [true, false] {
        if is_pause {
            view(server.engine.command(id, Command::Pause { by: by(), reason: None }).await);
        } else {
            server.engine.halt(Some(halt.clone())).await.unwrap();
        }
        assert!(server.take(&ada, NO_WAIT).await.is_empty());
        let waiting = server.engine.poll_tasks(scope(), &ada, WAIT);
        let go_on = async {
            if is_pause {
                view(server.engine.command(id, Command::Resume { by: by(), reason: None }).await);
            } else {
                server.engine.halt(None).await.unwrap();
            }
        };
        let (tasks, ()) =
            patiently("it is handed out", async { tokio::join!(waiting, go_on) }).await;
        let task = tasks.unwrap().remove(0);
        server.give_back("ada", &task).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_something_may_end_it_while_its_run_is_paused() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    let unit = server.set_up("failed").await;
    let id = server.add(&unit, 1).await[0];
    let task = server.take_one("ada", orders(), LEASE).await;
    view(server.engine.command(id, Command::Pause { by: "bob".into(), reason: None }).await);
    server.hand_in("ada", &task).await.unwrap();
    assert_eq!(server.unit(id).status, "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_nobody_waits_for_any_more_takes_nothing_with_it() {
    const COUNT: usize = 200;
    let ground = Ground::in_memory();
    let server = ground.serve();
    let unit = server.set_up("failed").await;
    server.add(&unit, COUNT).await;
    for number in 0..COUNT {
        let some = demand("ada", orders(), 3, LEASE);
        let mut poll = Box::pin(server.engine.poll_tasks(scope(), &some, WAIT));
        // It is dropped wherever it has come to.
        for _ in 0..number % 4 {
            let _ = futures_util::poll!(&mut poll);
            tokio::task::yield_now().await;
        }
    }
    let mut found = HashSet::new();
    let all = async {
        while found.len() < COUNT {
            let some = demand("bob", orders(), 100, LEASE);
            let tasks = server.engine.poll_tasks(scope(), &some, Duration::from_millis(20)).await;
            let mut tasks = tasks.unwrap();
            tasks.iter_mut().for_each(Claimed::heard);
            found.extend(tasks.into_iter().map(|task| task.task_id));
        }
    };
    patiently("every unit is there still", all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn priority_then_turns_then_age_and_never_more_than_the_limits() {
    let ground = Ground::in_memory();
    let server = ground.serve_with(|config| {
        let two = QueueLimits { concurrency: Some(2), rate: None };
        let slow = Rate { count: 1, per: Duration::from_secs(3_600) };
        let slow = QueueLimits { concurrency: None, rate: Some(slow) };
        config.queues = vec![("two".to_owned(), two), ("slow*".to_owned(), slow)];
    });
    let step = |queue: &str, more: &str| {
        format!(
            "name: S{}\nnodes: [{{ id: a, type: worker, config: {{ queue: {queue}, kind: k{more} }} }}]\n",
            more.len()
        )
    };
    let mut runs = Vec::new();
    for more in ["", "", ", fairness_key: other", ", priority: 5"] {
        runs.push(server.begin(&step("many", more), json!(null)).await);
    }
    let order = server.take(&demand("ada", queue("many"), 9, LEASE), WAIT).await;
    let order: Vec<usize> = order
        .iter()
        .map(|task| runs.iter().position(|run| *run == task.view.as_ref().unwrap().run_id).unwrap())
        .collect();
    assert_eq!(order, [3, 0, 2, 1], "priority first, then keys in turn, then age");

    for _ in 0..3 {
        server.begin(&step("two", ""), json!(null)).await;
        server.begin(&step("slow-one", ""), json!(null)).await;
    }
    let ada = demand("ada", queue("two"), 9, LEASE);
    let held = server.take(&ada, WAIT).await;
    assert_eq!(held.len(), 2, "no more at once");
    assert!(server.take(&ada, NO_WAIT).await.is_empty());
    let next = server.engine.poll_tasks(scope(), &ada, WAIT);
    let back = server.give_back("ada", &held[0]);
    let (next, ()) = patiently("there is room again", async { tokio::join!(next, back) }).await;
    assert_eq!(next.unwrap().len(), 1);

    let slow = demand("ada", queue("slow-one"), 9, LEASE);
    assert_eq!(server.take(&slow, WAIT).await.len(), 1, "no more in an hour");
    assert!(server.take(&slow, NO_WAIT).await.is_empty());
    let wait = server.engine.desk().queues(PROJECT, None, 10);
    let wait = wait.iter().find(|queue| queue.name == "slow-one").unwrap();
    assert!(wait.is_limited && wait.depth == 2, "{wait:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_more_units_than_fit_in_memory_are_queued_and_drained() {
    // Unoptimised, the whole of it would take minutes.
    const COUNT: usize = if cfg!(debug_assertions) { 5_000 } else { 50_000 };
    let ground = Ground::in_memory();
    let server = Arc::new(ground.serve_with_residents(100));
    let unit = server.set_up("failed").await;
    let ids: HashSet<Uuid> = server.add(&unit, COUNT).await.into_iter().collect();
    let resident = server.engine.health().live_run_count;
    assert!(resident <= 2 * 101, "{resident} runs are in memory");
    let worker = |number: usize| {
        let server = server.clone();
        tokio::spawn(async move {
            let name = format!("actor{number}");
            let some = demand(&name, orders(), 100, LEASE);
            let mut done = Vec::new();
            loop {
                let tasks = server.take(&some, NO_WAIT).await;
                if tasks.is_empty() {
                    return done;
                }
                for task in &tasks {
                    server.hand_in(&name, task).await.unwrap();
                    done.push(task.task_id);
                }
            }
        })
    };
    let mut done = Vec::new();
    for worker in (0..16).map(worker).collect::<Vec<_>>() {
        done.extend(worker.await.unwrap());
    }
    assert_eq!(done.len(), COUNT, "each is handed out once");
    assert_eq!(done.into_iter().collect::<HashSet<_>>(), ids);
    let queues = server.engine.desk().queues(PROJECT, None, 10);
    let depths: Vec<(&str, usize)> =
        queues.iter().map(|queue| (queue.name.rsplit('/').next().unwrap(), queue.depth)).collect();
    assert_eq!(depths, [("Packed", COUNT)]);
    let id = *ids.iter().next().unwrap();
    assert_eq!(server.task(id).fence, 1);
    let answer = server.engine.command(id, Command::Wake).await;
    assert!(matches!(answer, Answer::Run(_)), "{answer:?}");
}
