//! Real Kafka, CQL and registry servers for tests: from the environment, else from Maven Central.
