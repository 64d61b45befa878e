//! Units of work, tasks and requests to people.

use serde_json::json;
use windlass_core::run::RunStatus;
use windlass_store::*;

use crate::fixture::*;

/// A unit of run `number`: the base unit, or a part of it.
pub(crate) fn unit(number: u128, ordinal: u32, status: &str, place: Option<&str>) -> UnitRow {
    UnitRow {
        unit_id: id(number * 100 + u128::from(ordinal)),
        run_id: id(number),
        path: format!("u{ordinal}"),
        ordinal,
        project: PROJECT.into(),
        instance_id: id(1),
        workflow: "refunds".into(),
        parent_id: (ordinal > 0).then(|| id(number * 100)),
        place: place.map(str::to_owned),
        role: None,
        status: status.into(),
        reason: None,
        holder: None,
        fence: 0,
        interaction_count: 1,
        max_interactions: (ordinal > 0).then_some(9),
        child_count: 0,
        finished_child_count: 0,
        version: 3,
        hash: "abc".into(),
        priority: -1,
        created_at: at(1),
        entered_at: at(2),
        updated_at: at(3),
        lease_micros: None,
        due_at: None,
    }
}

pub(crate) fn task(number: u128, ordinal: u32, queue: &str) -> TaskRow {
    TaskRow {
        task_id: id(number * 100 + u128::from(ordinal)),
        run_id: id(number),
        path: format!("u{ordinal}"),
        project: PROJECT.into(),
        queue: queue.into(),
        kind: "unit".into(),
        title: "Refund".into(),
        priority: 2,
        fairness_key: "ann".into(),
        offered_at: at(1),
        attempt: 1,
        fence: 0,
        holder: None,
        claimed_at: None,
        lease_micros: None,
        form: None,
        input: Some(json!({ "n": 1.5, "b": "\u{0}", "a": [null] })),
    }
}

pub(crate) fn request(number: u128, ordinal: u32, priority: &str, since: i64) -> InterventionRow {
    InterventionRow {
        request_id: id(number * 1_000 + u128::from(ordinal)),
        project: PROJECT.into(),
        instance_id: id(1),
        run_id: id(number),
        unit_id: id(number * 100 + u128::from(ordinal)),
        path: format!("u{ordinal}"),
        kind: "clarification".into(),
        status: "PENDING".into(),
        priority: priority.into(),
        title: "Which one?".into(),
        description: "There are \u{0} two".into(),
        context: json!({ "z": 1, "a": "\u{0}" }),
        required_role: "operator".into(),
        assigned_to: None,
        created_at: at(since),
        expires_at: at(since + 3_600),
        updated_at: at(since),
        action_by: None,
        action_reason: None,
        action_at: None,
    }
}

/// The next write about a run that ends at event `after`.
pub(crate) fn more(number: u128, after: u64) -> RunWrite {
    RunWrite { run_id: id(number), after_seq: after, ..RunWrite::default() }
}

fn numbers(page: &Page<UnitRow>) -> Vec<u128> {
    page.items.iter().map(|unit| unit.unit_id.as_u128()).collect()
}

pub(crate) fn a_unit_is_read_as_it_was_written_last(store: &dyn Store) {
    let first = unit(7, 0, "pending", Some("Inbox"));
    let part = UnitRow { due_at: Some(at(9)), ..unit(7, 1, "pending", None) };
    commit(store, &[with(new_run(7), |write| write.units = vec![first.clone(), part.clone()])]);
    assert_eq!(store.unit(PROJECT, id(700)).unwrap(), Some(first.clone()));
    assert_eq!(store.unit(PROJECT, id(701)).unwrap(), Some(part.clone()));
    assert_eq!(store.unit("other", id(700)).unwrap(), None);
    assert_eq!(store.unit(PROJECT, id(702)).unwrap(), None);
    let changed = UnitRow {
        workflow: "legal".into(),
        place: Some("Court".into()),
        role: Some("Ju\u{0}dge".into()),
        status: "active".into(),
        reason: Some("claimed".into()),
        holder: Some("a\u{0}nn".into()),
        fence: 1 << 40,
        interaction_count: 2,
        max_interactions: Some(5),
        child_count: 2,
        finished_child_count: 1,
        version: 8,
        hash: "def".into(),
        priority: i32::MIN,
        entered_at: at(5),
        updated_at: at(6),
        lease_micros: Some(300_000_000),
        due_at: Some(at(300)),
        ..first
    };
    let strange = UnitRow { path: "u9".into(), ordinal: 9, created_at: at(9), ..changed.clone() };
    // Of two words about one unit in a commit, the later one counts.
    let between = UnitRow { status: "paused".into(), ..changed.clone() };
    commit(store, &[with(more(7, 1), |write| write.units = vec![between, strange])]);
    let (role, holder) = (Some("Ju\u{2400}dge".into()), Some("a\u{2400}nn".into()));
    let wanted = UnitRow { role, holder, ..changed };
    assert_eq!(store.unit(PROJECT, id(700)).unwrap(), Some(wanted));
    assert_eq!(store.unit(PROJECT, id(701)).unwrap(), Some(part));
}

