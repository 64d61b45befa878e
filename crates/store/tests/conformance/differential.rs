//! The same random operations on the model and on a database: the same answers, the same rows.

use std::fmt::Debug;
use std::sync::Arc;

use windlass_core::run::{RunStatus, StepStatus};
use windlass_store::*;

use crate::access::{entry, sealed};
use crate::differential_units;
use crate::fixture::*;
use crate::server::fresh_database;
use crate::{open, open_beside};

/// A small generator of numbers, so that a seed says everything.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    pub(crate) fn run(&mut self) -> u128 {
        u128::from(1 + self.below(12))
    }
}

pub(crate) struct Pair {
    model: MemoryStore,
    database: Arc<dyn Store>,
    seed: u64,
    turn: u64,
}

impl Pair {
    pub(crate) fn both<T: PartialEq + Debug>(&self, ask: impl Fn(&dyn Store) -> T) -> T {
        let (model, database) = (ask(&self.model), ask(&*self.database));
        assert_eq!(model, database, "seed {}, turn {}", self.seed, self.turn);
        model
    }
}

fn random_write(dice: &mut Dice, pair: &Pair) -> RunWrite {
    let number = dice.run();
    let standing_at = pair.both(|store| store.run(PROJECT, &id(number).to_string()).unwrap());
    // Mostly what fits the run's state, sometimes not.
    let creates = standing_at.is_none() != (dice.below(10) == 0);
    let mut write = if creates {
        with(new_run(number), |write| {
            let new = new_of(write);
            if dice.below(2) == 0 {
                new.key = Some(key(&format!("k{}", dice.below(4)), &format!("h{}", dice.below(2))));
            }
            if dice.below(4) == 0 {
                new.external_id = Some(format!("x{}", dice.below(3)));
            }
            new.rerun_of = (dice.below(4) == 0).then(|| id(dice.run()));
            if dice.below(2) == 0 {
                new.labels.insert(format!("l{}", dice.below(2)), format!("v{}", dice.below(2)));
            }
            if dice.below(3) == 0 {
                let (run_id, step) = (id(dice.run()), format!("s{}", dice.below(2)));
                new.parent = Some(ParentRun { run_id, step, depth: 1 });
            }
            if dice.below(3) == 0 {
                new.concurrency = Some(ConcurrencySlot { key: "slot".into(), limit: 2 });
                new.priority = i32::try_from(dice.below(3)).unwrap() - 1;
            }
            write.logs =
                (1..=dice.below(4)).map(|seq| log(seq, "a", &format!("l{}", seq % 2))).collect();
        })
    } else {
        let after = standing_at.map_or(1, |row| row.last_seq) + u64::from(dice.below(10) == 0);
        with(end_run(number, RunStatus::ALL[dice.below(7) as usize]), |write| {
            write.after_seq = after;
            standing_of(write).last_seq = after + 1;
            write.chunks[0].first_seq = after + 1;
            write.chunks[0].last_seq = after + 1;
            if dice.below(3) == 0 {
                write.standing = None;
            }
            match dice.below(60) {
                0..10 => write.chunks.clear(),
                10 => {
                    let text = "long".repeat(20_000 + dice.below(2) as usize);
                    write.chunks = vec![chunk(after + 1, &[finished(text.into())])];
                }
                _ => {}
            }
        })
    };
    if dice.below(4) == 0 {
        let (key, value) = (format!("l{}", dice.below(2)), format!("v{}", dice.below(2)));
        write.labels_set.insert(key, value);
    }
    let known = pair.both(|store| store.steps(id(number), None, 99).unwrap()).items;
    for ordinal in 0..4 {
        let status = StepStatus::ALL[dice.below(10) as usize];
        let changed = with(step(ordinal, status), |step| {
            step.end_seq = (dice.below(2) == 0).then_some(write.after_seq + 1);
            step.input_seq = (dice.below(2) == 0).then_some(1);
        });
        match dice.below(3) {
            0 if known.iter().any(|step| step.ordinal == ordinal) => {
                write.changed_steps.push(changed);
            }
            0 => write.new_steps.push(changed),
            _ => {}
        }
    }
    if dice.below(3) == 0 {
        let due = i64::try_from(dice.below(20)).unwrap();
        write.timers_set.push((format!("t{}", dice.below(3)), at(due)));
    }
    if dice.below(3) == 0 {
        write.timers_cleared.push(format!("t{}", dice.below(3)));
    }
    if dice.below(3) == 0 {
        let (path, name) = (format!("s{}", dice.below(3)), format!("n{}", dice.below(2)));
        let kind = ["approval", "event"][dice.below(2) as usize];
        let since = i64::try_from(dice.below(5)).unwrap();
        write.asks_set.push(ask(number, &path, kind, &name, since));
    }
    if dice.below(3) == 0 {
        write.asks_cleared.push(format!("s{}", dice.below(3)));
    }
    match dice.below(5) {
        0 => {
            let (seq, version) = (write.after_seq, u32::try_from(dice.below(2)).unwrap());
            write.snapshot = Some(Snapshot { seq, version, state: "{}".into() });
        }
        1 => write.drop_snapshot = true,
        _ => {}
    }
    for _ in 0..dice.below(3) {
        let (target, path) = (dice.run(), format!("s{}", dice.below(2)));
        let sent = i64::try_from(dice.below(5)).unwrap();
        let message =
            message(target, number, &path, ["start", "end"][dice.below(2) as usize], sent);
        if dice.below(3) == 0 {
            write.received.push(message.key());
        } else {
            write.messages.push(message);
        }
    }
    differential_units::add(dice, number, &mut write);
    if dice.below(8) == 0 {
        (write.after_seq, write.create, write.standing) = (0, None, None);
        write.chunks.clear();
    }
    write
}

