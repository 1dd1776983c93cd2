//! The command processor: one lane a partition, each a state machine of its own.

pub mod batch;
pub mod codecs;
pub mod decide;
pub mod intake;
pub mod lane;
pub mod lookup;
pub mod restore;
pub mod state;
pub mod window;
