//! The shapes a run can have, one scene each. A scene that is recorded is not changed; a new shape is
//! a new scene.

mod blocks;
mod failures;
mod jumps;
mod observed;
mod others;
mod units;
mod waits;
mod ways;
mod words;

use serde_json::Value;
use windlass_core::run::{FlowWord, RunStatus, SeenEnd, TaskWord};

/// A definition, and what happens in a run of it.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) input: Value,
    /// Whether the run has an external id and repeats another one.
    pub(crate) is_named: bool,
    pub(crate) acts: Vec<Act>,
}

/// One thing that happens. Whatever follows from it by itself follows at once.
pub(crate) enum Act {
    /// The run begins.
    Go,
    /// So many milliseconds pass.
    Wait(u64),
    Start(&'static str),
    Succeed(&'static str, Value),
    Fail(&'static str, &'static str),
    /// It fails in a way that the kind itself calls final.
    FailForGood(&'static str, &'static str),
    Lose(&'static str),
    Fire(&'static str),
    Cancel(Option<&'static str>),
    Pause,
    Resume,
    Admit,
    ChildStarted(&'static str),
    ChildEnded(&'static str, Value),
    /// Somebody says that it has succeeded.
    MarkSucceeded(&'static str, Value),
    /// Somebody says that it is not needed.
    MarkSkipped(&'static str),
    Abort(&'static str),
    /// Somebody approves or rejects.
    Approve(&'static str, &'static str),
    Reject(&'static str, &'static str),
    /// A signal of a name.
    Signal(&'static str, Value),
    /// An event of a name, for a step.
    Event(&'static str, &'static str, Value),
    /// The attempt of a step notes something.
    Record(&'static str, &'static str),
    /// There is an earlier output for a step.
    Cached(&'static str, Value),
    /// The attempt of a step asks something.
    Ask(&'static str, &'static str),
    /// Somebody outside takes a step, or a unit in a role.
    Claim(&'static str, Option<&'static str>),
    /// They are done with a step.
    HandIn(&'static str, Value),
    /// They are done with a unit: its new attributes, and those of each of its parts.
    Submit(&'static str, Value, Vec<Value>),
    /// They give it up.
    GiveUp(&'static str),
    /// They give it back.
    GiveBack(&'static str),
    /// They note how far they have come.
    Checkpoint(&'static str, Value),
    /// Nothing was heard of them.
    Vanish(&'static str),
    /// A pilot stops everybody.
    Kill,
    /// A pilot lets a unit go on, past a guardian if one is named.
    LetGo(&'static str, Option<&'static str>),
    /// Another program says something of its run.
    Flow(FlowWord, Option<SeenEnd>),
    /// And of a task of it.
    Task(&'static str, TaskWord),
    /// It has logged a line of this id.
    Line(u64),
    /// It says which flow the run is of.
    Name(&'static str),
    /// The run's ending so starts a run of another workflow.
    Trigger(RunStatus),
}

pub(crate) fn all() -> Vec<Scene> {
    let others = [others::all(), jumps::all(), words::all(), units::all(), observed::all()];
    [ways::all(), failures::all(), blocks::all(), waits::all()]
        .into_iter()
        .chain(others)
        .flatten()
        .collect()
}

fn scene(name: &'static str, text: &'static str, input: Value, acts: Vec<Act>) -> Scene {
    Scene { name, text, input, is_named: false, acts }
}
