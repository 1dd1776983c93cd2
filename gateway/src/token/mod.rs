//! What travels in headers and addresses.

mod at;
pub(crate) mod key;
pub(crate) mod position;
pub(crate) mod prefer;
pub(crate) mod resume;

pub(crate) use at::At;
pub(crate) use key::Key;
pub(crate) use position::Positions;
pub(crate) use prefer::Prefer;
pub use resume::ResumeKey;
pub(crate) use resume::{Resume, stream_name};
