//! Taking rows apart.

use std::str::FromStr;

use uuid::Uuid;
use windlass_core::Time;

use super::Row;
use crate::error::StoreError;

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

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged(format!("column {} of a row {what}", self.next))
    }
}

/// Keeps one row more than asked for out of a list, and says whether it was there.
pub(super) fn page<T>(mut items: Vec<T>, limit: usize) -> crate::rows::Page<T> {
    let has_more = items.len() > limit;
    items.truncate(limit);
    crate::rows::Page { items, has_more }
}
