//! What a holder says twice because they have not heard the answer.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_end_of_which_nobody_knows_whether_it_counts_may_be_said_again() {
    let ground = Ground::in_memory();
    let store = Moody::over(ground.store());
    let server = ground.serve_over(store.clone(), |_| {});
    let unit = server.set_up("failed").await;
    server.add(&unit, 1).await;
    let task = server.take_one("ada", orders(), LEASE).await;
    *store.mood.lock() = Mood::WrittenButUnknown;
    let unknown = server.hand_in("ada", &task).await;
    assert!(matches!(unknown, Err(TaskRefused::OutcomeUnknown(_))), "{unknown:?}");
    *store.mood.lock() = Mood::Fine;
    patiently("it counts", async {
        while server.hand_in("ada", &task).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(server.unit(task.task_id).status, "completed");
    let other = server.hand_in("bob", &task).await;
    assert!(matches!(other, Err(TaskRefused::LeaseLost(_))), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_up_while_they_hand_something_in_may_ask_again() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    let unit = server.set_up("failed").await;
    for number in 0..50 {
        server.add(&unit, 1).await;
        let task = server.take_one("ada", orders(), LEASE).await;
        {
            let mut ending = Box::pin(server.hand_in("ada", &task));
            for _ in 0..=number % 4 {
                let _ = futures_util::poll!(&mut ending);
                tokio::task::yield_now().await;
            }
        }
        let again = patiently("it is handed in", server.hand_in("ada", &task)).await;
        assert!(again.is_ok(), "{again:?}");
        assert_eq!(server.unit(task.task_id).status, "completed");
    }
}