/// Two instances, three places, three statuses.
fn fill(store: &dyn Store) {
    let unit = |number: u128, ordinal| {
        let status = ["pending", "active", "completed"][number as usize % 3];
        let place = ["Inbox", "Court"][number as usize % 2];
        let holder = (status == "active").then(|| "ann".into());
        let role = (status != "pending").then(|| format!("role{}", number % 4));
        let instance_id = id(if number == 6 { 2 } else { 1 });
        UnitRow { holder, role, instance_id, ..unit(number, ordinal, status, Some(place)) }
    };
    let write = |number| {
        with(new_run(number), |write| {
            write.units = vec![unit(number, 0)];
            if number == 4 {
                write.units.push(unit(number, 1));
                write.units.push(UnitRow { place: None, ..unit(number, 2) });
            }
        })
    };
    let group: Vec<RunWrite> = (1..=9).map(write).collect();
    commit(store, &group);
}

pub(crate) fn units_are_filtered(store: &dyn Store) {
    fill(store);
    let all = UnitFilter::default;
    let shown = |filter: UnitFilter| numbers(&store.units(PROJECT, &filter, None, 99).unwrap());
    let everything = [900, 800, 700, 600, 500, 402, 401, 400, 300, 200, 100];
    assert_eq!(shown(all()), everything);
    let of_one = |filter: UnitFilter| UnitFilter { instance_id: Some(id(1)), ..filter };
    let status = |word: &str| UnitFilter { status: Some(word.into()), ..all() };
    let place = |word: &str| UnitFilter { place: Some(word.into()), ..all() };
    let role = |word: &str| UnitFilter { role: Some(word.into()), ..all() };
    assert_eq!(shown(of_one(all())), [900, 800, 700, 500, 402, 401, 400, 300, 200, 100]);
    assert_eq!(shown(status("pending")), [900, 600, 300]);
    assert_eq!(shown(of_one(status("pending"))), [900, 300]);
    assert_eq!(shown(of_one(status("pend"))), [0; 0]);
    assert_eq!(shown(place("Inbox")), [800, 600, 401, 400, 200]);
    assert_eq!(shown(of_one(place("Inbox"))), [800, 401, 400, 200]);
    assert_eq!(shown(role("role0")), [800, 402, 401, 400]);
    assert_eq!(shown(of_one(role("role0"))), [800, 402, 401, 400]);
    let both = UnitFilter { place: Some("Inbox".into()), ..status("active") };
    assert_eq!(shown(both.clone()), [401, 400]);
    assert_eq!(shown(of_one(both)), [401, 400]);
    let parts = UnitFilter { parent_id: Some(id(400)), ..all() };
    assert_eq!(shown(parts.clone()), [402, 401]);
    assert_eq!(shown(UnitFilter { status: Some("pending".into()), ..parts }), [0; 0]);
    let run = UnitFilter { run_id: Some(id(4)), ..all() };
    assert_eq!(shown(run.clone()), [402, 401, 400]);
    assert_eq!(shown(of_one(UnitFilter { place: Some("Inbox".into()), ..run })), [401, 400]);
    let held = UnitFilter { holder: Some("ann".into()), ..all() };
    assert_eq!(shown(held.clone()), [700, 402, 401, 400, 100]);
    assert_eq!(shown(UnitFilter { instance_id: Some(id(2)), ..held }), [0; 0]);
    assert_eq!(shown(UnitFilter { holder: Some("a\u{0}".into()), ..all() }), [0; 0]);
    for filter in [all(), of_one(all()), of_one(status("pending")), status("pending")] {
        assert_eq!(store.units("other", &filter, None, 9).unwrap().items, []);
    }
}

pub(crate) fn units_come_in_pages_newest_first(store: &dyn Store) {
    fill(store);
    let of_one = UnitFilter { instance_id: Some(id(1)), ..UnitFilter::default() };
    let active = UnitFilter { status: Some("active".into()), ..of_one.clone() };
    let listed = |filter: &UnitFilter, after: Option<u128>, limit| {
        let page = store.units(PROJECT, filter, after.map(id), limit).unwrap();
        (numbers(&page), page.has_more)
    };
    assert_eq!(listed(&of_one, None, 3), (vec![900, 800, 700], true));
    assert_eq!(listed(&of_one, Some(300), 3), (vec![200, 100], false));
    assert_eq!(listed(&active, None, 2), (vec![700, 402], true), "of two places and none");
    assert_eq!(listed(&active, Some(402), 2), (vec![401, 400], true));
    assert_eq!(listed(&active, Some(400), 2), (vec![100], false));
    let of_run = |after, limit| {
        let page = store.units_of_run(id(4), after, limit).unwrap();
        (page.items.iter().map(|unit| unit.ordinal).collect::<Vec<_>>(), page.has_more)
    };
    assert_eq!(of_run(None, 2), (vec![0, 1], true));
    assert_eq!(of_run(Some(1), 2), (vec![2], false));
}

