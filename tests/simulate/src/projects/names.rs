//! What users, teams and projects are called, so that domains beside each other speak of the same ones.

use millrace_kernel::Text;

/// The user of this number, as identity knows them.
#[must_use]
pub fn user(n: usize) -> Text {
    crate::identity::user(n).as_str().into()
}

/// The team of this number.
#[must_use]
pub fn team(n: usize) -> Text {
    format!("team-{n}").as_str().into()
}

/// The project of this number.
#[must_use]
pub fn project(n: usize) -> Text {
    format!("project-{n}").as_str().into()
}
