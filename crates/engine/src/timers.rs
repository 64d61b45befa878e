//! Timers: what is due soon, in memory; everything else stays in the store.
//!
//! The rows are the truth. What is in memory here is a window onto them that is loaded again and
//! again, so a timer that was missed fires with the next look. Firing twice is harmless: a run
//! refuses what it does not wait for.

use std::collections::BTreeSet;
use std::time::Duration;

use windlass_core::Time;
use windlass_store::TimerRow;

/// How far ahead the window reaches.
const WINDOW: Duration = Duration::from_secs(60);
/// How often it is loaded again.
const RELOAD_EVERY: Duration = Duration::from_secs(20);
/// Timers in memory, at most. With more, the window reaches less far.
const TIMER_COUNT_MAX: usize = 10_000;

/// What is due soon.
#[derive(Debug, Default)]
pub struct Timers {
    soon: BTreeSet<TimerRow>,
    /// Every timer due until then is in memory. `None` before the first look.
    horizon: Option<Time>,
    next_load: Option<Time>,
    /// How far the look reaches that is under way. It may miss what is set meanwhile.
    loading: Option<Time>,
}

/// What the timers want done.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Tell the run that its time has come.
    Fire(TimerRow),
    /// Read the timers due until a time, the earliest first, and answer with [`Timers::loaded`].
    Load {
        /// Until when.
        until: Time,
        /// How many, at most.
        limit: usize,
    },
}

impl Timers {
    /// A timer has been set, durably.
    pub fn set(&mut self, timer: TimerRow) {
        let reach = self.horizon.into_iter().chain(self.loading).max();
        if reach.is_some_and(|reach| timer.due_at <= reach) {
            self.soon.insert(timer);
            self.stay_small();
        }
    }

    /// What is to be done now.
    pub fn tick(&mut self, now: Time) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        while self.soon.first().is_some_and(|timer| timer.due_at <= now) {
            wanted.extend(self.soon.pop_first().map(Wanted::Fire));
        }
        if self.loading.is_none() && self.next_load.is_none_or(|next| next <= now) {
            let until = now.plus(WINDOW);
            self.loading = Some(until);
            wanted.push(Wanted::Load { until, limit: TIMER_COUNT_MAX });
        }
        wanted
    }

    /// What was found; `None` if the store could not be read, which is tried again soon.
    pub fn loaded(&mut self, now: Time, until: Time, found: Option<Vec<TimerRow>>) {
        self.loading = None;
        let Some(found) = found else {
            self.next_load = Some(now.plus(Duration::from_secs(1)));
            return;
        };
        let reaches = match found.last() {
            Some(last) if found.len() >= TIMER_COUNT_MAX => last.due_at,
            _ => until,
        };
        // A full window is used up before its time; then it is loaded as soon as it is empty.
        let reload = now.plus(RELOAD_EVERY);
        self.next_load = Some(if reaches < until { reaches.min(reload).max(now) } else { reload });
        self.horizon = Some(reaches);
        self.soon.extend(found);
        self.stay_small();
    }

    /// When the next [`Timers::tick`] has something to do.
    pub fn next_due(&self) -> Option<Time> {
        let load = if self.loading.is_some() { None } else { self.next_load };
        self.soon.first().map(|timer| timer.due_at).into_iter().chain(load).min()
    }

    fn stay_small(&mut self) {
        while self.soon.len() > 2 * TIMER_COUNT_MAX {
            if let Some(last) = self.soon.pop_last() {
                self.horizon = self.soon.last().map(|timer| timer.due_at).or(Some(last.due_at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn timer(due: i64) -> TimerRow {
        TimerRow { due_at: at(due), run_id: Uuid::nil(), path: format!("at {due}") }
    }

    fn fired(wanted: &[Wanted]) -> Vec<Time> {
        let due = wanted.iter().filter_map(|one| match one {
            Wanted::Fire(timer) => Some(timer.due_at),
            Wanted::Load { .. } => None,
        });
        due.collect()
    }

    #[test]
    fn timers_fire_in_time_and_the_window_moves_on() {
        let mut timers = Timers::default();
        timers.set(timer(3));
        let limit = TIMER_COUNT_MAX;
        assert_eq!(timers.tick(at(0)), [Wanted::Load { until: at(60), limit }]);
        assert_eq!(timers.tick(at(0)), [], "one look at a time");
        timers.loaded(at(0), at(60), Some(vec![timer(5), timer(40)]));
        timers.set(timer(7));
        timers.set(timer(7_000));
        assert_eq!(timers.next_due(), Some(at(5)));
        assert_eq!(fired(&timers.tick(at(4))), []);
        assert_eq!(fired(&timers.tick(at(8))), [at(5), at(7)]);
        let wanted = timers.tick(at(20));
        assert_eq!(wanted, [Wanted::Load { until: at(80), limit }]);
        timers.loaded(at(20), at(80), Some(vec![timer(5), timer(40)]));
        assert_eq!(fired(&timers.tick(at(20))), [at(5)], "what is still there fires again");
    }

    #[test]
    fn what_is_set_during_a_look_is_not_missed() {
        let mut timers = Timers::default();
        timers.tick(at(0));
        timers.set(timer(5));
        timers.loaded(at(0), at(60), Some(vec![]));
        assert_eq!(fired(&timers.tick(at(5))), [at(5)]);
    }

    #[test]
    fn a_store_that_cannot_be_read_is_asked_again() {
        let mut timers = Timers::default();
        timers.tick(at(0));
        timers.loaded(at(0), at(60), None);
        assert_eq!(timers.next_due(), Some(at(1)));
        assert_eq!(timers.tick(at(1)).len(), 1);
    }

    #[test]
    fn a_crowd_is_taken_in_portions() {
        let mut timers = Timers::default();
        timers.tick(at(0));
        let crowd: Vec<TimerRow> = (0..TIMER_COUNT_MAX)
            .map(|n| TimerRow { path: format!("{n:05}"), ..timer(1 + n as i64 / 1_000) })
            .collect();
        timers.loaded(at(0), at(60), Some(crowd));
        timers.set(timer(30));
        assert_eq!(timers.next_due(), Some(at(1)), "beyond the horizon nothing is taken");
        let wanted = timers.tick(at(10));
        assert_eq!(fired(&wanted).len(), TIMER_COUNT_MAX);
        assert!(matches!(wanted.last(), Some(Wanted::Load { .. })), "and at once the next portion");
    }
}
