/// A number for a text, the same in every version and process (FNV-1a): some are kept. It tells texts
/// apart where nobody tries to make two alike.
pub fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
