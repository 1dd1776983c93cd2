//! The view store on ScyllaDB or Cassandra, through the scylla driver.
