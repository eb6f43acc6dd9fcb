//! What looks random and is the same for each seed.

use super::encoding::hex;
use super::hash::{hmac, sha256};

/// Where random bytes and ids come from.
#[derive(Clone, Debug)]
pub struct Ids {
    secret: [u8; 32],
    count: u64,
}

impl Ids {
    /// Others for each seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let secret = sha256(&seed.to_be_bytes());
        Self { secret, count: 0 }
    }

    /// A secret that is always the same.
    #[must_use]
    pub const fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// 32 bytes that look random and never come again.
    pub fn random(&mut self) -> [u8; 32] {
        self.count += 1;
        hmac(&self.secret, &self.count.to_be_bytes())
    }

    /// Like a UUID.
    pub fn uuid(&mut self) -> String {
        let digits = hex(&self.random());
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]);
        parts.join("-")
    }
}
