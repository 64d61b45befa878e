//! What all endpoints and pages share: problems, bodies, paging, who may ask, listening.

pub mod accept;
pub mod body;
pub mod cors;
pub mod deprecation;
pub mod etag;
pub mod guard;
pub mod key;
pub mod listen;
pub mod observe;
pub mod paging;
pub mod prefer;
pub mod problem;
pub mod router;
pub mod socket;

pub use body::Body;
pub use problem::{Problem, ProblemResponses};
