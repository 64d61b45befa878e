//! Throws input at a target until the time or the number of cases is over, on stable Rust.
//!
//! Every case has a seed of its own, so a failure is repeated by
//! `WINDLASS_FUZZ_SEED=<that seed> WINDLASS_FUZZ_CASES=1`. Input that fails is cut down first.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fastrand::Rng;

/// Cases of one target if nothing is said: as many as a daily test run may take.
const CASES: u64 = 500;
/// How often a failing input is tried to be made shorter.
const CUTS: usize = 2_000;

/// What the environment asks for.
struct Wanted {
    seed: u64,
    cases: u64,
    time: Duration,
}

impl Wanted {
    fn read() -> Wanted {
        let number = |name: &str| -> Option<u64> {
            let text = std::env::var_os(format!("WINDLASS_FUZZ_{name}"))?.into_string().ok()?;
            Some(text.parse().unwrap_or_else(|_| panic!("WINDLASS_FUZZ_{name} is no number")))
        };
        let seconds = number("SECONDS");
        let endless = if seconds.is_some() { u64::MAX } else { CASES };
        Wanted {
            seed: number("SEED").unwrap_or(1),
            cases: number("CASES").unwrap_or(endless),
            time: seconds.map_or(Duration::MAX, Duration::from_secs),
        }
    }
}

/// Makes cases and checks them. `check` panics at what should never be; else it says in a word what
/// became of the case. Every word of `hoped` must have come up, or the cases tested nothing; that
/// is not asked of a single case.
#[expect(clippy::print_stdout, reason = "how much was tested, and the seed")]
pub(crate) fn fuzz(
    target: &str,
    hoped: &[&str],
    mut make: impl FnMut(&mut Rng) -> String,
    mut check: impl FnMut(&str) -> &'static str,
) {
    let wanted = Wanted::read();
    let began = Instant::now();
    let mut words: BTreeMap<&str, u64> = BTreeMap::new();
    let mut slowest = (Duration::ZERO, 0);
    let mut done = 0;
    while done < wanted.cases && began.elapsed() < wanted.time {
        let seed = wanted.seed.wrapping_add(done);
        let input = make(&mut Rng::with_seed(seed));
        let case_began = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| check(&input))) {
            Ok(word) => *words.entry(word).or_default() += 1,
            Err(_) => {
                let input = cut_down(input, &mut check);
                panic!("fuzz {target}: case with seed {seed} fails, cut down to:\n{input}");
            }
        }
        slowest = slowest.max((case_began.elapsed(), seed));
        done += 1;
    }
    let mut told = format!("fuzz {target}: {done} cases from seed {}", wanted.seed);
    for (word, count) in &words {
        let _ = write!(told, ", {count} {word}");
    }
    println!("{told}; slowest {:.0?} (seed {})", slowest.0, slowest.1);
    let missing: Vec<_> = hoped.iter().filter(|word| !words.contains_key(**word)).collect();
    assert!(done < CASES || missing.is_empty(), "{target}: nothing was ever {missing:?}");
}

/// Leaves out whatever is not needed for the failure.
fn cut_down(input: String, check: &mut impl FnMut(&str) -> &'static str) -> String {
    // The failure has been told once; the many that follow would bury it.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut input: Vec<char> = input.chars().collect();
    let (mut size, mut cuts) = (input.len() / 2, 0);
    while size > 0 && cuts < CUTS {
        let mut start = 0;
        while start < input.len() && cuts < CUTS {
            let end = (start + size).min(input.len());
            let shorter: String = input[..start].iter().chain(&input[end..]).collect();
            cuts += 1;
            if catch_unwind(AssertUnwindSafe(|| check(&shorter))).is_err() {
                input.drain(start..end);
            } else {
                start = end;
            }
        }
        size /= 2;
    }
    std::panic::set_hook(hook);
    input.into_iter().collect()
}
