use uuid::{Builder, Uuid};

use crate::time::Time;

/// The id of a run that another one asks for. It follows from that run, from what it asks for and from
/// the time, so that asking twice in the same moment asks for the same run.
pub fn derived_id(run_id: Uuid, what: &str, now: Time) -> Uuid {
    let hash = |offset: u64| {
        // FNV-1a, mixed at last, because ids are spread over shards by their last bytes.
        let bytes = run_id.as_bytes().iter().chain(what.as_bytes());
        let hash = bytes
            .fold(offset, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        let hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^ (hash >> 32)
    };
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&hash(0xcbf2_9ce4_8422_2325).to_be_bytes());
    bytes[6..].copy_from_slice(&hash(0x6c62_272e_07bb_0142).to_be_bytes()[..4]);
    let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}
