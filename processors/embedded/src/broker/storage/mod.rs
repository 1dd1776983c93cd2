//! Partitions on disk: segments of raw record batches, their indexes, and what is derived from
//! them. Knows nothing of sockets, groups or transaction coordinators.

pub(crate) mod batch;
pub(crate) mod checkpoint;
pub(crate) mod cleaner;
pub(crate) mod codecs;
pub(crate) mod fault;
pub(crate) mod flusher;
pub(crate) mod halt;
pub(crate) mod index;
pub(crate) mod log;
pub(crate) mod metalog;
pub(crate) mod metastate;
pub(crate) mod partition;
pub(crate) mod places;
pub(crate) mod producers;
pub(crate) mod read;
pub(crate) mod records;
pub(crate) mod retention;
pub(crate) mod room;
pub(crate) mod segment;
pub(crate) mod snapshot;
pub(crate) mod survey;
pub(crate) mod timestamps;
pub(crate) mod validate;