fn turn(dice: &mut Dice, pair: &Pair, epoch: &mut i64) -> &'static str {
    match dice.below(14) {
        0 => {
            *epoch = pair.both(|store| store.take_over("boot", at(0)).unwrap());
            "take_over"
        }
        1 => {
            let number = dice.below(30).into();
            let name = format!("w{}", dice.below(3));
            let source = format!("s{}", dice.below(3));
            let expected_version =
                (dice.below(3) == 0).then(|| u32::try_from(dice.below(3)).unwrap());
            let deploy = Deploy { expected_version, ..deploy(&name, &source, number) };
            let taken = |id: uuid::Uuid| pair.model.definition(id).unwrap().is_some();
            if !taken(deploy.new_definition_id)
                && !taken(id(deploy.new_workflow_id.as_u128() + 1_000))
            {
                pair.both(|store| store.deploy(&deploy).unwrap());
            }
            "deploy"
        }
        2 => {
            let workflow_id = id(1_000 + u128::from(dice.below(30)));
            let expected = (dice.below(2) == 0).then(|| u32::try_from(dice.below(3)).unwrap());
            pair.both(|store| store.delete_workflow(workflow_id, expected, at(5)).unwrap());
            "delete"
        }
        3 => {
            let (before, limit) = (i64::try_from(dice.below(14)).unwrap(), dice.below(3) as usize);
            pair.both(|store| store.prune_keys(*epoch, at(before), limit).unwrap());
            let expiry = Expiry {
                workflow: (dice.below(4) == 0).then(|| "greet".into()),
                except: (0..dice.below(2)).map(|_| "other".into()).collect(),
                statuses: (0..dice.below(3))
                    .map(|_| RunStatus::ALL[dice.below(7) as usize])
                    .collect(),
                before: (dice.below(3) > 0).then(|| at(before)),
                keep_newest: (dice.below(3) == 0).then(|| u32::try_from(dice.below(4)).unwrap()),
            };
            let expired = pair.both(|store| store.expired_runs(&expiry, limit).unwrap());
            let mut runs: Vec<_> = expired.iter().map(|row| row.run_id).collect();
            runs.extend((0..dice.below(2)).map(|_| id(dice.run())));
            pair.both(|store| store.delete_runs(*epoch, &runs).unwrap());
            "prune"
        }
        5 => {
            let workflow_id = id(1_000 + u128::from(dice.below(30)));
            let pause = Pause { at: at(3), by: "ann".into(), reason: None };
            let pause = (dice.below(3) > 0).then_some(pause);
            pair.both(|store| store.pause_workflow(workflow_id, pause.as_ref()).unwrap());
            "pause"
        }
        6 => {
            let number = dice.below(3);
            let value = (dice.below(3) > 0).then(|| format!("{number}"));
            let name = format!("n{number}");
            pair.both(|store| store.set_setting(&name, value.as_deref(), at(1)).unwrap());
            pair.both(|store| store.append_audit(&[entry(1, &name)]).unwrap());
            match dice.below(2) {
                0 => pair.both(|store| store.put_secret(&sealed(PROJECT, &name)).unwrap()),
                _ => drop(pair.both(|store| store.delete_secret(PROJECT, &name).unwrap())),
            }
            "access"
        }
        7 => {
            differential_units::turn(dice, pair);
            "units"
        }
        4 => {
            let older = *epoch - 1;
            let write = random_write(dice, pair);
            let refused = pair.both(|store| store.commit(older, std::slice::from_ref(&write)));
            assert_eq!(refused, Err(StoreError::Fenced));
            "commit_fenced"
        }
        _ => {
            // One group may say several things about one run; the first fits, the next may not.
            let mut group: Vec<RunWrite> =
                (0..=dice.below(3)).map(|_| random_write(dice, pair)).collect();
            // A step is new once. The store trusts its writer in this and answers `Refused`.
            let mut creators = std::collections::BTreeSet::new();
            for write in &mut group {
                if !creators.insert(write.run_id) {
                    write.new_steps.clear();
                }
            }
            pair.both(|store| store.commit(*epoch, &group).unwrap());
            "commit"
        }
    }
}

