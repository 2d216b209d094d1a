//! The `[streams.NAME]` tables of the configuration file, and keys and names in it.
//!
//! They are checked while the file is read: then the line of a fault is known.

use super::secrets::{WHAT_A_KEY_IS, is_key};
use crate::access::StreamKeys;
use crate::secret::Secret;
use crate::stream_name::StreamName;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// What the file says of one stream.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    pub keys: StreamKeys,
    /// Whether it is recorded, whatever holds for the others.
    pub record: Option<bool>,
}

/// One `[streams.NAME]` table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamTable {
    #[serde(default, deserialize_with = "key")]
    publish_key: Option<Secret>,
    #[serde(default, deserialize_with = "key")]
    watch_key: Option<Secret>,
    record: Option<bool>,
}

pub(super) fn streams<'de, D>(
    deserializer: D,
) -> Result<BTreeMap<StreamName, StreamOptions>, D::Error>
where
    D: Deserializer<'de>,
{
    let tables = BTreeMap::<String, StreamTable>::deserialize(deserializer)?;
    let checked = tables.into_iter().map(|(name, table)| match name.parse() {
        Ok(name) => Ok((
            name,
            StreamOptions {
                keys: StreamKeys {
                    publish: table.publish_key,
                    watch: table.watch_key,
                },
                record: table.record,
            },
        )),
        Err(error) => Err(D::Error::custom(format_args!("{name:?}: {error}"))),
    });
    checked.collect()
}

pub(super) fn stream_name<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<StreamName>, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map(Some).map_err(D::Error::custom)
}

fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let key = Secret::deserialize(deserializer)?;
    if is_key(&key) {
        Ok(Some(key))
    } else {
        Err(D::Error::custom(WHAT_A_KEY_IS))
    }
}
