//! Messages to Avro bytes in the registry's wire format, and back.
