//! The view store in SQLite files, for one machine.
