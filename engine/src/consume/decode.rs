//! From a record of the normalized topic to its trade: by the schema that the registry has under the record's id, whichever
//! version that is.
//!
//! `serde_avro_fast` reads by the writer's schema into fields that borrow from the record; apache-avro takes some ten times
//! as long for each, which is the difference between minutes and hours where days are compared.

use std::collections::HashMap;

use serde_avro_fast::Schema;

use super::trade::Trade;
use crate::registry::{RegistryClient, RegistryError};

/// Bytes of the Confluent header: a zero and the schema's id.
const CONFLUENT_HEADER: usize = 5;

/// Why a record is no trade.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// It does not begin as the registry's records do.
    #[error("it is not Confluent-framed: it begins with {0:02x?}")]
    NotFramed(Vec<u8>),
    /// Its schema cannot be had.
    #[error("schema {id}: {reason}")]
    NoSchema {
        /// The id in the record.
        id: u32,
        /// The registry's words.
        reason: String,
    },
    /// Its bytes are not what its schema says, or that has other fields than a trade.
    #[error("by schema {id}, {reason}")]
    NotATrade {
        /// The id in the record.
        id: u32,
        /// What is wrong.
        reason: String,
    },
}

/// Reads trades, and remembers schemas.
pub struct Decoder {
    registry: RegistryClient,
    schemas: HashMap<u32, Result<Schema, String>>,
}

impl Decoder {
    /// Asks this registry for each schema once, when it is first needed.
    pub fn new(registry: RegistryClient) -> Self {
        Decoder { registry, schemas: HashMap::new() }
    }

    /// Asks for the latest schema of a subject, which most records will have. What goes wrong shows when it is needed.
    pub fn expect(&mut self, subject: &str) {
        if let Ok((id, text)) = self.registry.latest(subject) {
            self.schemas.insert(id, text.parse::<Schema>().map_err(|error| error.to_string()));
        }
    }

    /// The trade that a record's value is.
    ///
    /// # Errors
    /// The registry's, if it does not answer; within that, why the record is no trade, which says nothing of the next one.
    pub fn trade<'a>(&mut self, value: &'a [u8]) -> Result<Result<Trade<'a>, Undecodable>, RegistryError> {
        let Some((&[0, a, b, c, d], datum)) = value.split_first_chunk::<CONFLUENT_HEADER>() else {
            return Ok(Err(Undecodable::NotFramed(value.iter().take(CONFLUENT_HEADER).copied().collect())));
        };
        let id = u32::from_be_bytes([a, b, c, d]);
        Ok(match self.schema(id)? {
            Ok(schema) => serde_avro_fast::from_datum_slice(datum, schema)
                .map_err(|error| Undecodable::NotATrade { id, reason: error.to_string() }),
            Err(reason) => Err(Undecodable::NoSchema { id, reason: reason.clone() }),
        })
    }

    /// A registry that is not there is no answer: it is asked again.
    fn schema(&mut self, id: u32) -> Result<&Result<Schema, String>, RegistryError> {
        if !self.schemas.contains_key(&id) {
            let schema = match self.registry.schema_by_id(id) {
                Ok(text) => text.parse::<Schema>().map_err(|error| error.to_string()),
                Err(error @ RegistryError::NotFound { .. }) => Err(error.to_string()),
                Err(error) => return Err(error),
            };
            self.schemas.insert(id, schema);
        }
        Ok(&self.schemas[&id])
    }
}
