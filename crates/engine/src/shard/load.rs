//! Bringing runs back to memory: because somebody asks, because a timer fires, because their owner
//! is gone, or because a commit failed and memory can no longer be believed.

use std::time::Duration;

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::{Effect, What};
use windlass_store::{Message, StoreError, TimerRow};

use super::Shard;
use super::live::{LiveRun, RowSays};
use super::messages::{Answer, Ask, Command, Create, Found, LoadedRun, Output, Report};
use super::observe::Observe;
use super::tokens::all_tasks;

/// The first wait after a failed commit; it doubles with each further one.
const TROUBLE_DELAY: Duration = Duration::from_millis(100);
const TROUBLE_DELAY_MAX: Duration = Duration::from_secs(5);

/// A run that is to be brought to memory.
#[derive(Debug)]
pub(super) struct Loading<T> {
    is_requested: bool,
    /// Whether it must come back, however often reading fails.
    must: bool,
    /// What it will be told.
    pub(super) held: Vec<Held<T>>,
}

#[derive(Debug)]
pub(super) enum Held<T> {
    Command(Command, T),
    Timer(String),
    Tell(What),
    Message(Message),
    /// A step of another run has asked for the run. Whether it exists already, the store knows.
    Create(Box<Create<T>>),
    /// Another program has said something of the run. If it does not exist, it begins.
    Observe(Box<Observe<T>>),
    Report {
        path: String,
        attempt: u32,
        report: Report,
    },
}

/// Commits fail. Until `until` nothing is tried; then the next commit shows whether it is over. The
/// wait doubles until one has succeeded.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    pub(super) until: Option<Time>,
    delay: Duration,
}

impl<T> Shard<T> {
    /// Keeps something for a run until it is in memory, and has it brought there.
    pub(super) fn hold(&mut self, run_id: Uuid, held: Held<T>, out: &mut Vec<Output<T>>) {
        let loading = self.loading.entry(run_id).or_insert_with(|| Loading {
            is_requested: false,
            must: false,
            held: Vec::new(),
        });
        loading.held.push(held);
        self.request(run_id, out);
    }

    pub(super) fn adopt(&mut self, run_id: Uuid, out: &mut Vec<Output<T>>) {
        if self.live.contains_key(&run_id) {
            return;
        }
        self.reload_later(run_id);
        self.request(run_id, out);
    }

    /// Notes that a run must come back to memory once commits work again.
    pub(super) fn reload_later(&mut self, run_id: Uuid) {
        let loading = self.loading.entry(run_id).or_insert_with(|| Loading {
            is_requested: false,
            must: true,
            held: Vec::new(),
        });
        loading.must = true;
    }

    pub(super) fn request(&mut self, run_id: Uuid, out: &mut Vec<Output<T>>) {
        if self.trouble.until.is_some() {
            return;
        }
        if let Some(loading) = self.loading.get_mut(&run_id)
            && !loading.is_requested
        {
            loading.is_requested = true;
            out.push(Output::Load { run_id });
        }
    }

    pub(super) fn loaded(
        &mut self,
        now: Time,
        run_id: Uuid,
        found: Result<Found, StoreError>,
        out: &mut Vec<Output<T>>,
    ) {
        let Some(mut loading) = self.loading.remove(&run_id) else { return };
        match found {
            Ok(Found::Run(run)) => self.bring_back(now, run_id, *run, loading.held, out),
            Ok(Found::Nothing) => self.begin_or_return(now, loading.held, out),
            Ok(Found::Broken(message)) => {
                tracing::error!(run.id = %run_id, %message, "a run cannot be brought back");
                answer_all(loading.held, &Answer::Broken(message), out);
            }
            Err(error) => {
                let is_awaited =
                    |held: &Held<T>| matches!(held, Held::Command(..) | Held::Observe(_));
                let (commands, rest) = loading.held.into_iter().partition(is_awaited);
                answer_all(commands, &Answer::Unavailable(error.to_string()), out);
                loading.held = rest;
                if loading.must || !loading.held.is_empty() {
                    loading.is_requested = false;
                    self.loading.insert(run_id, loading);
                    self.deepen_trouble(now);
                }
            }
        }
    }

    fn bring_back(
        &mut self,
        now: Time,
        run_id: Uuid,
        loaded: LoadedRun,
        held: Vec<Held<T>>,
        out: &mut Vec<Output<T>>,
    ) {
        let seqs = (loaded.last_seq, loaded.last_log_seq);
        let mut run = LiveRun::new(loaded.state, loaded.plan, loaded.project, seqs);
        run.has_snapshot = loaded.has_snapshot;
        run.bytes = loaded.bytes;
        if !loaded.is_orphan {
            run.row = Some(RowSays::of(&run.state));
        }
        out.extend(Ask::of(&run.state).map(Output::Ask));
        let tasks = all_tasks(&run.project, &run.state);
        if !tasks.is_empty() {
            out.push(Output::Tasks(tasks));
        }
        if run.state.created.held && run.state.status.is_terminal() {
            // The commit of its end may have been reported lost, and then nobody was told.
            out.push(Output::Over { run_id });
        }
        if let Some(due_at) = run.state.deadline().filter(|_| run.state.pause().is_none()) {
            // Whoever wakes only this run has not read the timers of all.
            out.push(Output::Timer(TimerRow { due_at, run_id, path: String::new() }));
        }
        let is_open = !run.state.status.is_terminal() && !run.state.is_parked();
        self.live.insert(run_id, run);
        if loaded.is_orphan && is_open {
            // The next commit makes it ours, even if nothing else is to be written.
            self.touch(now, run_id, true);
        }
        self.recover_attempts(now, run_id);
        self.go_on(now, run_id);
        self.tell_held(now, run_id, held, out);
        self.let_go_if_idle(now, run_id);
    }