pub(crate) fn units_are_counted_where_they_stand(store: &dyn Store) {
    fill(store);
    let counts = |instance| -> Vec<String> {
        let counts = store.unit_counts(instance).unwrap();
        let shown = |it: UnitCount| {
            format!("{} {:?} {} {}", it.status, it.place.as_deref(), it.workflow, it.count)
        };
        counts.into_iter().map(shown).collect()
    };
    let wanted = [
        "active None refunds 1",
        "active Some(\"Court\") refunds 2",
        "active Some(\"Inbox\") refunds 2",
        "completed Some(\"Court\") refunds 1",
        "completed Some(\"Inbox\") refunds 2",
        "pending Some(\"Court\") refunds 2",
    ];
    assert_eq!(counts(id(1)), wanted);
    assert_eq!(counts(id(2)), ["pending Some(\"Inbox\") refunds 1"]);
    assert_eq!(counts(id(3)), [""; 0]);
}

pub(crate) fn tasks_stand_until_they_are_cleared(store: &dyn Store) {
    let form = Some(json!({ "type": "object", "a": { "z": 1, "b": 2 } }));
    let first = TaskRow { form, ..task(7, 0, "1/Inbox") };
    let second = TaskRow { kind: "worker".into(), input: None, ..task(7, 1, "resize") };
    let other = TaskRow { project: "other".into(), ..task(8, 0, "1/Inbox") };
    commit(
        store,
        &[
            with(new_run(7), |write| write.tasks_set = vec![first.clone(), second.clone()]),
            with(new_run(8), |write| write.tasks_set = vec![other.clone()]),
        ],
    );
    let page = store.tasks(None, 2).unwrap();
    assert_eq!((page.items, page.has_more), (vec![first.clone(), second.clone()], true));
    let page = store.tasks(Some(second.task_id), 2).unwrap();
    assert_eq!((page.items, page.has_more), (vec![other.clone()], false));
    assert_eq!(store.task(first.task_id).unwrap(), Some(first.clone()));
    let claimed = TaskRow {
        holder: Some("ann".into()),
        claimed_at: Some(at(5)),
        lease_micros: Some(300_000_000),
        fence: 1,
        attempt: 2,
        ..first
    };
    let write = with(more(7, 1), |write| {
        write.tasks_set = vec![claimed.clone()];
        // What is cleared and set in one commit stands, and nobody clears what is another's.
        write.tasks_cleared = vec![claimed.task_id, second.task_id, other.task_id, id(99)];
    });
    commit(store, &[write]);
    assert_eq!(store.tasks(None, 9).unwrap().items, [claimed, other]);
    assert_eq!(store.task(second.task_id).unwrap(), None);
}

