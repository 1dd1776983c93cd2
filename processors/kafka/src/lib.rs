//! The transactional log on Apache Kafka, through rdkafka.
