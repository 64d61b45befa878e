//! Instances, their actors, and what their roles remember.

use serde_json::json;
use windlass_store::*;

use crate::fixture::*;
use crate::units::more;

pub(crate) fn instance(number: u128, name: &str) -> NewInstance {
    NewInstance {
        row: InstanceRow {
            instance_id: id(number),
            project: PROJECT.into(),
            name: name.into(),
            description: Some(format!("about {name}")),
            template: "refund-desk".into(),
            template_version: 3,
            status: InstanceStatus::Active,
            reason: None,
            created_at: at(1),
            created_by: Some("ann".into()),
            updated_at: at(1),
        },
        definition: format!("{{\"master\":\"{name}\"}}"),
        content_hash: format!("hash of {name}"),
    }
}

pub(crate) fn actor(number: u128, identity_key: &str) -> ActorRow {
    ActorRow {
        actor_id: id(number),
        instance_id: id(1),
        identity_key: identity_key.into(),
        name: format!("actor {number}"),
        description: Some("first".into()),
        kind: "HUMAN".into(),
        capabilities: json!({ "z": [1, "\u{0}"], "a": null }),
        created_at: at(1),
        seen_at: at(1),
    }
}

pub(crate) fn assignment(number: u128, actor: u128, role: &str) -> AssignmentRow {
    AssignmentRow {
        assignment_id: id(number),
        instance_id: id(1),
        actor_id: id(actor),
        role: role.into(),
        status: AssignmentRow::ACTIVE.into(),
        created_at: at(1),
        updated_at: at(1),
        created_by: Some("ann".into()),
    }
}

/// What `Payer` knows: for all, or for one actor.
pub(crate) fn memory(number: u128, actor: Option<u128>, key: &str, value: &str) -> MemoryRow {
    MemoryRow {
        memory_id: id(number),
        instance_id: id(1),
        role: "Payer".into(),
        context_type: if actor.is_some() { "ACTOR" } else { GLOBAL }.into(),
        context_id: actor.map_or_else(|| GLOBAL.into(), |actor| id(actor).to_string()),
        actor_id: actor.map(id),
        key: key.into(),
        value: json!({ "z": value, "a": 1 }),
        confidence: 50,
        is_toxic: false,
        toxic_reason: None,
        created_at: at(1),
        accessed_at: None,
    }
}

pub(crate) fn an_instance_has_its_own_definition(store: &dyn Store) {
    let new = with(instance(7, "desk"), |new| new.row.reason = Some("a\u{0}b".into()));
    store.create_instance(&new).unwrap();
    let row = InstanceRow { reason: Some("a\u{2400}b".into()), ..new.row.clone() };
    assert_eq!(store.instance(PROJECT, "desk").unwrap(), Some(row.clone()));
    assert_eq!(store.instance(PROJECT, &id(7).to_string()).unwrap(), Some(row));
    assert_eq!(store.instance("other", "desk").unwrap(), None);
    assert_eq!(store.instance("other", &id(7).to_string()).unwrap(), None);
    assert_eq!(store.instance(PROJECT, "de\u{0}sk").unwrap(), None);
    let definition = store.definition(id(7)).unwrap().unwrap();
    assert_eq!((definition.workflow_id, definition.version), (id(7), 1));
    assert_eq!(definition.format, "instance");
    assert_eq!((definition.source, definition.content_hash), (new.definition, new.content_hash));
    assert_eq!(store.workflows(PROJECT, None, 9).unwrap().items, [], "it is no workflow of a list");
    assert!(matches!(store.create_instance(&instance(7, "again")), Err(StoreError::Damaged(_))));
    assert_eq!(store.instance(PROJECT, "again").unwrap(), None);
    store.deploy(&deploy("greet", "one", 1)).unwrap();
    let taken = instance(2_001, "taken");
    assert!(store.create_instance(&taken).is_err(), "both rows or neither");
    assert_eq!(store.instance(PROJECT, "taken").unwrap(), None);
}

