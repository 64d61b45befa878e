//! The whole engine on one thread, with chance for a scheduler and a virtual clock.
//!
//! The machines are the real ones; threads, disk, clock and the world outside are played. A seed
//! decides everything, so a failure repeats: `WINDLASS_SIM_SEED=17 cargo test -p windlass-engine
//! --test simulation`. `WINDLASS_SIM_SEEDS=20000` asks for more than the usual number, and
//! `WINDLASS_SIM_FIRST=500` for others.

#![expect(clippy::unwrap_used, reason = "a simulation that cannot go on has failed")]

mod actors;
mod chance;
mod examples;
mod family;
mod fate;
mod markers;
mod oracle;
mod plans;
mod process;
mod units;
mod word;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use world::World;

const SEEDS: u64 = 2_000;
/// Of worlds of units of work, each of which takes longer.
const SEEDS_OF_UNITS: u64 = 500;

fn setting(name: &str) -> Option<u64> {
    std::env::vars().find(|(key, _)| key == name).and_then(|(_, value)| value.parse().ok())
}

/// Makes the world of a seed.
type Make = fn(u64) -> World;

fn play(make: Make, seed: u64) -> World {
    let mut world = make(seed);
    world.play_with_faults();
    world.play_to_the_end();
    world.check_the_end();
    world
}

#[test]
fn whatever_happens_nothing_is_lost_or_done_twice() {
    play_all(World::new, SEEDS, markers::MARKERS);
}

#[test]
fn whatever_happens_no_unit_of_work_is_lost_or_in_two_hands() {
    play_all(World::of_units, SEEDS_OF_UNITS, markers::OF_UNITS);
}

fn play_all(make: Make, usual: u64, markers: &[&str]) {
    let seeds = match setting("WINDLASS_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = setting("WINDLASS_SIM_FIRST").unwrap_or(0);
            first..first + setting("WINDLASS_SIM_SEEDS").unwrap_or(usual)
        }
    };
    let is_whole = seeds.end - seeds.start >= usual;
    let next = AtomicU64::new(seeds.start);
    let sometimes: Mutex<BTreeMap<&'static str, u64>> = Mutex::default();
    let play_some = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let world = std::panic::catch_unwind(|| play(make, seed)).unwrap_or_else(|cause| {
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
        for marker in markers {
            assert!(sometimes.contains_key(marker), "`{marker}` never happened: {sometimes:?}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_story() {
    for make in [World::new as Make, World::of_units] {
        for seed in [1, 2, 3, 5, 8, 13, 21, 34] {
            let (one, other) = (play(make, seed), play(make, seed));
            assert_eq!(one.trace_hash(), other.trace_hash(), "seed {seed}");
        }
        assert_ne!(play(make, 1).trace_hash(), play(make, 2).trace_hash());
    }
}
