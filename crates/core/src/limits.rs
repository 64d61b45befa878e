//! Every bound in one place. Past a bound there is a typed error on the definition or the run that
//! crossed it, never on its neighbours.

use std::time::Duration;

/// A JSON value that enters a journal (input, output, resolved config), in bytes of its text.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What an error says beside its message, in bytes of its JSON. Lists of runs show it.
pub const DETAILS_BYTES_MAX: usize = 1024 * 1024;
/// All values of one run that are in memory, in bytes of their text. The run fails with
/// `history_limit` past it.
pub const RUN_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// A definition's source, in bytes.
pub const DEFINITION_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Nodes of one definition, those inside blocks included.
pub const NODE_COUNT_MAX: usize = 20_000;
/// Edges of one definition, those inside blocks included.
pub const EDGE_COUNT_MAX: usize = 100_000;
/// How deep blocks may nest.
pub const BLOCK_DEPTH_MAX: usize = 8;
/// How deep a document or a JSON value may nest. `serde_json` itself stops at 128.
pub const JSON_DEPTH_MAX: usize = 100;
/// Values one YAML document may expand to, aliases counted each time they are used.
pub const YAML_VALUE_COUNT_MAX: usize = 500_000;
/// A node's id, in bytes.
pub const NODE_ID_BYTES_MAX: usize = 128;
/// A workflow's name, in bytes.
pub const NAME_BYTES_MAX: usize = 200;
/// A label's key or value, an idempotency key or an external id, in bytes.
pub const LABEL_BYTES_MAX: usize = 256;
/// Labels of one run.
pub const LABEL_COUNT_MAX: usize = 64;

/// One expression's text, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 16 * 1024;
/// Operators, field accesses and values of one expression.
pub const EXPRESSION_OPERATOR_COUNT_MAX: u32 = 500;
/// How deep an expression may nest.
pub const EXPRESSION_DEPTH_MAX: u32 = 64;
/// Steps of work one evaluation may take; a produced list element counts as one, and so do 64 bytes of
/// a text that is produced or a value that is copied.
pub const EXPRESSION_FUEL: u32 = 2_000_000;

/// Roles of one template.
pub const ROLE_COUNT_MAX: usize = 200;
/// Interactions of one template.
pub const INTERACTION_COUNT_MAX: usize = 500;
/// Components of one template.
pub const COMPONENT_COUNT_MAX: usize = 2_000;
/// Guardians of one template.
pub const GUARDIAN_COUNT_MAX: usize = 4_000;
/// Branches of one interaction policy.
pub const POLICY_BRANCH_COUNT_MAX: usize = 200;

/// Tasks of a run that another program drives.
pub const OBSERVED_TASK_COUNT_MAX: usize = 100_000;
/// Log lines of a run that another program drives.
pub const OBSERVED_LINE_COUNT_MAX: u64 = 1_000_000;
/// How many lines of such a run are known by the ids their sender gave them, the latest ones.
pub const OBSERVED_LINE_IDS_MAX: usize = 4_096;
/// Items of one `map`.
pub const MAP_ITEM_COUNT_MAX: usize = 1_000_000;
/// Iterations of one `loop`, if the definition says nothing.
pub const LOOP_ITERATION_COUNT_DEFAULT: u32 = 1_000;
/// Iterations of one `loop`, whatever the definition says.
pub const LOOP_ITERATION_COUNT_MAX: u32 = 100_000;
/// How deep runs may nest that ask for one another.
pub const SUB_RUN_DEPTH_MAX: u32 = 16;
/// Triggers of one definition.
pub const TRIGGER_COUNT_MAX: usize = 100;
/// How many runs may follow one another of which each is started by the end of the one before.
pub const TRIGGER_DEPTH_MAX: u32 = 10;
/// `approvers` of one approval.
pub const APPROVER_COUNT_MAX: usize = 100;
/// Signals that one run may be sent.
pub const SIGNAL_COUNT_MAX: u32 = 10_000;
/// Signals of one run that no step has taken yet.
pub const SIGNALS_KEPT_MAX: usize = 1_000;
/// What one step may record while it is under way.
pub const RECORD_COUNT_MAX: usize = 10_000;
/// How long the other side of a failed attempt may put off the next one.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// `concurrency.limit`.
pub const CONCURRENCY_MAX: u32 = 100_000;
/// The highest priority of a run; the lowest is as far below zero.
pub const PRIORITY_MAX: i32 = 1_000;
/// What a run may take over from the run it repeats, in bytes of its text. Its creation holds it all.
pub const REUSED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// `max_visits` of an edge that jumps back.
pub const VISIT_COUNT_MAX: u32 = 10_000;
/// Items a `map` opens in one go.
pub const MAP_BATCH: u32 = 1_000;
/// Events a run may take in one commit before it yields to other runs.
pub const EVENTS_PER_TURN: usize = 1_000;
/// Bytes of values a run may take in one turn, about, before it yields to other runs.
pub const BYTES_PER_TURN: usize = 32 * 1024 * 1024;
/// Events of one run's journal. The run fails with `history_limit` past it.
pub const HISTORY_EVENT_COUNT_MAX: u64 = 4_000_000;

/// `retry.max_attempts`.
pub const ATTEMPT_COUNT_MAX: u32 = 1_000;
/// Attempts of one step that may be lost to crashes before it is given up as a dead letter.
pub const INTERRUPTION_COUNT_MAX: u32 = 50;
/// Longest wait a definition may ask for.
pub const WAIT_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);

/// How long an idempotency key stands for the run that it has created.
pub const KEYS_KEPT: Duration = Duration::from_secs(7 * 86_400);
/// Runs of one `execute-batch`.
pub const BATCH_RUN_COUNT_MAX: usize = 1_000;
/// One log line, in bytes. A longer line is cut, and says so.
pub const LOG_LINE_BYTES_MAX: usize = 16 * 1024;
/// Log lines of one attempt. Further lines are dropped, and a last line says so.
pub const LOG_LINE_COUNT_MAX: u64 = 100_000;

/// Bytes of one attribute of a unit of work, as JSON.
pub const ATTRIBUTE_BYTES_MAX: usize = 1024 * 1024;
/// Attributes of one unit of work.
pub const ATTRIBUTE_COUNT_MAX: usize = 1_000;
/// Notes of what guardians have added for those who took a unit of work, the newest of them.
pub const INJECTION_NOTE_COUNT_MAX: usize = 100;
/// Bytes of what an actor has learned in passing, as JSON. Its key is bounded as a label is.
pub const LEARNED_BYTES_MAX: usize = 64 * 1024;
/// Losses of a unit of work, one after the other, until it is stuck, if its instance names no number
/// of retries.
pub const LOSS_COUNT_DEFAULT: u32 = 50;
/// Units of work in one run: a base with all that it was split into.
pub const UNIT_COUNT_MAX: usize = 10_000;
/// Parts that a unit of work is split into at once.
pub const UNIT_CHILD_COUNT_MAX: usize = 1_000;
