use windlass_store::MemoryStore;

use super::*;

fn limit(budget: Budget) -> Limit {
    Limit { scope: Scope::Run(Uuid::nil()), budget, grants: 0 }
}

fn amount(tokens: u64) -> Amount {
    Amount { calls: 1, tokens, cost_micros: tokens * 3 }
}

fn ledger() -> (Arc<Ledger>, Arc<dyn Store>) {
    (Arc::default(), Arc::new(MemoryStore::default()))
}

fn settled(bound: Amount, taken: Amount) -> Settled {
    Settled { bound, taken }
}

fn excess(held: Result<(), NotHeld>) -> Excess {
    match held {
        Err(NotHeld::Excess(excess)) => excess,
        other => panic!("{other:?}"),
    }
}

fn now() -> Time {
    Time::from_micros(0)
}

#[tokio::test]
async fn a_call_waits_for_what_others_only_hold() {
    let limits = [limit(Budget { tokens: Some(100), ..Budget::default() })];
    let (ledger, store) = ledger();
    ledger.hold(&store, &limits, amount(80), now).await.unwrap();
    let waiting = {
        let (ledger, store, limits) = (ledger.clone(), store.clone(), limits.clone());
        tokio::spawn(async move { ledger.hold(&store, &limits, amount(60), now).await })
    };
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    ledger.settle(&limits, &[limits[0].scope.clone()], settled(amount(80), amount(10)));
    waiting.await.unwrap().unwrap();
    let excess = excess(ledger.hold(&store, &limits, amount(91), now).await);
    assert_eq!((excess.at, excess.what), (0, "tokens"));
}

#[tokio::test]
async fn the_tightest_limit_counts_and_a_grant_widens_it() {
    let mut limits = [
        limit(Budget { tokens: Some(1_000), ..Budget::default() }),
        limit(Budget { cost_usd: Some(0.000_3), ..Budget::default() }),
    ];
    let (ledger, store) = ledger();
    ledger.hold(&store, &limits, amount(100), now).await.unwrap();
    ledger.settle(&limits, &[limits[0].scope.clone()], settled(amount(100), amount(100)));
    let excess = excess(ledger.hold(&store, &limits, amount(1), now).await);
    assert_eq!((excess.at, excess.what), (1, "cost_usd"));
    assert!(excess.message.starts_with("$0.000300 of $0.000300"), "{}", excess.message);
    limits[1].grants = 1;
    ledger.hold(&store, &limits, amount(1), now).await.unwrap();
}

#[tokio::test]
async fn the_wall_stands_from_the_first_call_on() {
    let wall = Some(windlass_core::HumanDuration::from_secs(10));
    let limits = [limit(Budget { wall, ..Budget::default() })];
    let (ledger, store) = ledger();
    let at = |seconds: i64| move || Time::from_micros(seconds * 1_000_000);
    ledger.hold(&store, &limits, amount(1), at(5)).await.unwrap();
    ledger.hold(&store, &limits, amount(1), at(14)).await.unwrap();
    assert_eq!(excess(ledger.hold(&store, &limits, amount(1), at(15)).await).what, "wall");
}

#[tokio::test]
async fn what_was_held_when_a_server_died_is_spent() {
    let taken =
        Taken { calls: 1, input_tokens: 5, held_calls: 2, held_tokens: 90, ..Taken::default() };
    assert_eq!(Amount::of(&taken), Amount { calls: 3, tokens: 95, cost_micros: 0 });
}

/// A hundred at once, each of which can take far more than it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_calls_at_once_never_take_more_than_there_is() {
    let limits = Arc::new([limit(Budget { tokens: Some(500), ..Budget::default() })]);
    let (ledger, store) = ledger();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (ledger, store, limits) = (ledger.clone(), store.clone(), limits.clone());
            tokio::spawn(async move {
                ledger.hold(&store, &*limits, amount(120), now).await.ok()?;
                let entry = |ledger: &Ledger| {
                    let entries = ledger.entries.lock();
                    let entry = &entries[&limits[0].scope];
                    entry.spent.tokens + entry.held.tokens
                };
                assert!(entry(&ledger) <= 500);
                tokio::task::yield_now().await;
                ledger.settle(
                    &*limits,
                    &[limits[0].scope.clone()],
                    settled(amount(120), amount(30)),
                );
                Some(30_u64)
            })
        })
        .collect();
    let mut sum = 0;
    for call in calls {
        sum += call.await.unwrap().unwrap_or(0);
    }
    // The last that fits begins with 380 spent.
    assert_eq!(sum, 390);
}
