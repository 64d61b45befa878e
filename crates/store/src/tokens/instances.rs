use uuid::Uuid;
use windlass_core::Time;

use crate::text::make_safe;

/// A template that units of work move through: its own copy, which later edits never touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceRow {
    /// Its id, a UUIDv7. Its definition has the same.
    pub instance_id: Uuid,
    /// The project it belongs to.
    pub project: String,
    /// What people call it. Several may have the same name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The name of the template it was made from.
    pub template: String,
    /// The template's version.
    pub template_version: u32,
    /// Where it stands.
    pub status: InstanceStatus,
    /// Why it stands there.
    pub reason: Option<String>,
    /// When it was created.
    pub created_at: Time,
    /// Who created it.
    pub created_by: Option<String>,
    /// When its row changed last.
    pub updated_at: Time,
}

/// Where an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceStatus {
    /// Its units of work go on.
    Active,
    /// They stand still.
    Paused,
    /// It takes no more of them.
    Archived,
}

impl InstanceStatus {
    /// All of them.
    pub const ALL: [InstanceStatus; 3] =
        [InstanceStatus::Active, InstanceStatus::Paused, InstanceStatus::Archived];

    /// The word in the store and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            InstanceStatus::Active => "active",
            InstanceStatus::Paused => "paused",
            InstanceStatus::Archived => "archived",
        }
    }

    /// The status of this word.
    pub fn parse(word: &str) -> Option<InstanceStatus> {
        InstanceStatus::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// An instance to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInstance {
    /// Its row.
    pub row: InstanceRow,
    /// Its own definition, in the format `instance`.
    pub definition: String,
    /// A hash of what the definition says.
    pub content_hash: String,
}

/// What an instance's definition is written in.
pub(crate) const FORMAT: &str = "instance";

impl InstanceRow {
    pub(crate) fn safe(mut self) -> InstanceRow {
        make_safe([&mut self.name, &mut self.template]);
        make_safe(
            [&mut self.description, &mut self.reason, &mut self.created_by].into_iter().flatten(),
        );
        self
    }
}
