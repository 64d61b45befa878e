//! Asking for what is not to be had.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_in_a_role_that_takes_no_such_units_does_not_take_it_from_others() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    let unit = server.set_up("failed").await;
    let id = server.add(&unit, 1).await[0];
    let bad = ("eve", Some("Medic".to_owned()));
    let refused = server.engine.claim_task(scope(), id, bad, LEASE).await;
    assert!(matches!(refused, Err(TaskRefused::Refused(_))), "{refused:?}");
    assert_eq!(server.take_one("ada", orders(), LEASE).await.task_id, id);
}
