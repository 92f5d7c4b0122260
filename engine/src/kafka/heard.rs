//! What librdkafka says besides records to those who read.

use rdkafka::ClientContext;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Logs it.
pub struct Heard;

impl ClientContext for Heard {
    /// The end of a partition is what is waited for.
    fn error(&self, error: KafkaError, reason: &str) {
        if !matches!(error, KafkaError::Global(RDKafkaErrorCode::PartitionEOF)) {
            tracing::warn!("kafka: {error}: {reason}");
        }
    }
}

impl ConsumerContext for Heard {}
