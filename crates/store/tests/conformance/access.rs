//! Keys, the audit log and settings.

use windlass_store::*;

use crate::fixture::*;

pub(crate) fn api_key(number: u128, project: &str) -> ApiKeyRow {
    ApiKeyRow {
        key_id: id(number),
        project: project.into(),
        name: format!("key {number}"),
        role: "operator".into(),
        scopes: None,
        hash: format!("hash{number}"),
        prefix: "wl_ab".into(),
        created_at: at(1),
        created_by: Some("ann".into()),
        expires_at: None,
        revoked_at: None,
    }
}

pub(crate) fn keys_are_found_by_their_hash(store: &dyn Store) {
    assert!(!store.any_api_key().unwrap());
    let scoped = ApiKeyRow {
        scopes: Some(vec!["runs:read".into(), "it's".into()]),
        expires_at: Some(at(9)),
        created_by: None,
        ..api_key(2, "other")
    };
    store.create_api_key(&api_key(1, PROJECT)).unwrap();
    store.create_api_key(&scoped).unwrap();
    assert!(store.any_api_key().unwrap());
    assert_eq!(store.api_key_by_hash("hash1").unwrap(), Some(api_key(1, PROJECT)));
    assert_eq!(store.api_key_by_hash("hash2").unwrap(), Some(scoped));
    assert_eq!(store.api_key_by_hash("hash3").unwrap(), None);
    let again = ApiKeyRow { key_id: id(3), ..api_key(1, PROJECT) };
    assert!(store.create_api_key(&again).is_err(), "a hash is one key's");
}

pub(crate) fn keys_are_listed_by_project(store: &dyn Store) {
    for number in 1..=5 {
        let project = if number == 3 { "other" } else { PROJECT };
        store.create_api_key(&api_key(number, project)).unwrap();
    }
    let listed = |project, after, limit| {
        let page = store.api_keys(project, after, limit).unwrap();
        let numbers: Vec<u128> = page.items.iter().map(|key| key.key_id.as_u128()).collect();
        (numbers, page.has_more)
    };
    assert_eq!(listed(Some(PROJECT), None, 3), (vec![1, 2, 4], true));
    assert_eq!(listed(Some(PROJECT), Some(id(4)), 3), (vec![5], false));
    assert_eq!(listed(Some("other"), None, 3), (vec![3], false));
    assert_eq!(listed(None, Some(id(1)), 3), (vec![2, 3, 4], true));
}

pub(crate) fn a_key_is_taken_back_once(store: &dyn Store) {
    store.create_api_key(&api_key(1, PROJECT)).unwrap();
    let revoked = ApiKeyRow { revoked_at: Some(at(5)), ..api_key(1, PROJECT) };
    assert_eq!(store.revoke_api_key(id(1), at(5)).unwrap(), Some(revoked.clone()));
    assert_eq!(store.revoke_api_key(id(1), at(6)).unwrap(), Some(revoked.clone()));
    assert_eq!(store.api_key_by_hash("hash1").unwrap(), Some(revoked));
    assert_eq!(store.revoke_api_key(id(2), at(5)).unwrap(), None);
    assert!(store.any_api_key().unwrap(), "taking back the last key opens no door");
}

pub(crate) fn entry(number: i64, project: &str) -> AuditEntry {
    AuditEntry {
        at: at(number),
        project: project.into(),
        principal: "key:\0ci".into(),
        action: "run.cancel".into(),
        target: format!("r{number}"),
        detail: (number % 2 == 0).then(|| r#"{"reason":"it's \u0000"}"#.into()),
    }
}

pub(crate) fn the_audit_log_is_a_chain(store: &dyn Store) {
    let nothing = AuditVerdict { checked: 0, first_altered: None };
    assert_eq!(store.verify_audit().unwrap(), nothing);
    let entry = |number| entry(number, if number == 3 { "other" } else { PROJECT });
    let mut rows = store.append_audit(&[entry(1)]).unwrap();
    rows.extend(store.append_audit(&[entry(2), entry(3), entry(4)]).unwrap());
    rows.extend(store.append_audit(&[entry(5)]).unwrap());
    assert_eq!(store.append_audit(&[]).unwrap(), []);
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(rows[0].previous_hash, "");
    assert_eq!(rows[1].previous_hash, rows[0].hash);
    assert_eq!(rows[0].hash.len(), 64);
    let page = store.audit(None, 1, 2).unwrap();
    assert_eq!((page.items, page.has_more), (rows[1..3].to_vec(), true));
    let page = store.audit(Some("other"), 0, 2).unwrap();
    assert_eq!((page.items, page.has_more), (rows[2..3].to_vec(), false));
    let whole = AuditVerdict { checked: 5, first_altered: None };
    assert_eq!(store.verify_audit().unwrap(), whole);
}

pub(crate) fn settings_are_set_and_forgotten(store: &dyn Store) {
    assert_eq!(store.setting("stopped").unwrap(), None);
    store.set_setting("stopped", Some("by ann"), at(1)).unwrap();
    store.set_setting("other", Some("x"), at(1)).unwrap();
    assert_eq!(store.setting("stopped").unwrap().as_deref(), Some("by ann"));
    store.set_setting("stopped", Some("by bob"), at(2)).unwrap();
    assert_eq!(store.setting("stopped").unwrap().as_deref(), Some("by bob"));
    store.set_setting("stopped", None, at(3)).unwrap();
    assert_eq!(store.setting("stopped").unwrap(), None);
    assert_eq!(store.setting("other").unwrap().as_deref(), Some("x"));
}

pub(crate) fn sealed(project: &str, name: &str) -> SecretRow {
    SecretRow {
        project: project.into(),
        name: name.into(),
        key_id: "k1".into(),
        sealed: format!("sealed {name}"),
        updated_at: at(1),
        updated_by: Some("ann".into()),
    }
}

pub(crate) fn secrets_are_kept_as_they_were_sealed(store: &dyn Store) {
    assert_eq!(store.secret(PROJECT, "token").unwrap(), None);
    for (project, name) in [(PROJECT, "token"), (PROJECT, "pin"), ("other", "token")] {
        store.put_secret(&sealed(project, name)).unwrap();
    }
    assert_eq!(store.secret(PROJECT, "token").unwrap(), Some(sealed(PROJECT, "token")));
    let names = |after, limit| -> Vec<String> {
        let page = store.secrets(after, limit).unwrap().items;
        page.into_iter().map(|row| format!("{}/{}", row.project, row.name)).collect()
    };
    let all = ["default/pin", "default/token", "other/token"].map(str::to_owned);
    assert_eq!(names(("", ""), 9), all);
    assert_eq!(names((PROJECT, "pin"), 1), all[1..2]);
    let newer = SecretRow { sealed: "newer".into(), key_id: "k2".into(), ..sealed(PROJECT, "pin") };
    store.put_secret(&newer).unwrap();
    assert_eq!(store.secret(PROJECT, "pin").unwrap(), Some(newer));
    assert!(store.delete_secret(PROJECT, "pin").unwrap());
    assert!(!store.delete_secret(PROJECT, "pin").unwrap());
    assert_eq!(names(("", ""), 9), all[1..]);
}
