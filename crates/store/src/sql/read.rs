//! Taking rows apart.

use std::str::FromStr;

use uuid::Uuid;
use windlass_core::Time;

use super::{Connection, Row, SqlError, Statement, Value};
use crate::error::StoreError;
use crate::rows::{ConcurrencySlot, ParentRun, Pause};

/// Reads the columns of a row from left to right.
pub(super) struct Columns<'a> {
    row: &'a dyn Row,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn of(row: &'a dyn Row) -> Columns<'a> {
        Columns { row, next: 0 }
    }

    pub(super) fn opt_text(&mut self) -> Result<Option<String>, StoreError> {
        self.next += 1;
        self.row.text(self.next - 1)
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        self.opt_text()?.ok_or_else(|| self.damaged("is null"))
    }

    pub(super) fn opt_int(&mut self) -> Result<Option<i64>, StoreError> {
        self.next += 1;
        self.row.int(self.next - 1)
    }

    pub(super) fn int<T: TryFrom<i64>>(&mut self) -> Result<T, StoreError> {
        let value = self.opt_int()?.ok_or_else(|| self.damaged("is null"))?;
        T::try_from(value).map_err(|_| self.damaged("is out of range"))
    }

    pub(super) fn opt_number<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, StoreError> {
        let Some(value) = self.opt_int()? else { return Ok(None) };
        T::try_from(value).map(Some).map_err(|_| self.damaged("is out of range"))
    }

    pub(super) fn time(&mut self) -> Result<Time, StoreError> {
        self.int().map(Time::from_micros)
    }

    pub(super) fn opt_time(&mut self) -> Result<Option<Time>, StoreError> {
        Ok(self.opt_int()?.map(Time::from_micros))
    }

    pub(super) fn id(&mut self) -> Result<Uuid, StoreError> {
        let text = self.text()?;
        Uuid::from_str(&text).map_err(|_| self.damaged("is not an id"))
    }

    pub(super) fn opt_id(&mut self) -> Result<Option<Uuid>, StoreError> {
        let Some(text) = self.opt_text()? else { return Ok(None) };
        Uuid::from_str(&text).map(Some).map_err(|_| self.damaged("is not an id"))
    }

    /// A word of a fixed list.
    pub(super) fn word<T>(&mut self, parse: fn(&str) -> Option<T>) -> Result<T, StoreError> {
        let text = self.text()?;
        parse(&text).ok_or_else(|| self.damaged("is not a known word"))
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        let text = self.text()?;
        serde_json::from_str(&text).map_err(|_| self.damaged("is not the expected JSON"))
    }

    pub(super) fn opt_json<T: serde::de::DeserializeOwned>(
        &mut self,
    ) -> Result<Option<T>, StoreError> {
        let Some(text) = self.opt_text()? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| self.damaged("is not the expected JSON"))
    }

    /// Three columns.
    pub(super) fn parent(&mut self) -> Result<Option<ParentRun>, StoreError> {
        let (run_id, step, depth) = (self.opt_id()?, self.opt_text()?, self.opt_int()?);
        let Some(run_id) = run_id else { return Ok(None) };
        let depth = depth.and_then(|depth| u32::try_from(depth).ok()).unwrap_or(1);
        Ok(Some(ParentRun { run_id, step: step.unwrap_or_default(), depth }))
    }

    /// Two columns.
    pub(super) fn concurrency(&mut self) -> Result<Option<ConcurrencySlot>, StoreError> {
        let (key, limit) = (self.opt_text()?, self.opt_int()?);
        let limit = limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(u32::MAX);
        Ok(key.map(|key| ConcurrencySlot { key, limit }))
    }

    /// Rows of an older version have none.
    pub(super) fn priority(&mut self) -> Result<i32, StoreError> {
        let priority = self.opt_int()?.unwrap_or(0);
        i32::try_from(priority).map_err(|_| self.damaged("is out of range"))
    }

    /// Three columns.
    pub(super) fn pause(&mut self) -> Result<Option<Pause>, StoreError> {
        let (at, by, reason) = (self.opt_time()?, self.opt_text()?, self.opt_text()?);
        Ok(at.map(|at| Pause { at, by: by.unwrap_or_default(), reason }))
    }

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged(format!("column {} of a row {what}", self.next))
    }
}

/// Every row of an answer.
pub(super) fn all<T>(
    connection: &mut impl Connection,
    statement: &Statement,
    values: &[Value<'_>],
    read: fn(&dyn Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, SqlError> {
    let mut found = Vec::new();
    connection.query(statement, values, &mut |row| {
        found.push(read(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// Keeps one row more than asked for out of a list, and says whether it was there.
pub(super) fn page<T>(mut items: Vec<T>, limit: usize) -> crate::rows::Page<T> {
    let has_more = items.len() > limit;
    items.truncate(limit);
    crate::rows::Page { items, has_more }
}
