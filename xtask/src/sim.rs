//! `cargo xtask sim`: the tests that live on seeds, with more of them than anybody waits for daily.
//!
//! In release, since a thousand seeds are a matter of CPU and nothing else.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::cargo::cargo;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many seeds the simulation plays
    #[arg(long)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    first: u64,
}

/// How many seeds of the simulation take as long as one of the differential test.
const SIMULATION_PER_DIFFERENTIAL: u64 = 100;

pub(crate) fn run(options: &Options) -> Result<bool> {
    let Options { seeds, first } = *options;
    let differential = (seeds / SIMULATION_PER_DIFFERENTIAL).max(1);
    let begin = Instant::now();
    let mut simulation = test("windlass-engine", "simulation");
    simulation.env("WINDLASS_SIM_FIRST", first.to_string());
    simulation.env("WINDLASS_SIM_SEEDS", seeds.to_string());
    let mut conformance = test("windlass-store", "conformance");
    conformance.env("WINDLASS_DIFFERENTIAL_SEEDS", differential.to_string());
    conformance.args(["--", "differential"]);
    // Both, even if the first fails: a long night should tell all it knows.
    let simulation = simulation.status().context("cannot run cargo")?.success();
    let conformance = conformance.status().context("cannot run cargo")?.success();
    let verdict = |is_good| if is_good { "passed" } else { "FAILED" };
    println!(
        "sim: seeds {first}..{} {}, {differential} differential seeds {}, in {:.0?}",
        first + seeds,
        verdict(simulation),
        verdict(conformance),
        begin.elapsed()
    );
    Ok(simulation && conformance)
}

fn test(package: &str, target: &str) -> Command {
    let mut cargo = cargo();
    cargo.args(["test", "--release", "--package", package, "--test", target]);
    cargo
}
