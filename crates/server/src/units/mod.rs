//! Instances, their roles and their actors, as every surface needs them: the API, the facades, the
//! pages.

pub(crate) mod actor;
pub(crate) mod assign;
pub(crate) mod create;
pub(crate) mod instance;
pub(crate) mod known;
pub(crate) mod memory;
pub(crate) mod pilot;
pub(crate) mod status;
pub(crate) mod story;

pub(crate) use instance::{Instance, RoleOf};