    /// Tells a run in memory what was kept for it.
    fn tell_held(&mut self, now: Time, run_id: Uuid, held: Vec<Held<T>>, out: &mut Vec<Output<T>>) {
        for held in held {
            match held {
                // It was asked for twice, and is there.
                Held::Create(create) => self.throw_away(now, create.message),
                Held::Command(command, ticket) => self.command(now, run_id, command, ticket, out),
                Held::Observe(observe) => self.observe(now, *observe, out),
                Held::Timer(path) => self.timer(now, run_id, path, out),
                Held::Tell(what) => self.tell(now, run_id, what, out),
                Held::Message(message) => self.message(now, message, out),
                Held::Report { path, attempt, report } => {
                    self.report(now, run_id, path, attempt, report);
                }
            }
        }
    }

    /// The run does not exist. If a step has asked for it, it begins now.
    fn begin_or_return(&mut self, now: Time, held: Vec<Held<T>>, out: &mut Vec<Output<T>>) {
        let spoken_of = held.iter().find_map(|held| match held {
            Held::Observe(observe) => Some((observe.run_id, observe.run.clone())),
            _ => None,
        });
        if let Some((run_id, run)) = spoken_of {
            if !self.live.contains_key(&run_id)
                && let Err(refused) = self.begin_observed(now, run_id, &run)
            {
                return answer_all(held, &Answer::Refused(refused), out);
            }
            return self.tell_held(now, run_id, held, out);
        }
        let (mut orders, mut rest) = (Vec::new(), Vec::new());
        for held in held {
            match held {
                Held::Create(create) => orders.push(*create),
                held => rest.push(held),
            }
        }
        let Some(create) = orders.pop() else {
            self.return_to_sender(now, &rest);
            return answer_all(rest, &Answer::NoSuchRun, out);
        };
        let run_id = create.request.run_id;
        self.create_now(now, create, out);
        if self.live.contains_key(&run_id) {
            self.tell_held(now, run_id, rest, out);
        } else {
            answer_all(rest, &Answer::NoSuchRun, out);
        }
    }

    /// Attempts that the state still owes and nobody in this process is making are lost.
    fn recover_attempts(&mut self, now: Time, run_id: Uuid) {
        let moment = self.moment(now);
        let Some(run) = self.live.get_mut(&run_id) else { return };
        let owed: Vec<Effect> = run.state.outstanding().collect();
        let mut has_changed = false;
        for effect in owed {
            let Effect::MakeAttempt { path, attempt } = effect else { continue };
            if self.flying.contains(&(run_id, path.clone(), attempt)) {
                continue;
            }
            let lost = What::AttemptLost { path: path.clone(), attempt };
            match run.take(moment, lost) {
                // It was never released, so it is not lost: it is simply to be made.
                Ok(0) => run.pending.effects.push(Effect::MakeAttempt { path, attempt }),
                Ok(_) => {}
                Err(_) => continue,
            }
            has_changed = true;
        }
        if has_changed {
            self.touch(now, run_id, true);
        }
    }

    pub(super) fn deepen_trouble(&mut self, now: Time) {
        let delay = (self.trouble.delay * 2).clamp(TROUBLE_DELAY, TROUBLE_DELAY_MAX);
        self.trouble = Trouble { until: Some(now.plus(delay)), delay };
    }

    /// Once the wait is over, asks for the runs that have to come back.
    pub(super) fn mind_trouble(&mut self, now: Time, out: &mut Vec<Output<T>>) {
        match self.trouble.until {
            Some(until) if until > now => return,
            Some(_) => self.trouble.until = None,
            None => return,
        }
        self.request_the_rest(out);
    }

    /// Asks for every run that has to come back and was not asked for during the trouble.
    pub(super) fn request_the_rest(&mut self, out: &mut Vec<Output<T>>) {
        let waiting: Vec<Uuid> = self
            .loading
            .iter()
            .filter(|(_, loading)| !loading.is_requested)
            .map(|(run_id, _)| *run_id)
            .collect();
        for run_id in waiting {
            self.request(run_id, out);
        }
    }
}

fn answer_all<T>(held: Vec<Held<T>>, answer: &Answer, out: &mut Vec<Output<T>>) {
    for held in held {
        match held {
            Held::Command(_, ticket) => out.push(Output::Answer(ticket, answer.clone())),
            Held::Observe(observe) => out.push(Output::Answer(observe.ticket, answer.clone())),
            _ => {}
        }
    }
}
