//! The one switch that stops everything: no run begins, no attempt is made, no timer fires. What is
//! under way may end. It survives restarts.

use serde::{Deserialize, Serialize};
use windlass_core::Time;
use windlass_store::{Store, StoreError};

/// The setting that keeps it.
const SETTING: &str = "halt";

/// Who has stopped everything, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// When.
    pub at: Time,
    /// Who.
    pub by: String,
    /// Why, in their words.
    #[serde(default)]
    pub reason: Option<String>,
}

pub(crate) fn read(store: &dyn Store) -> Result<Option<Halt>, StoreError> {
    let Some(text) = store.setting(SETTING)? else { return Ok(None) };
    let read = serde_json::from_str(&text);
    read.map(Some).map_err(|error| StoreError::Damaged(format!("the setting `{SETTING}`: {error}")))
}

pub(crate) fn write(store: &dyn Store, halt: Option<&Halt>, now: Time) -> Result<(), StoreError> {
    let text = halt.map(|halt| serde_json::to_string(halt).expect("a halt has only text keys"));
    store.set_setting(SETTING, text.as_deref(), now)
}
