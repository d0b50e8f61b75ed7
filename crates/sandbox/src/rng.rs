//! A small seeded generator (SplitMix64) for ids and chaos, and the system's randomness for secrets.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `low..high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low).unwrap_or(1).max(1);
        low + i64::try_from(self.next() % span).unwrap_or(0)
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, rate: f64) -> bool {
        // 53 bits is what a double holds exactly.
        let unit = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        unit < rate
    }

    /// `len` letters that may stand in a Bot API token.
    pub(crate) fn letters(&mut self, len: usize) -> String {
        (0..len).map(|_| char::from(LETTERS[usize::try_from(self.next() % 64).unwrap_or(0)])).collect()
    }
}

/// 128 random bits from the system, as hex.
pub(crate) fn secret() -> std::io::Result<String> {
    Ok(system_bytes::<16>()?.iter().map(|b| format!("{b:02x}")).collect())
}

/// Letters for a token that nobody can guess.
pub(crate) fn secret_letters() -> std::io::Result<String> {
    Ok(system_bytes::<33>()?.iter().map(|b| char::from(LETTERS[usize::from(b % 64)])).collect())
}

fn system_bytes<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).map_err(|e| std::io::Error::other(e.to_string()))?;
    Ok(bytes)
}
