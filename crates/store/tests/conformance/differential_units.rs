//! What the differential test says and asks about units of work.

use windlass_store::*;

use crate::differential::{Dice, Pair};
use crate::fixture::*;
use crate::instances::{actor, assignment, instance, memory};
use crate::units::{request, task, unit};

fn some<T>(dice: &mut Dice, value: impl FnOnce(&mut Dice) -> T) -> Option<T> {
    (dice.below(3) == 0).then(|| value(dice))
}

fn word(dice: &mut Dice, words: &[&str]) -> String {
    words[dice.below(words.len() as u64) as usize].to_owned()
}

fn status(dice: &mut Dice) -> String {
    word(dice, &["pending", "active", "failed"])
}

fn place(dice: &mut Dice) -> String {
    word(dice, &["Inbox", "Court", "Chronos"])
}

fn role(dice: &mut Dice) -> String {
    word(dice, &["Payer", "Judge"])
}

fn holder(dice: &mut Dice) -> String {
    word(dice, &["ann", "b\u{0}b"])
}

fn random_unit(dice: &mut Dice, number: u128) -> UnitRow {
    let ordinal = u32::try_from(dice.below(3)).unwrap();
    UnitRow {
        place: some(dice, place),
        role: some(dice, role),
        holder: some(dice, holder),
        fence: dice.below(9),
        workflow: word(dice, &["refunds", "legal"]),
        instance_id: id(u128::from(1 + dice.below(2))),
        ..unit(number, ordinal, &status(dice), None)
    }
}

fn random_memory(dice: &mut Dice) -> MemoryRow {
    let (number, actor) = (dice.below(1 << 31), some(dice, |dice| u128::from(dice.below(2))));
    let (key, value) = (word(dice, &["Limit", "tone"]), word(dice, &["1", "2"]));
    memory(u128::from(number), actor, &key, &value)
}

/// Adds words about units of work to what is said of a run.
pub(crate) fn add(dice: &mut Dice, number: u128, write: &mut RunWrite) {
    write.units = (0..dice.below(3)).map(|_| random_unit(dice, number)).collect();
    let ordinal = |dice: &mut Dice| u32::try_from(dice.below(3)).unwrap();
    for _ in 0..dice.below(3) {
        let (ordinal, queue) = (ordinal(dice), word(dice, &["a", "b"]));
        let holder = some(dice, holder);
        write.tasks_set.push(TaskRow { holder, ..task(number, ordinal, &queue) });
    }
    let whose = if dice.below(4) == 0 { number % 12 + 1 } else { number };
    write.tasks_cleared.extend(some(dice, |dice| task(whose, ordinal(dice), "").task_id));
    write.interventions.extend(some(dice, |dice| {
        let priority = word(dice, &["critical", "normal", "low", "odd"]);
        let (action_by, since) = (some(dice, holder), i64::try_from(dice.below(4)).unwrap());
        InterventionRow {
            action_at: action_by.as_ref().map(|_| at(since + 7)),
            action_by,
            status: word(dice, &["PENDING", "APPROVED"]),
            assigned_to: some(dice, holder),
            ..request(number, ordinal(dice), &priority, since)
        }
    }));
    write.learned = (0..dice.below(3)).map(|_| random_memory(dice)).collect();
}

/// One word about what is not written with a run.
pub(crate) fn turn(dice: &mut Dice, pair: &Pair) {
    let now = at(i64::try_from(dice.below(9)).unwrap());
    let number = u128::from(dice.below(3));
    match dice.below(8) {
        0 => {
            let new = instance(5_000 + u128::from(dice.below(6)), &format!("i{number}"));
            pair.both(|store| store.create_instance(&new).is_ok());
        }
        1 => {
            let (instance_id, status) = (id(5_000 + number), InstanceStatus::ALL[number as usize]);
            let set = |store: &dyn Store| store.set_instance_status(instance_id, status, None, now);
            pair.both(|store| set(store).unwrap());
        }
        2 => {
            let key = format!("key {}", dice.below(3));
            let actor = ActorRow { seen_at: now, ..actor(number, &key) };
            pair.both(|store| store.put_actor(&actor).unwrap());
        }
        3 => {
            let fresh = u128::from(dice.below(1 << 31));
            let row = AssignmentRow { updated_at: now, ..assignment(fresh, number, &role(dice)) };
            let kept = pair.both(|store| store.assign(&row).unwrap());
            if dice.below(2) == 0 {
                pair.both(|store| store.revoke(kept.assignment_id, now).unwrap());
            }
        }
        4 => {
            pair.both(|store| store.decay_memories((number == 0).then(|| id(1)), now).unwrap());
        }
        _ => {
            let row = random_memory(dice);
            let kept = pair.both(|store| store.put_memory(&row).unwrap()).memory_id;
            match dice.below(3) {
                0 => drop(pair.both(|store| store.mark_toxic(kept, "a\u{0}b").unwrap())),
                1 => pair.both(|store| store.touch_memories(&[kept, kept], now).unwrap()),
                _ => {}
            }
        }
    }
}

/// Asks both for everything about units of work.
pub(crate) fn compare(dice: &mut Dice, pair: &Pair) {
    let limit = 1 + dice.below(8) as usize;
    let filter = UnitFilter {
        instance_id: (dice.below(2) == 0).then(|| id(u128::from(1 + dice.below(2)))),
        run_id: (dice.below(4) == 0).then(|| id(dice.run())),
        status: some(dice, status),
        place: some(dice, place),
        role: some(dice, role),
        parent_id: (dice.below(4) == 0).then(|| id(dice.run() * 100)),
        holder: (dice.below(4) == 0).then(|| holder(dice)),
    };
    let after = some(dice, |dice| id(dice.run() * 100 + 1));
    pair.both(|store| store.units(PROJECT, &filter, after, limit).unwrap());
    pair.both(|store| store.tasks(after, limit).unwrap());
    for number in 1..=3 {
        pair.both(|store| store.units_of_run(id(number), None, limit).unwrap());
        pair.both(|store| store.unit_counts(id(number)).unwrap());
        pair.both(|store| store.unit(PROJECT, id(number * 100)).unwrap());
        pair.both(|store| store.task(id(number * 100)).unwrap());
    }
    let filter = InterventionFilter {
        status: some(dice, |_| "PENDING".into()),
        instance_id: some(dice, |_| id(1)),
        unit_id: some(dice, |dice| id(dice.run() * 100)),
        assigned_to: some(dice, holder),
        kind: some(dice, |_| "clarification".into()),
    };
    let offset = dice.below(4) as usize;
    pair.both(|store| store.interventions(PROJECT, &filter, limit, offset).unwrap());
    pair.both(|store| store.intervention_metrics(PROJECT).unwrap());
    for actor in [None, Some(id(0)), Some(id(1))] {
        pair.both(|store| store.memories(id(1), "Payer", actor, Some("m")).unwrap());
        pair.both(|store| store.memories(id(1), "Payer", actor, None).unwrap());
    }
    pair.both(|store| store.actors(id(1), after, limit).unwrap());
    pair.both(|store| store.actor(id(1), "key 1").unwrap());
    pair.both(|store| store.assignments(id(1), None).unwrap());
    pair.both(|store| store.assignments(id(1), Some("Payer")).unwrap());
    let status = some(dice, |_| InstanceStatus::Paused);
    pair.both(|store| store.instances(PROJECT, status, None, limit).unwrap());
    pair.both(|store| store.instance(PROJECT, "i1").unwrap());
}
