//! The sweep: runs whose server is gone are found and taken over, page by page, for as long as this
//! one lives. The start is only the first time.

use std::time::Duration;

use uuid::Uuid;
use windlass_core::Time;

/// How often the store is looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Runs taken over in one go.
const PAGE: usize = 256;

/// Where the sweep stands.
#[derive(Debug, Default)]
pub struct Sweeper {
    after: Option<Uuid>,
    next: Option<Time>,
    is_looking: bool,
}

/// A page to be read: orphans behind an id. Answer with [`Sweeper::found`].
#[derive(Debug, PartialEq, Eq)]
pub struct Look {
    /// Behind this run.
    pub after: Option<Uuid>,
    /// How many, at most.
    pub limit: usize,
}

impl Sweeper {
    /// The page to read now, if it is time.
    pub fn tick(&mut self, now: Time) -> Option<Look> {
        if self.is_looking || self.next.is_some_and(|next| next > now) {
            return None;
        }
        self.is_looking = true;
        Some(Look { after: self.after, limit: PAGE })
    }

    /// What the page held; `None` if it could not be read. The runs are to be adopted.
    pub fn found(&mut self, now: Time, page: Option<&[Uuid]>) {
        self.is_looking = false;
        match page {
            Some(page) if page.len() >= PAGE => {
                self.after = page.last().copied();
                // A breath, so that the runs just found are not starved by those to come.
                self.next = Some(now.plus(Duration::from_millis(20)));
            }
            Some(_) => {
                self.after = None;
                self.next = Some(now.plus(SWEEP_EVERY));
            }
            None => self.next = Some(now.plus(Duration::from_secs(1))),
        }
    }

    /// When the next page is due.
    pub fn next_due(&self) -> Option<Time> {
        if self.is_looking { None } else { Some(self.next.unwrap_or(Time::from_micros(0))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_and_the_sweep_begins_again() {
        let at = |millis: i64| Time::from_micros(millis * 1_000);
        let mut sweeper = Sweeper::default();
        assert_eq!(sweeper.tick(at(0)), Some(Look { after: None, limit: PAGE }));
        assert_eq!(sweeper.tick(at(0)), None, "one page at a time");
        let page: Vec<Uuid> = (1..=PAGE as u128).map(Uuid::from_u128).collect();
        sweeper.found(at(0), Some(&page));
        assert_eq!(sweeper.tick(at(0)), None);
        let after = Some(Uuid::from_u128(PAGE as u128));
        assert_eq!(sweeper.tick(at(20)), Some(Look { after, limit: PAGE }));
        sweeper.found(at(20), Some(&page[..1]));
        assert_eq!(sweeper.next_due(), Some(at(10_020)));
        assert_eq!(sweeper.tick(at(10_020)), Some(Look { after: None, limit: PAGE }));
        sweeper.found(at(10_020), None);
        assert_eq!(sweeper.next_due(), Some(at(11_020)));
    }
}
