/// Why a store did not do what it was asked, by what the caller has to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written. Trying again later may help: the disk is full, a read took too long.
    #[error("the store cannot be used now: {0}")]
    Unavailable(String),
    /// Nobody knows whether it was written. Whatever it concerned has to be read again.
    #[error("nobody knows whether it was written: {0}")]
    OutcomeUnknown(String),
    /// Another process has taken over. This one must write nothing more.
    #[error("another server owns this store now")]
    Fenced,
    /// What was read makes no sense. A person has to look at it.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The store cannot be opened as it is.
    #[error("{0}")]
    CannotOpen(String),
}
