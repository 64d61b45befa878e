//! The whole engine on one thread, with chance for a scheduler and a virtual clock.
//!
//! The machines are the real ones; threads, disk, clock and the world outside are played. A seed
//! decides everything, so a failure repeats: `WINDLASS_SIM_SEED=17 cargo test -p windlass-engine
//! --test simulation`. `WINDLASS_SIM_SEEDS=20000` asks for more than the usual number, and
//! `WINDLASS_SIM_FIRST=500` for others.

#![expect(clippy::unwrap_used, reason = "a simulation that cannot go on has failed")]

mod chance;
mod examples;
mod family;
mod fate;
mod markers;
mod oracle;
mod plans;
mod process;
mod word;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use world::World;

const SEEDS: u64 = 2_000;

fn setting(name: &str) -> Option<u64> {
    std::env::vars().find(|(key, _)| key == name).and_then(|(_, value)| value.parse().ok())
}

fn play(seed: u64) -> World {
    let mut world = World::new(seed);
    world.play_with_faults();
    world.play_to_the_end();
    world.check_the_end();
    world
}

#[test]
fn whatever_happens_nothing_is_lost_or_done_twice() {
    let seeds = match setting("WINDLASS_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = setting("WINDLASS_SIM_FIRST").unwrap_or(0);
            first..first + setting("WINDLASS_SIM_SEEDS").unwrap_or(SEEDS)
        }
    };
    let is_whole = seeds.end - seeds.start >= SEEDS;
    let next = AtomicU64::new(seeds.start);
    let sometimes: Mutex<BTreeMap<&'static str, u64>> = Mutex::default();
    let play_some = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let world = std::panic::catch_unwind(|| play(seed)).unwrap_or_else(|cause| {
                eprintln!("seed {seed} failed: WINDLASS_SIM_SEED={seed} repeats it");
                // The others need not be played to their end.
                next.store(seeds.end, Ordering::Relaxed);
                std::panic::resume_unwind(cause);
            });
            let mut sometimes = sometimes.lock().unwrap();
            for (marker, count) in world.seen() {
                *sometimes.entry(marker).or_default() += count;
            }
        }
    };
    // A world shares nothing with another one.
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(play_some);
        }
    });
    let sometimes = sometimes.into_inner().unwrap();
    eprintln!("seen: {sometimes:?}");
    if is_whole {
        for marker in markers::MARKERS {
            assert!(sometimes.contains_key(marker), "`{marker}` never happened: {sometimes:?}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_story() {
    for seed in [1, 2, 3, 5, 8, 13, 21, 34] {
        assert_eq!(play(seed).trace_hash(), play(seed).trace_hash(), "seed {seed}");
    }
    assert_ne!(play(1).trace_hash(), play(2).trace_hash());
}
