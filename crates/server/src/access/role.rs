use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    ToSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, and starts, stops and repairs runs.
    Operator,
    /// Does what an operator does, and changes workflows.
    Editor,
    /// Looks, and answers what waits for an approval.
    Approver,
    /// Does everything, keys and the audit log included.
    Admin,
    /// Makes attempts, and nothing else.
    Worker,
    /// Reports runs that happen elsewhere, and nothing else.
    Ingest,
}

/// What may be done.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    ToSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Look at workflows and runs.
    Read,
    /// Start, stop and repair runs.
    Operate,
    /// Change workflows and try nodes out.
    Edit,
    /// Answer what waits for an approval.
    Approve,
    /// Keys and the audit log.
    Administer,
    /// Make attempts.
    Work,
    /// Report runs that happen elsewhere.
    Ingest,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 7] = [
        Role::Viewer,
        Role::Operator,
        Role::Editor,
        Role::Approver,
        Role::Admin,
        Role::Worker,
        Role::Ingest,
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Editor => "editor",
            Role::Approver => "approver",
            Role::Admin => "admin",
            Role::Worker => "worker",
            Role::Ingest => "ingest",
        }
    }

    /// The role of a word, whatever its case: other systems write `ADMIN`.
    pub fn parse(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(word))
    }

    /// Whether who has it may do this.
    pub fn may(self, permission: Permission) -> bool {
        use Permission::{Approve, Edit, Ingest, Operate, Read, Work};
        match self {
            Role::Viewer => matches!(permission, Read),
            Role::Operator => matches!(permission, Read | Operate),
            Role::Editor => matches!(permission, Read | Operate | Edit),
            Role::Approver => matches!(permission, Read | Approve),
            Role::Admin => true,
            Role::Worker => matches!(permission, Work),
            Role::Ingest => matches!(permission, Ingest),
        }
    }
}

impl Permission {
    /// All of them.
    pub const ALL: [Permission; 7] = [
        Permission::Read,
        Permission::Operate,
        Permission::Edit,
        Permission::Approve,
        Permission::Administer,
        Permission::Work,
        Permission::Ingest,
    ];

    /// The permission of a word.
    pub fn parse(word: &str) -> Option<Permission> {
        Permission::ALL.into_iter().find(|permission| permission.as_str() == word)
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::Operate => "operate",
            Permission::Edit => "edit",
            Permission::Approve => "approve",
            Permission::Administer => "administer",
            Permission::Work => "work",
            Permission::Ingest => "ingest",
        }
    }
}