fn compare_everything(dice: &mut Dice, pair: &Pair, epoch: i64) {
    for number in 1..=12 {
        pair.both(|store| store.load_run(id(number), 1).unwrap());
        pair.both(|store| store.steps(id(number), None, 99).unwrap());
        pair.both(|store| store.overview(id(number), 2).unwrap());
        pair.both(|store| store.standings(id(number)).unwrap());
        pair.both(|store| store.events(id(number), 0, 99, 999_999).unwrap());
        pair.both(|store| store.events_at(id(number), &[1, 2, 3, 4]).unwrap());
        pair.both(|store| store.logs(id(number), 0, &LogFilter::default(), 99).unwrap());
        pair.both(|store| store.run(PROJECT, &id(number).to_string()).unwrap());
    }
    let filter = RunFilter {
        statuses: (0..dice.below(3)).map(|_| RunStatus::ALL[dice.below(7) as usize]).collect(),
        labels: (0..dice.below(3))
            .map(|n| (format!("l{n}"), format!("v{}", dice.below(2))))
            .collect(),
        text: (dice.below(3) == 0).then(|| "WRONG".into()),
        created_after: (dice.below(3) == 0).then(|| at(3)),
        created_before: (dice.below(3) == 0).then(|| at(9)),
        workflow_id: (dice.below(3) == 0).then(|| id(1)),
        parent: (dice.below(4) == 0).then(|| id(dice.run())),
        is_unrepeated: dice.below(3) == 0,
        look_at_most: (dice.below(2) == 0).then(|| 1 + dice.below(5) as usize),
    };
    let before = (dice.below(2) == 0).then(|| id(dice.run()));
    let limit = 1 + dice.below(8) as usize;
    pair.both(|store| store.runs(PROJECT, &filter, before, limit).unwrap());
    pair.both(|store| store.orphans(epoch, before, limit).unwrap());
    let search = LogSearch { text: "l1".into(), ..LogSearch::default() };
    pair.both(|store| store.find_logs(PROJECT, &search, Some(9), limit).unwrap());
    pair.both(|store| store.find_logs(PROJECT, &search, None, 99).unwrap());
    let filter = ScanFilter {
        workflow_id: filter.workflow_id,
        from: filter.created_after,
        until: filter.created_before,
    };
    pair.both(|store| {
        let mut found = Vec::new();
        let each = &mut |glance| found.push(glance);
        let more = store.scan_runs(PROJECT, &filter, limit, each).unwrap();
        (more, found)
    });
    pair.both(|store| store.kinds_of_steps(PROJECT, &filter, limit).unwrap());
    pair.both(|store| store.due_timers(at(10), limit).unwrap());
    let key = ask(dice.run(), "s1", "event", "n0", 2).key();
    pair.both(|store| store.asks(PROJECT, "event", None, None, limit).unwrap());
    pair.both(|store| store.asks(PROJECT, "event", Some("n0"), Some(&key), limit).unwrap());
    pair.both(|store| store.asks(PROJECT, "approval", None, Some(&key), limit).unwrap());
    pair.both(|store| store.workflows(PROJECT, None, 99).unwrap());
    pair.both(|store| store.admissions(before, limit).unwrap());
    let (sent, key) = (at(2), message(dice.run(), dice.run(), "s0", "start", 2).key());
    pair.both(|store| store.messages(None, limit).unwrap());
    pair.both(|store| store.messages(Some((sent, key.clone())), limit).unwrap());
    pair.both(|store| store.verify_audit().unwrap());
    pair.both(|store| store.secrets(("", ""), 9).unwrap());
    for name in ["n0", "n1", "n2"] {
        pair.both(|store| store.setting(name).unwrap());
        pair.both(|store| store.audit(Some(name), 3, limit).unwrap());
    }
    differential_units::compare(dice, pair);
    for name in 0..4 {
        pair.both(|store| store.key(PROJECT, "POST /execute", &format!("k{name}")).unwrap());
        pair.both(|store| store.run(PROJECT, &format!("x{name}")).unwrap());
        let workflow = pair.both(|store| store.workflow(PROJECT, &format!("w{name}")).unwrap());
        if let Some(workflow) = workflow {
            pair.both(|store| store.versions(workflow.workflow_id, None, 99).unwrap());
        }
    }
}

