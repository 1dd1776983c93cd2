//! What the runtime asks of the outside world: the transactional log and the view store.
