use windlass_store::*;

use crate::fixture::*;

fn version(deployed: &Deployed) -> u32 {
    match deployed {
        Deployed::New(workflow) | Deployed::Same(workflow) => workflow.version,
        Deployed::VersionMismatch { current } => *current,
    }
}

pub(crate) fn a_new_name_is_version_one_and_a_change_the_next(store: &dyn Store) {
    let Deployed::New(first) = store.deploy(&deploy("a b", "one", 1)).unwrap() else { panic!() };
    let expected = WorkflowRow {
        workflow_id: id(1_001),
        project: PROJECT.into(),
        name: "a b".into(),
        version: 1,
        definition_id: id(2_001),
        description: Some("about a b".into()),
        created_at: at(1),
        updated_at: at(1),
        pause: None,
    };
    assert_eq!(first, expected);
    let Deployed::New(second) = store.deploy(&deploy("a b", "two", 2)).unwrap() else { panic!() };
    let changed = WorkflowRow { version: 2, definition_id: id(2_002), updated_at: at(2), ..first };
    assert_eq!(second, changed);
    assert_eq!(store.workflow(PROJECT, "a b").unwrap(), Some(changed));
    let versions = store.versions(id(1_001), None, 9).unwrap().items;
    let sources: Vec<(u32, &str)> =
        versions.iter().map(|row| (row.version, row.source.as_str())).collect();
    assert_eq!(sources, [(2, "two"), (1, "one")]);
    let page = store.versions(id(1_001), None, 1).unwrap();
    assert!(page.has_more);
    assert_eq!(store.versions(id(1_001), Some(2), 1).unwrap().items[0].version, 1);
    assert_eq!(store.definition(id(2_001)).unwrap().unwrap().source, "one");
    assert_eq!(store.definition(id(9)).unwrap(), None);
}

pub(crate) fn the_same_content_is_no_new_version(store: &dyn Store) {
    store.deploy(&deploy("a", "one", 1)).unwrap();
    assert!(matches!(store.deploy(&deploy("a", "one", 2)).unwrap(), Deployed::Same(_)));
    assert_eq!(version(&store.deploy(&deploy("a", "two", 3)).unwrap()), 2);
    assert_eq!(version(&store.deploy(&deploy("a", "one", 4)).unwrap()), 3, "going back is new");
}

pub(crate) fn an_expected_version_must_be_the_newest(store: &dyn Store) {
    let expecting = |version, source: &str, number| Deploy {
        expected_version: Some(version),
        ..deploy("a", source, number)
    };
    let mismatch = |current| Deployed::VersionMismatch { current };
    assert_eq!(store.deploy(&expecting(1, "one", 1)).unwrap(), mismatch(0));
    assert_eq!(version(&store.deploy(&expecting(0, "one", 2)).unwrap()), 1);
    assert_eq!(store.deploy(&expecting(0, "two", 3)).unwrap(), mismatch(1));
    assert_eq!(version(&store.deploy(&expecting(1, "two", 4)).unwrap()), 2);
    assert_eq!(store.delete_workflow(id(1_002), Some(1), at(5)).unwrap(), Some(2));
    assert!(store.workflow(PROJECT, "a").unwrap().is_some());
}

pub(crate) fn a_deleted_workflow_gives_its_name_free(store: &dyn Store) {
    store.deploy(&deploy("a", "one", 1)).unwrap();
    assert_eq!(store.delete_workflow(id(1_001), None, at(2)).unwrap(), Some(1));
    assert_eq!(store.delete_workflow(id(1_001), None, at(2)).unwrap(), None);
    assert_eq!(store.workflow(PROJECT, "a").unwrap(), None);
    assert_eq!(store.workflow(PROJECT, &id(1_001).to_string()).unwrap(), None);
    assert!(store.definition(id(2_001)).unwrap().is_some(), "its runs still need it");
    let Deployed::New(again) = store.deploy(&deploy("a", "one", 3)).unwrap() else { panic!() };
    assert_eq!((again.version, again.workflow_id), (1, id(1_003)));
}

pub(crate) fn an_id_wins_over_a_name(store: &dyn Store) {
    store.deploy(&deploy("a", "one", 1)).unwrap();
    store.deploy(&deploy(&id(1_001).to_string(), "two", 2)).unwrap();
    let found = store.workflow(PROJECT, &id(1_001).to_string()).unwrap().unwrap();
    assert_eq!(found.name, "a");
    assert_eq!(store.workflow("other", "a").unwrap(), None);
    assert_eq!(store.workflow("other", &id(1_001).to_string()).unwrap(), None);
}
