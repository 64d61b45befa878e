//! Following one run: everything it says, in order, without gap or double, wherever one begins.
//!
//! The feed is a hint. What does not join onto what was said last is read from the store.

use std::sync::Arc;

use futures_util::FutureExt;
use uuid::Uuid;
use windlass_core::run::Fact;
use windlass_engine::{LiveNote, LiveSubscription, News, Subscription};
use windlass_store::{LogFilter, LogRow, NumberedEvent, StoreError};

use crate::api::run::RunBody;
use crate::app::App;
use crate::app::is_down;
use crate::http::paging::PAGE_BYTES_MAX;

/// Events or lines read from the store in one go.
const PORTION: usize = 500;
/// Notes of attempts that are passed on before what is durable has its turn.
const LIVE_IN_A_ROW_MAX: u32 = 64;

/// A place in a run's story, and what comes next.
#[derive(Debug)]
pub struct Follower {
    app: Arc<App>,
    run_id: Uuid,
    feed: Subscription,
    /// The last event that was passed on.
    seq: u64,
    /// The last line that was passed on; `None` for a follower that wants no lines.
    log_seq: Option<u64>,
    /// What happens in attempts; `None` for a follower that does not want to know.
    live: Option<LiveSubscription>,
    /// How many notes of it were passed on since it was last looked whether there is anything else.
    live_in_a_row: u32,
    has_looked: bool,
    is_over: bool,
}

/// What comes next.
#[derive(Debug, Default)]
pub struct Portion {
    /// Events, in order.
    pub events: Vec<NumberedEvent>,
    /// Log lines, in order.
    pub logs: Vec<LogRow>,
    /// What happens in an attempt, and is kept nowhere.
    pub live: Option<Arc<LiveNote>>,
}

/// Something durable that a run has said.
#[derive(Debug)]
pub enum Told {
    /// An event.
    Event(NumberedEvent),
    /// A log line.
    Line(LogRow),
}

impl Portion {
    /// Events and lines as they happened: what a step has said stands behind its beginning.
    pub fn told(self) -> Vec<Told> {
        let mut told = Vec::with_capacity(self.events.len() + self.logs.len());
        let mut lines = self.logs.into_iter().peekable();
        for event in self.events {
            let happened_at = match &event.event.fact {
                // Another program's run may have begun before it was heard of.
                Fact::RunCreated(_) => None,
                Fact::FlowSeen { seen } => Some(seen.at),
                Fact::TaskSeen { seen, .. } => Some(seen.at),
                _ => Some(event.event.at),
            };
            while let Some(line) =
                lines.next_if(|line| happened_at.is_some_and(|happened_at| line.at < happened_at))
            {
                told.push(Told::Line(line));
            }
            told.push(Told::Event(event));
        }
        told.extend(lines.map(Told::Line));
        told
    }

    /// Whether nothing of it is durable.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.logs.is_empty()
    }
}

/// Whether nothing follows this event.
pub fn is_last(event: &NumberedEvent) -> bool {
    let fact = &event.event.fact;
    matches!(fact, Fact::RunSucceeded { .. } | Fact::RunFailed { .. } | Fact::RunCancelled { .. })
}

impl Follower {
    /// Follows a run from now on. Nothing that becomes durable after this call is missed.
    pub fn new(app: Arc<App>, run_id: Uuid) -> Follower {
        let feed = app.engine.feed().subscribe(run_id);
        Follower {
            app,
            run_id,
            feed,
            seq: 0,
            log_seq: None,
            live: None,
            live_in_a_row: 0,
            has_looked: false,
            is_over: false,
        }
    }

    /// The same from behind an event on.
    pub fn after(mut self, seq: u64) -> Follower {
        self.seq = seq;
        self
    }

    /// The same with log lines, from behind a line on.
    pub fn with_logs_after(mut self, log_seq: u64) -> Follower {
        self.log_seq = Some(log_seq);
        self
    }

    /// The same with what happens in attempts, from what is being said just now on.
    pub fn with_live(mut self) -> Follower {
        self.live = Some(self.app.engine.live().subscribe(self.run_id));
        self
    }

