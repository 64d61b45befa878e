use super::Fact;

impl Fact {
    /// Whether it is the end of a run that is driven here.
    pub fn is_end(&self) -> bool {
        matches!(
            self,
            Fact::RunSucceeded { .. } | Fact::RunFailed { .. } | Fact::RunCancelled { .. }
        )
    }

    /// The event's type, as in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Fact::RunCreated(_) => "run_created",
            Fact::RunStarted { .. } => "run_started",
            Fact::RunAdmitted {} => "run_admitted",
            Fact::RunPaused { .. } => "run_paused",
            Fact::RunResumed { .. } => "run_resumed",
            Fact::ChildRequested { .. } => "child_requested",
            Fact::StepQueued { .. } => "step_queued",
            Fact::StepClaimed { .. } => "step_claimed",
            Fact::StepReleased { .. } => "step_released",
            Fact::UnitCreated { .. } => "unit_created",
            Fact::UnitChanged { .. } => "unit_changed",
            Fact::UnitNoted { .. } => "unit_noted",
            Fact::FlowSeen { seen } => seen.name(),
            Fact::TaskSeen { seen, .. } => seen.name(),
            Fact::FlowNamed { .. } => "flow_named",
            Fact::LinesSeen { .. } => "lines_seen",
            Fact::Watched { .. } => "watched",
            Fact::Inferred { .. } => "inferred",
            Fact::Triggered { .. } => "triggered",
            Fact::AttemptStarted { .. } => "attempt_started",
            Fact::AttemptFailed { .. } => "attempt_failed",
            Fact::AttemptInterrupted { .. } => "attempt_interrupted",
            Fact::AttemptQueued { .. } => "attempt_queued",
            Fact::StepWaiting { .. } => "step_waiting",
            Fact::StepAwaiting { .. } => "step_awaiting",
            Fact::StepDecided { .. } => "step_decided",
            Fact::Reminded { .. } => "reminded",
            Fact::SignalReceived { .. } => "signal_received",
            Fact::SignalTaken { .. } => "signal_taken",
            Fact::EventTaken { .. } => "event_taken",
            Fact::StepRecorded { .. } => "step_recorded",
            Fact::StepParked { .. } => "step_parked",
            Fact::StepSucceeded { .. } => "step_succeeded",
            Fact::StepFailed { .. } => "step_failed",
            Fact::StepSkipped { .. } => "step_skipped",
            Fact::StepCancelled { .. } => "step_cancelled",
            Fact::StepMarked { .. } => "step_marked",
            Fact::JumpedBack { .. } => "jumped_back",
            Fact::MapOpened { .. } => "map_opened",
            Fact::LoopOpened { .. } => "loop_opened",
            Fact::TryOpened { .. } => "try_opened",
            Fact::ItemsOpened { .. } => "items_opened",
            Fact::ItemSucceeded { .. } => "item_succeeded",
            Fact::ItemFailed { .. } => "item_failed",
            Fact::ItemCancelled { .. } => "item_cancelled",
            Fact::Stopping { .. } => "stopping",
            Fact::Stopped { .. } => "stopped",
            Fact::RunSucceeded { .. } => "run_succeeded",
            Fact::RunFailed { .. } => "run_failed",
            Fact::RunCancelled { .. } => "run_cancelled",
        }
    }

    /// The step it is about, if it is about one.
    pub fn step(&self) -> Option<&str> {
        match self {
            Fact::StepQueued { path, .. }
            | Fact::StepClaimed { path, .. }
            | Fact::StepReleased { path, .. }
            | Fact::ChildRequested { path, .. }
            | Fact::TaskSeen { path, .. }
            | Fact::AttemptStarted { path, .. }
            | Fact::AttemptFailed { path, .. }
            | Fact::AttemptInterrupted { path, .. }
            | Fact::AttemptQueued { path, .. }
            | Fact::StepWaiting { path, .. }
            | Fact::StepAwaiting { path, .. }
            | Fact::StepDecided { path, .. }
            | Fact::Reminded { path, .. }
            | Fact::EventTaken { path, .. }
            | Fact::StepRecorded { path, .. }
            | Fact::StepParked { path, .. }
            | Fact::StepSucceeded { path, .. }
            | Fact::StepFailed { path, .. }
            | Fact::StepSkipped { path, .. }
            | Fact::StepCancelled { path, .. }
            | Fact::StepMarked { path, .. }
            | Fact::MapOpened { path, .. }
            | Fact::LoopOpened { path, .. }
            | Fact::TryOpened { path, .. } => Some(path),
            _ => None,
        }
    }

    /// The unit of work it is about, if it is about one.
    pub fn unit(&self) -> Option<&str> {
        match self {
            Fact::UnitCreated { path, .. }
            | Fact::UnitChanged { path, .. }
            | Fact::UnitNoted { path, .. } => Some(path),
            _ => None,
        }
    }
}
