//! `cargo xtask fuzz`: the tests that throw random input at whatever reads what people hand over,
//! for as long as asked.

use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo::cargo;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this target
    #[arg(long, value_enum)]
    target: Option<Target>,
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The seed of the first case; without it, one by chance
    #[arg(long)]
    seed: Option<u64>,
    /// How many cases at most
    #[arg(long)]
    cases: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    /// The text of a definition, read, checked and compiled
    Definition,
    /// The text of an expression, parsed, typed and evaluated
    Expression,
    /// A journal, decoded and folded
    Journal,
    /// Requests to the router
    Http,
}

impl Target {
    const ALL: [Target; 4] =
        [Target::Definition, Target::Expression, Target::Journal, Target::Http];

    /// The name of its test.
    fn test(self) -> &'static str {
        match self {
            Target::Definition => "definition::definition",
            Target::Expression => "expression::expression",
            Target::Journal => "journal::journal",
            Target::Http => "http",
        }
    }
}

/// Answers whether no target has failed.
pub(crate) fn run(options: &Options) -> Result<bool> {
    // A seed that can be read aloud.
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(1..1_000_000_000));
    let targets = options.target.map_or_else(|| Target::ALL.to_vec(), |one| vec![one]);
    let mut failed = Vec::new();
    for target in &targets {
        if !test(*target, options, seed)?.success() {
            failed.push(*target);
        }
    }
    println!("fuzz: {} targets of {} s from seed {seed}", targets.len(), options.seconds);
    if !failed.is_empty() {
        println!("fuzz: FAILED: {failed:?}; the case's own seed is above, repeat it with");
        println!("  cargo xtask fuzz --target … --cases 1 --seed …");
    }
    Ok(failed.is_empty())
}

fn test(target: Target, options: &Options, seed: u64) -> Result<std::process::ExitStatus> {
    let mut test: Command = cargo();
    test.args(["test", "--quiet", "--package", "windlass-server", "--test", "fuzz"])
        .args([target.test(), "--"])
        .args(["--exact", "--nocapture"])
        .env("WINDLASS_FUZZ_SEED", seed.to_string())
        .env("WINDLASS_FUZZ_SECONDS", options.seconds.to_string());
    if let Some(cases) = options.cases {
        test.env("WINDLASS_FUZZ_CASES", cases.to_string());
    }
    test.status().context("cannot run cargo")
}
