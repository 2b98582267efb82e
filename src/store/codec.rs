//! Canonical bytes of an entry, their hash, and the way back.
//!
//! The payload is the JSON text of a struct (fields in order of declaration, no maps), so the same entry always gives the same bytes.

use sha2::{Digest, Sha256};

use crate::engine::{Input, InputBody, Record};
use crate::store::{Body, StoreError};

/// Version of the payloads this program writes. An older one is brought up by [`decode`]; a newer one is refused.
pub const VERSION: i64 = 1;
/// Version of the hash's own layout.
const HASH_LAYOUT: u8 = 1;

/// An entry ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Input or record, and of which room.
    pub kind: &'static str,
    /// Its JSON text.
    pub payload: String,
}

/// What goes into an entry's hash besides the hash before it.
pub(super) struct HashedFields<'a> {
    pub seq: i64,
    pub run: i64,
    pub market_index: i64,
    pub market_at: i64,
    pub kind: &'a str,
    pub version: i64,
    pub payload: &'a str,
}

/// The canonical payload.
pub fn encode(body: &Body) -> Result<Encoded, StoreError> {
    let payload = match body {
        Body::Input(input) => serde_json::to_string(input),
        Body::Record(record) => serde_json::to_string(record),
    };
    Ok(Encoded { kind: kind(body), payload: payload.map_err(StoreError::Encode)? })
}

/// Reads a payload back. Pure: what an older version meant is decided by the version number alone.
pub fn decode(seq: i64, kind: &str, version: i64, payload: &str) -> Result<Body, StoreError> {
    if version != VERSION {
        return Err(StoreError::NewerEntry { seq, version });
    }
    let unreadable = |source| StoreError::Decode { seq, source };
    if kind.starts_with("input.") {
        serde_json::from_str::<Input>(payload).map(Body::Input).map_err(unreadable)
    } else {
        serde_json::from_str::<Record>(payload).map(Body::Record).map_err(unreadable)
    }
}

/// SHA-256 over a layout byte, the hash before, and the length-prefixed fields.
pub(super) fn hash(before: &[u8], fields: &HashedFields<'_>) -> [u8; 32] {
    let mut sha = Sha256::new();
    sha.update([HASH_LAYOUT]);
    sha.update(before);
    for number in [fields.seq, fields.run, fields.market_index, fields.market_at, fields.version] {
        sha.update(number.to_be_bytes());
    }
    for text in [fields.kind, fields.payload] {
        sha.update((text.len() as u64).to_be_bytes());
        sha.update(text.as_bytes());
    }
    sha.finalize().into()
}

const fn kind(body: &Body) -> &'static str {
    match body {
        Body::Input(input) => match &input.body {
            InputBody::Run(_) => "input.run",
            InputBody::Command { .. } => "input.command",
            InputBody::Broker(_) => "input.broker",
            InputBody::Commentary(_) => "input.commentary",
            InputBody::Opinion(_) => "input.opinion",
            InputBody::Feed { .. } => "input.feed",
            InputBody::Served { .. } => "input.served",
            InputBody::Noted(_) => "input.noted",
            InputBody::Published { .. } => "input.published",
            InputBody::Link { .. } => "input.link",
            InputBody::Timer => "input.timer",
        },
        Body::Record(record) => match record {
            Record::Run(_) => "record.run",
            Record::Trading(_) => "record.trading",
            Record::Signal(_) => "record.signal",
            Record::Proposal(_) => "record.proposal",
            Record::Order(_) => "record.order",
            Record::Portfolio(_) => "record.portfolio",
            Record::Alert(_) => "record.alert",
            Record::Commentary(_) => "record.commentary",
            Record::Opinion(_) => "record.opinion",
            Record::Published { .. } => "record.published",
        },
    }
}