/// `WINDLASS_DIFFERENTIAL_SEEDS` asks for more than the usual few.
fn seeds(usual: u64) -> u64 {
    std::env::vars()
        .find(|(name, _)| name == "WINDLASS_DIFFERENTIAL_SEEDS")
        .map_or(usual, |(_, count)| count.parse().unwrap())
}

fn compare(seeds: u64, open_fresh: impl Fn() -> Arc<dyn Store>) {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..seeds {
        let mut pair = Pair { model: MemoryStore::new(), database: open_fresh(), seed, turn: 0 };
        let mut dice = Dice(seed);
        let mut epoch = pair.both(|store| store.take_over("boot", at(0)).unwrap());
        for turn_number in 0..120 {
            pair.turn = turn_number;
            seen.insert(turn(&mut dice, &pair, &mut epoch));
            compare_everything(&mut dice, &pair, epoch);
        }
    }
    assert_eq!(seen.len(), 9, "every operation has been tried: {seen:?}");
}

#[test]
fn the_model_and_sqlite_answer_the_same() {
    let parent = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    compare(seeds(12), || {
        count.set(count.get() + 1);
        open(&parent.path().join(count.get().to_string()))
    });
}

#[test]
fn the_model_and_postgres_answer_the_same() {
    let parent = tempfile::tempdir().unwrap();
    compare(seeds(2), || {
        let url = fresh_database();
        open_beside(&url, &parent.path().join(url.rsplit('/').next().unwrap()))
    });
}
