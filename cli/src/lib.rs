//! The millrace binary, and as a library the one place where domains and adapters meet.