pub(crate) fn instances_are_listed_newest_first(store: &dyn Store) {
    for number in 1..=5 {
        store.create_instance(&instance(number, ["odd", "even"][number as usize % 2])).unwrap();
    }
    let other = with(instance(6, "even"), |new| new.row.project = "other".into());
    store.create_instance(&other).unwrap();
    let archived = InstanceStatus::Archived;
    let row = store.set_instance_status(id(4), archived, Some("old\u{0}"), at(9)).unwrap().unwrap();
    let wanted = InstanceRow {
        status: archived,
        reason: Some("old\u{2400}".into()),
        updated_at: at(9),
        ..instance(4, "odd").row
    };
    assert_eq!(row, wanted);
    assert_eq!(store.set_instance_status(id(9), archived, None, at(9)).unwrap(), None);
    let listed = |status, after: Option<u128>, limit| {
        let page = store.instances(PROJECT, status, after.map(id), limit).unwrap();
        let numbers: Vec<u128> = page.items.iter().map(|row| row.instance_id.as_u128()).collect();
        (numbers, page.has_more)
    };
    assert_eq!(listed(None, None, 3), (vec![5, 4, 3], true));
    assert_eq!(listed(None, Some(3), 3), (vec![2, 1], false));
    assert_eq!(listed(Some(archived), None, 3), (vec![4], false));
    assert_eq!(listed(Some(InstanceStatus::Active), Some(5), 2), (vec![3, 2], true));
    let newest = store.instance(PROJECT, "odd").unwrap().unwrap();
    assert_eq!(newest, wanted, "of several of one name the newest");
}

pub(crate) fn an_actor_is_known_again(store: &dyn Store) {
    let first = ActorRow { name: "Ann\u{0}".into(), ..actor(1, "ann@example.com") };
    let kept = store.put_actor(&first).unwrap();
    assert_eq!(kept, ActorRow { name: "Ann\u{2400}".into(), ..first });
    let again = ActorRow {
        name: "Ann B.".into(),
        description: None,
        kind: "AI_AGENT".into(),
        capabilities: json!(["x"]),
        created_at: at(5),
        seen_at: at(5),
        ..actor(2, "ann@example.com")
    };
    let wanted = ActorRow {
        name: "Ann B.".into(),
        kind: "AI_AGENT".into(),
        capabilities: json!(["x"]),
        seen_at: at(5),
        ..kept
    };
    assert_eq!(store.put_actor(&again).unwrap(), wanted, "by its identity key");
    let renamed =
        ActorRow { seen_at: at(6), ..ActorRow { identity_key: "b".into(), ..wanted.clone() } };
    let wanted = ActorRow { seen_at: at(6), ..wanted };
    assert_eq!(store.put_actor(&renamed).unwrap(), wanted, "by its id");
    let elsewhere = ActorRow { instance_id: id(2), ..actor(1, "ann@example.com") };
    assert_eq!(store.put_actor(&elsewhere).unwrap(), elsewhere, "in another instance it is new");
    for number in 3..=5 {
        store.put_actor(&actor(number, &format!("key {number}"))).unwrap();
    }
    assert_eq!(store.actor(id(1), "ann@example.com").unwrap(), Some(wanted.clone()));
    assert_eq!(store.actor(id(1), &id(1).to_string()).unwrap(), Some(wanted.clone()));
    assert_eq!(store.actor(id(2), "key 3").unwrap(), None);
    let page = store.actors(id(1), None, 2).unwrap();
    assert_eq!((page.items, page.has_more), (vec![wanted, actor(3, "key 3")], true));
    let page = store.actors(id(1), Some(id(3)), 2).unwrap();
    assert_eq!((page.items, page.has_more), (vec![actor(4, "key 4"), actor(5, "key 5")], false));
}

pub(crate) fn a_role_is_given_and_taken_back(store: &dyn Store) {
    let payer = assignment(11, 2, "Payer");
    assert_eq!(store.assign(&payer).unwrap(), payer);
    let clerk = store.assign(&assignment(12, 2, "Clerk")).unwrap();
    let first = store.assign(&assignment(13, 1, "Payer")).unwrap();
    store.assign(&AssignmentRow { instance_id: id(2), ..assignment(14, 1, "Payer") }).unwrap();
    let all = store.assignments(id(1), None).unwrap();
    assert_eq!(all, [clerk, first.clone(), payer.clone()]);
    assert_eq!(store.assignments(id(1), Some("Payer")).unwrap(), all[1..]);
    assert_eq!(store.assignments(id(1), Some("Pay\u{0}er")).unwrap(), []);
    let revoked = AssignmentRow { status: "REVOKED".into(), updated_at: at(5), ..payer.clone() };
    assert_eq!(store.revoke(id(11), at(5)).unwrap(), Some(revoked.clone()));
    assert_eq!(store.revoke(id(11), at(6)).unwrap(), Some(revoked.clone()));
    assert_eq!(store.revoke(id(99), at(6)).unwrap(), None);
    assert_eq!(store.assignments(id(1), Some("Payer")).unwrap(), [first, revoked]);
    let again =
        AssignmentRow { created_at: at(7), updated_at: at(7), ..assignment(15, 2, "Payer") };
    let wanted = AssignmentRow { updated_at: at(7), ..payer };
    assert_eq!(store.assign(&again).unwrap(), wanted, "it is the same assignment");
    assert_eq!(store.assignments(id(1), None).unwrap().len(), 3);
}

