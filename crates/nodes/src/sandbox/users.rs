use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Users that belong to nobody, lent to one attempt at a time. They need no entry anywhere: a number
/// is enough for the kernel.
#[derive(Clone, Debug)]
pub(super) struct Users {
    first: u32,
    lent: Arc<Mutex<BTreeSet<u32>>>,
}

/// A user that is lent until this is dropped.
#[derive(Debug)]
pub(crate) struct Lent {
    number: u32,
    users: Users,
}

impl Users {
    pub(super) fn from(first: u32) -> Users {
        Users { first, lent: Arc::default() }
    }

    /// The group of all of them.
    pub(super) fn group(&self) -> u32 {
        self.first
    }

    /// The smallest number that nobody has.
    pub(super) fn lend(&self) -> Lent {
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = |number: &u32| lent.contains(number);
        let number = (self.first..u32::MAX - 1).find(|number| !taken(number)).unwrap_or(self.first);
        lent.insert(number);
        Lent { number, users: self.clone() }
    }
}

impl Lent {
    /// The user's number.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The group of all these users. What it may write, every step may.
    pub(super) fn group(&self) -> u32 {
        self.users.group()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut lent = self.users.lent.lock().unwrap_or_else(PoisonError::into_inner);
        lent.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_lent_to_one_at_a_time() {
        let users = Users::from(100);
        let (a, b) = (users.lend(), users.lend());
        assert_eq!((a.number(), b.number(), b.group()), (100, 101, 100));
        drop(a);
        assert_eq!(users.lend().number(), 100);
    }
}
