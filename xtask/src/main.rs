//! Chores of this repository that are more than one line of shell, one file per command:
//! `cargo xtask tidy`, `kill`, `disk`, `fuzz`, `sim`, `readme`.
//!
//! A chore looks at the product from outside: at its sources, its binary, its documents. None of
//! it is linked with a `windlass` crate, so that a fault there cannot hide itself here.

#![expect(clippy::print_stdout, reason = "what a chore found goes to standard output")]

mod cargo;
mod fuzz;
mod kill;
mod readme;
mod sim;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of the Windlass repository")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks what no compiler checks: file sizes, arrows between crates, forbidden words, links
    Tidy,
    /// Kills the server under load, again and again, and checks that nothing was lost or repeated
    Kill(kill::Options),
    /// Lets the disk fail under load, and checks that nothing false was acknowledged
    Disk(kill::disk::Options),
    /// Throws random input at whatever reads what people hand over
    Fuzz(fuzz::Options),
    /// Runs the engine's simulation and the store's differential test with more seeds than usual
    Sim(sim::Options),
    /// Runs the commands of README.md as a newcomer would
    Readme(readme::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Tidy => tidy::run(),
        Command::Kill(options) => kill::run(options),
        Command::Disk(options) => kill::disk::run(options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Sim(options) => sim::run(&options),
        Command::Readme(options) => readme::run(options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
