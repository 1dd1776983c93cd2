//! Reading a view: its key as people write it, its rows page by page, and what they are as JSON.

mod cursor;
mod key;
pub(crate) mod neighbours;
mod page;
mod permit;
mod progress;
mod row;

pub(crate) use cursor::{read as read_cursor, write as write_cursor};
pub use key::{KeyProblem, key};
pub(crate) use neighbours::{Neighbours, Tables, check as check_neighbours};
pub use page::{From, read};
pub(crate) use permit::Permit;
pub(crate) use progress::{Awaited, Watch, blocking};
pub use row::{Longs, columns, row};