pub(crate) fn requests_are_listed_by_urgency_and_age(store: &dyn Store) {
    let answered = |number, ordinal, by: &str, status: &str| {
        let row = request(number, ordinal, "low", 10);
        let (by, at) = (Some(by.into()), Some(at(20 + i64::from(ordinal))));
        InterventionRow { status: status.into(), action_by: by, action_at: at, ..row }
    };
    let own = vec![
        request(7, 0, "normal", 5),
        request(7, 1, "critical", 9),
        InterventionRow { kind: "resume".into(), ..request(7, 2, "normal", 4) },
        InterventionRow { assigned_to: Some("bob".into()), ..request(7, 3, "high", 8) },
    ];
    let others = vec![
        answered(8, 0, "ann", "APPROVED"),
        answered(8, 1, "bob", "REJECTED"),
        answered(8, 2, "bob", "APPROVED"),
        InterventionRow { instance_id: id(2), ..request(8, 3, "odd", 1) },
    ];
    commit(
        store,
        &[
            with(new_run(7), |write| write.interventions = own.clone()),
            with(new_run(8), |write| write.interventions = others),
        ],
    );
    let all = InterventionFilter::default;
    let listed = |filter: &InterventionFilter, limit, offset| {
        let page = store.interventions(PROJECT, filter, limit, offset).unwrap();
        let numbers: Vec<u128> = page.items.iter().map(|row| row.request_id.as_u128()).collect();
        (numbers, page.has_more)
    };
    let shown = |filter: InterventionFilter| listed(&filter, 99, 0).0;
    assert_eq!(shown(all()), [7_001, 7_003, 7_002, 7_000, 8_000, 8_001, 8_002, 8_003]);
    assert_eq!(listed(&all(), 2, 1), (vec![7_003, 7_002], true));
    assert_eq!(listed(&all(), 2, 6), (vec![8_002, 8_003], false));
    assert_eq!(listed(&all(), 2, 8), (vec![], false));
    let pending = InterventionFilter { status: Some("PENDING".into()), ..all() };
    assert_eq!(shown(pending.clone()), [7_001, 7_003, 7_002, 7_000, 8_003]);
    assert_eq!(shown(InterventionFilter { instance_id: Some(id(2)), ..pending }), [8_003]);
    assert_eq!(shown(InterventionFilter { instance_id: Some(id(2)), ..all() }), [8_003]);
    assert_eq!(shown(InterventionFilter { unit_id: Some(id(701)), ..all() }), [7_001]);
    assert_eq!(shown(InterventionFilter { assigned_to: Some("bob".into()), ..all() }), [7_003]);
    assert_eq!(shown(InterventionFilter { kind: Some("resume".into()), ..all() }), [7_002]);
    assert_eq!(store.interventions("other", &all(), 9, 0).unwrap().items, []);
    let wanted = InterventionRow { description: "There are \u{2400} two".into(), ..own[1].clone() };
    assert_eq!(store.intervention(PROJECT, id(7_001)).unwrap(), Some(wanted.clone()));
    assert_eq!(store.intervention("other", id(7_001)).unwrap(), None);
    let metrics = store.intervention_metrics(PROJECT).unwrap();
    assert_eq!(metrics.total, 8);
    let counts = |pairs: &[(&str, u64)]| pairs.iter().map(|(it, n)| ((*it).into(), *n)).collect();
    let by_status = counts(&[("APPROVED", 2), ("PENDING", 5), ("REJECTED", 1)]);
    assert_eq!(metrics.by_status, by_status);
    assert_eq!(metrics.by_kind, counts(&[("clarification", 7), ("resume", 1)]));
    assert_eq!(metrics.by_priority["low"], 3);
    assert_eq!(metrics.mean_resolution_micros, Some(11_000_000), "10, 11 and 12 seconds");
    assert_eq!(metrics.top, [("bob".into(), 2), ("ann".into(), 1)]);
    assert_eq!(store.intervention_metrics("other").unwrap(), InterventionMetrics::default());

    let done = InterventionRow {
        status: "APPROVED".into(),
        action_by: Some("ann".into()),
        action_reason: Some("fine".into()),
        action_at: Some(at(50)),
        updated_at: at(50),
        ..wanted
    };
    let answer =
        InterventionRow { description: "fine".into(), priority: "low".into(), ..done.clone() };
    commit(store, &[with(more(7, 1), |write| write.interventions = vec![answer])]);
    let found = store.intervention(PROJECT, id(7_001)).unwrap();
    assert_eq!(found, Some(done), "what was asked stays");
    let expired = InterventionRow {
        status: "EXPIRED".into(),
        action_by: Some("nobody".into()),
        action_at: Some(at(60)),
        ..request(7, 0, "normal", 5)
    };
    commit(store, &[with(more(7, 1), |write| write.interventions = vec![expired])]);
    let top = store.intervention_metrics(PROJECT).unwrap().top;
    assert_eq!(top, [("ann".into(), 2), ("bob".into(), 2)], "who let time pass has not answered");
}

pub(crate) fn an_old_run_goes_with_its_units(store: &dyn Store) {
    let write = |number| {
        with(new_run(number), |write| {
            write.units = vec![unit(number, 0, "finalized", None)];
            write.tasks_set = vec![task(number, 0, "1/Inbox")];
            write.interventions = vec![request(number, 0, "low", 1)];
        })
    };
    commit(store, &[write(7), write(8)]);
    commit(store, &[end_run(7, RunStatus::Succeeded)]);
    let epoch = store.take_over("boot", at(0)).unwrap();
    assert_eq!(prune(store, epoch, at(9), 9), 1);
    assert_eq!(numbers(&store.units(PROJECT, &UnitFilter::default(), None, 9).unwrap()), [800]);
    assert_eq!(store.units_of_run(id(7), None, 9).unwrap().items, []);
    assert_eq!(store.tasks(None, 9).unwrap().items.len(), 1);
    assert_eq!(store.task(id(800)).unwrap(), Some(task(8, 0, "1/Inbox")));
    assert_eq!(store.intervention_metrics(PROJECT).unwrap().total, 1);
    assert_eq!(store.intervention(PROJECT, id(7_000)).unwrap(), None);
}