pub(crate) fn a_role_remembers(store: &dyn Store) {
    let rows = [
        memory(21, None, "Limit", "100"),
        memory(22, Some(1), "Limit", "200"),
        memory(23, Some(2), "Limit", "300"),
        memory(24, None, "a%b_c!", "x"),
        MemoryRow { role: "Clerk".into(), ..memory(25, None, "Limit", "1") },
        MemoryRow { instance_id: id(2), ..memory(26, None, "Limit", "2") },
    ];
    for row in &rows {
        assert_eq!(store.put_memory(row).unwrap(), *row);
    }
    let told = |actor: Option<u128>, part| -> Vec<u128> {
        let rows = store.memories(id(1), "Payer", actor.map(id), part).unwrap();
        rows.iter().map(|row| row.memory_id.as_u128()).collect()
    };
    assert_eq!(told(None, None), [21, 24]);
    assert_eq!(told(Some(1), None), [21, 22, 24], "what is for all first");
    assert_eq!(told(Some(2), Some("lIMI")), [21, 23]);
    assert_eq!(told(None, Some("%b_")), [24]);
    assert_eq!(told(None, Some("_b%")), [0; 0]);
    assert_eq!(store.memory(id(22)).unwrap(), Some(rows[1].clone()));
    store.touch_memories(&[id(21), id(99), id(21), id(22)], at(9)).unwrap();
    store.touch_memories(&[], at(9)).unwrap();
    assert_eq!(store.memory(id(21)).unwrap().unwrap().accessed_at, Some(at(9)));
    assert_eq!(store.decay_memories(Some(id(2)), at(99)).unwrap(), 0);
    assert_eq!(store.decay_memories(Some(id(1)), at(9)).unwrap(), 0);
    assert_eq!(store.decay_memories(Some(id(1)), at(10)).unwrap(), 2);
    assert_eq!(told(Some(1), None), [24], "what nobody has read stays");
    store.touch_memories(&[id(24), id(26)], at(9)).unwrap();
    assert_eq!(store.decay_memories(None, at(10)).unwrap(), 2);
    assert_eq!(told(Some(2), None), [23]);
}

pub(crate) fn what_is_toxic_stays_so_until_it_is_another(store: &dyn Store) {
    store.put_memory(&memory(21, None, "Limit", "100")).unwrap();
    let toxic = MemoryRow {
        is_toxic: true,
        toxic_reason: Some("a lie\u{2400}".into()),
        ..memory(21, None, "Limit", "100")
    };
    assert_eq!(store.mark_toxic(id(21), "a lie\u{0}").unwrap(), Some(toxic.clone()));
    assert_eq!(store.mark_toxic(id(99), "a lie").unwrap(), None);
    let same = MemoryRow { confidence: 99, ..memory(31, None, "Limit", "100") };
    let wanted = MemoryRow { confidence: 99, ..toxic };
    assert_eq!(store.put_memory(&same).unwrap(), wanted);
    assert_eq!(store.memory(id(31)).unwrap(), None);
    let other = MemoryRow { created_at: at(8), ..memory(32, None, "Limit", "200") };
    let wanted = MemoryRow { created_at: at(1), memory_id: id(21), ..other.clone() };
    assert_eq!(store.put_memory(&other).unwrap(), wanted);
}

pub(crate) fn what_actors_learn_is_written_with_their_run(store: &dyn Store) {
    commit(
        store,
        &[
            with(new_run(7), |write| write.learned = vec![memory(21, Some(1), "Limit", "1")]),
            // The same again, by another run and twice.
            with(new_run(8), |write| {
                write.learned = vec![
                    memory(22, Some(1), "Limit", "2"),
                    memory(23, Some(1), "Limit", "3"),
                    memory(24, Some(1), "Tone", "kind"),
                ];
            }),
        ],
    );
    let limit = MemoryRow { memory_id: id(21), ..memory(23, Some(1), "Limit", "3") };
    let known = store.memories(id(1), "Payer", Some(id(1)), None).unwrap();
    assert_eq!(known, [limit, memory(24, Some(1), "Tone", "kind")]);
    let epoch = store.take_over("boot", at(0)).unwrap();
    let late = with(more(7, 5), |write| write.learned = vec![memory(25, None, "Limit", "9")]);
    assert_eq!(store.commit(epoch, &[late]).unwrap(), [(0, Conflict::Changed)]);
    assert_eq!(store.memory(id(25)).unwrap(), None);
}
