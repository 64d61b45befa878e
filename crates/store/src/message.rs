use uuid::Uuid;
use windlass_core::Time;

/// What one run has to tell another. It is kept until the other has taken it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The run it is for.
    pub target: Uuid,
    /// The run it is from.
    pub source: Uuid,
    /// The step it is about.
    pub path: String,
    /// What it says, in a word. A run says each word once to another about a step.
    pub word: String,
    /// What belongs to the word, as JSON.
    pub body: String,
    /// When it was sent.
    pub created_at: Time,
}

impl Message {
    /// What tells it from all other messages.
    pub fn key(&self) -> MessageKey {
        let Message { target, source, path, word, .. } = self;
        MessageKey { target: *target, source: *source, path: path.clone(), word: word.clone() }
    }
}

/// What tells a message from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    /// The run it is for.
    pub target: Uuid,
    /// The run it is from.
    pub source: Uuid,
    /// The step it is about.
    pub path: String,
    /// What it says.
    pub word: String,
}