    /// Whether the run is over and everything was said.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The run as it has ended; `None` while it has not, or somebody spoke of it again. That another
    /// program's run is over need not be among its events: it may follow from its tasks, or its silence.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub async fn end(&self) -> Result<Option<RunBody>, StoreError> {
        if !self.is_over {
            return Ok(None);
        }
        let run_id = self.run_id;
        let read = move |store: &dyn windlass_store::Store| {
            let overview = store.overview(run_id, 0)?;
            let row = overview.map(|found| found.row).filter(|row| row.status.is_terminal());
            row.map(|row| RunBody::read(store, row)).transpose()
        };
        self.app.engine.read(read).await
    }

    /// What comes next; `None` once the run is over and everything was said, or the server goes
    /// down.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub async fn next(&mut self) -> Result<Option<Portion>, StoreError> {
        let mut going_down = self.app.going_down.clone();
        loop {
            if !self.has_looked {
                let (portion, is_over) = self.read().await?;
                if !portion.is_empty() {
                    return Ok(Some(self.pass_on(portion)));
                }
                self.has_looked = true;
                self.is_over |= is_over;
            }
            if self.is_over {
                return Ok(None);
            }
            let mut news = None;
            if self.live_in_a_row >= LIVE_IN_A_ROW_MAX {
                self.live_in_a_row = 0;
                news = self.feed.next().now_or_never();
            }
            let has_news = news.is_some();
            let live = async {
                match &mut self.live {
                    Some(live) => live.next().await,
                    None => std::future::pending().await,
                }
            };
            let next = async {
                match news {
                    Some(news) => news,
                    None => self.feed.next().await,
                }
            };
            let news = tokio::select! {
                // What an attempt says comes before its end.
                biased;
                note = live, if !has_news => {
                    self.live_in_a_row += 1;
                    return Ok(Some(Portion { live: Some(note), ..Portion::default() }));
                }
                news = next => news,
                () = is_down(&mut going_down) => return Ok(None),
            };
            let News::Published(published) = news else {
                self.has_looked = false;
                continue;
            };
            let portion = Portion {
                events: behind(&published.events, self.seq, |event| event.seq),
                logs: match self.log_seq {
                    Some(log_seq) => behind(&published.logs, log_seq, |line| line.log_seq),
                    None => Vec::new(),
                },
                live: None,
            };
            if !self.joins(&portion) {
                self.has_looked = false;
            } else if portion.is_empty() {
                // Who began behind the end has heard everything.
                self.is_over |= published.is_over;
            } else {
                let portion = self.pass_on(portion);
                // No event of another program's run says by itself that it is over.
                self.has_looked = self.is_over || !published.is_over;
                return Ok(Some(portion));
            }
        }
    }

    /// What the store has behind what was said and, if that is nothing, whether it ever will.
    async fn read(&self) -> Result<(Portion, bool), StoreError> {
        let (run_id, seq, log_seq) = (self.run_id, self.seq, self.log_seq);
        let read = move |store: &dyn windlass_store::Store| {
            let events = store.events(run_id, seq, PORTION, PAGE_BYTES_MAX)?.items;
            let logs = match log_seq {
                Some(after) => store.logs(run_id, after, &LogFilter::default(), PORTION)?.items,
                None => Vec::new(),
            };
            let portion = Portion { events, logs, live: None };
            let is_over = portion.is_empty()
                && store.overview(run_id, 0)?.is_none_or(|overview| {
                    overview.row.status.is_terminal() && overview.row.last_seq <= seq
                });
            Ok((portion, is_over))
        };
        self.app.engine.read(read).await
    }

    fn joins(&self, portion: &Portion) -> bool {
        let first_event = portion.events.first().map(|event| event.seq);
        let first_line = portion.logs.first().map(|line| line.log_seq);
        first_event.is_none_or(|first| first == self.seq + 1)
            && first_line.is_none_or(|first| Some(first) == self.log_seq.map(|last| last + 1))
    }

    fn pass_on(&mut self, portion: Portion) -> Portion {
        if let Some(last) = portion.events.last() {
            self.seq = last.seq;
            self.is_over |= is_last(last);
        }
        if let Some(last) = portion.logs.last() {
            self.log_seq = Some(last.log_seq);
        }
        portion
    }
}

fn behind<T: Clone>(items: &[T], last: u64, number: impl Fn(&T) -> u64) -> Vec<T> {
    items.iter().filter(|item| number(item) > last).cloned().collect()
}
