//! Space that is free in the file, and how the file gets smaller.
//!
//! Pages of what was deleted are used again. In quiet moments, those beyond a share are given back: the
//! last pages of the file move into free places, a few at a time, and the file ends earlier. A database
//! that was made before this was possible is written anew once: by whoever opens it if that takes a
//! second, and by [`SqliteOptions::compact`](super::SqliteOptions::compact) if it is larger.

use std::time::{Duration, Instant};

use super::connection::SqliteConnection;
use super::errors::on_statement;
use crate::error::StoreError;

/// Pages that stay free, at least, for what is written next: 4 MiB.
const FREE_PAGES_MIN: i64 = 1_024;
/// The share of the file that stays free, at least: who deletes as much as is written would otherwise
/// move every page that is written.
const FREE_SHARE: i64 = 16;

/// Pages that are moved between two looks at the clock.
const PAGES_A_STEP: u32 = 64;
/// How long pages are moved at once: commits wait for it, and then for one sync.
const TIME_MAX: Duration = Duration::from_millis(20);

/// A database that is at most so large is written anew when it is opened: 128 MiB.
const REWRITTEN_BYTES_MAX: i64 = 128 * 1024 * 1024;

impl SqliteConnection {
    /// Gives back some of the free pages. Answers whether there are more to give back.
    pub(super) fn give_back(&self) -> Result<bool, StoreError> {
        let has_more = || Ok(self.free_pages()? > self.free_pages_kept()?);
        if !has_more().map_err(on_statement)? || !self.gives_back().map_err(on_statement)? {
            return Ok(false);
        }
        self.begin(rusqlite::TransactionBehavior::Immediate).map_err(on_statement)?;
        let begin = Instant::now();
        let moved = loop {
            match self.move_pages(PAGES_A_STEP).and_then(|()| has_more()) {
                Ok(true) if begin.elapsed() < TIME_MAX => {}
                result => break result,
            }
        };
        let moved = moved.and_then(|has_more| self.commit().map(|()| has_more));
        if moved.is_err() {
            self.roll_back();
        }
        Ok(moved.map_err(on_statement)?)
    }

    fn free_pages_kept(&self) -> rusqlite::Result<i64> {
        Ok(FREE_PAGES_MIN.max(self.number("PRAGMA page_count")? / FREE_SHARE))
    }

    fn free_pages(&self) -> rusqlite::Result<i64> {
        self.number("PRAGMA freelist_count")
    }

    fn gives_back(&self) -> rusqlite::Result<bool> {
        Ok(self.number("PRAGMA auto_vacuum")? == 2)
    }

    /// Writes a database anew that cannot give anything back, if it is small.
    pub(super) fn make_small(&self) -> rusqlite::Result<()> {
        if self.gives_back()? {
            return Ok(());
        }
        let bytes = self.number("PRAGMA page_count")? * self.number("PRAGMA page_size")?;
        if bytes > REWRITTEN_BYTES_MAX {
            tracing::info!(bytes, "the database file does not get smaller until it is compacted");
            return Ok(());
        }
        self.rewrite()
    }

    /// Writes the whole database anew, as small as it can be.
    pub(super) fn rewrite(&self) -> rusqlite::Result<()> {
        // The copy is as large as the database, and not for memory.
        self.execute("PRAGMA temp_store = FILE")?;
        let rewritten = self.execute("VACUUM");
        self.execute("PRAGMA temp_store = MEMORY")?;
        rewritten?;
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }
}
