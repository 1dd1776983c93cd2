//! How an error of the client becomes a fault of the port.

use millrace_ports::LogFault;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::diary::Diary;
use crate::{properties, security};

/// What a fault needs to be explained: the step, the brokers, and the topic if it is about one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    /// What was being done.
    pub step: &'static str,
    /// Where the brokers should be.
    pub bootstrap: &'a str,
    /// The topic it was about.
    pub topic: Option<&'a str>,
}

impl Step<'_> {
    /// The fault that `error` amounts to; `diary` explains what the error leaves out.
    pub(crate) fn fault(&self, error: &KafkaError, diary: Option<&Diary>) -> LogFault {
        let message = match error {
            KafkaError::ClientConfig(_, what, key, value) => {
                return self.refused(properties::complaint(key, value, what));
            }
            KafkaError::ClientCreation(what) => return self.refused(what.clone()),
            // the outer error names only the kind of call
            KafkaError::Transaction(inner) => inner.string(),
            other => match other.rdkafka_error_code() {
                Some(code) => code.to_string(),
                None => other.to_string(),
            },
        };
        match error.rdkafka_error_code() {
            Some(code) => self.of_code(code, message, diary),
            None => self.unavailable(message, diary),
        }
    }

    /// The fault that an error code amounts to.
    pub(crate) fn of_code(&self, code: Code, message: String, diary: Option<&Diary>) -> LogFault {
        let message = match code {
            // the client's own words speak of a log file
            Code::KafkaStorageError => {
                format!("the broker cannot write to its disk, which is full or broken ({message})")
            }
            _ => message,
        };
        match code {
            Code::ProducerFenced
            | Code::InvalidProducerEpoch
            | Code::Fenced
            | Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::FencedInstanceId
            | Code::RebalanceInProgress => LogFault::Fenced { step: self.step },
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => match self.topic {
                Some(topic) => LogFault::NoSuchTopic { topic: topic.to_owned() },
                None => self.unavailable(message, diary),
            },
            Code::MessageSizeTooLarge
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::InvalidTopic
            | Code::InvalidConfig
            | Code::InvalidRequest
            | Code::InvalidPartitions
            | Code::InvalidReplicationFactor
            | Code::PolicyViolation
            | Code::InvalidArgument
            | Code::InvalidGroupId
            | Code::InvalidSessionTimeout
            | Code::InvalidTransactionTimeout => match self.topic {
                Some(topic) => self.refused(format!("topic {topic}: {message}")),
                None => self.refused(message),
            },
            _ => self.unavailable(message, diary),
        }
    }

    /// Trying again may help.
    pub(crate) fn unavailable(&self, message: impl Into<String>, diary: Option<&Diary>) -> LogFault {
        let mut message = format!("Kafka at {}: {}", self.bootstrap, message.into());
        if let Some(complaint) = diary.and_then(Diary::complaint) {
            if let Some(meaning) = security::explain(&complaint) {
                message.push_str(&format!(": {meaning}"));
            }
            message.push_str(&format!(" (last: {complaint})"));
        }
        LogFault::Unavailable { step: self.step, message }
    }

    /// Trying again will not help.
    pub(crate) fn refused(&self, message: impl Into<String>) -> LogFault {
        LogFault::Refused { step: self.step, message: message.into() }
    }
}
