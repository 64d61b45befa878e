//! Ids of runs, workflows and definitions: UUIDv7, in the order of their making.

use uuid::{Builder, Uuid};
use windlass_core::Time;

/// A new id. The twelve bits behind the milliseconds hold their microseconds, so ids of one process
/// sort by time also within a millisecond.
pub fn new_id(now: Time) -> Uuid {
    let micros = u64::try_from(now.micros()).unwrap_or(0);
    let below = u16::try_from(micros % 1_000).unwrap_or(0) << 2;
    let random = fastrand::u64(..).to_be_bytes();
    let mut bytes = [0; 10];
    bytes[..2].copy_from_slice(&(below | u16::from(random[0] & 3)).to_be_bytes());
    bytes[2..].copy_from_slice(&random);
    Builder::from_unix_timestamp_millis(micros / 1_000, &bytes).into_uuid()
}

/// A new id that belongs to a shard.
pub fn new_id_for_shard(now: Time, shard: usize, shard_count: usize) -> Uuid {
    loop {
        let id = new_id(now);
        if shard_of(id, shard_count) == shard {
            return id;
        }
    }
}

/// The shard a run belongs to.
pub fn shard_of(run_id: Uuid, shard_count: usize) -> usize {
    // The last bytes are chance, so they spread by themselves.
    let [.., a, b, c, d] = *run_id.as_bytes();
    u32::from_be_bytes([a, b, c, d]) as usize % shard_count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_find_their_shard() {
        let ids: Vec<Uuid> = (0..3_000)
            .map(|micros| new_id(Time::from_micros(1_700_000_000_000_000 + micros)))
            .collect();
        assert!(ids.is_sorted());
        assert_eq!(ids[0].get_version_num(), 7);
        let now = Time::from_micros(1_700_000_000_000_000);
        for shard in 0..3 {
            assert_eq!(shard_of(new_id_for_shard(now, shard, 3), 3), shard);
        }
    }
}
