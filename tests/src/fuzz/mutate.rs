//! Changing inputs at random: the same changes for the same seed, on every machine.

/// A xorshift generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of a seed; close seeds give unlike numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // The finaliser of splitmix64; a state of 0 would stay 0.
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mut random = Self((mixed ^ (mixed >> 31)) | 1);
        random.bits();
        random
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let number = usize::try_from(self.bits() >> 16).unwrap_or(usize::MAX);
        number.checked_rem(end).unwrap_or(0)
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.bits().to_be_bytes()[0]
    }

    /// A number of `len` bytes that tends to break things: an extreme, its neighbour, a power of
    /// two, or any.
    pub fn number(&mut self, len: usize) -> Vec<u8> {
        let value = match self.below(8) {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => u64::MAX >> (65 - 8 * len.min(8)),
            4 => 1 << (8 * len.min(8) - 1),
            5 => 1 << self.below(8 * len.min(8)),
            6 => u64::MAX - (self.bits() & 3),
            _ => self.bits(),
        };
        let mut bytes = value.to_le_bytes()[..len.min(8)].to_vec();
        if self.below(4) == 0 {
            bytes.reverse();
        }
        bytes
    }
}

/// Changes an input in one to four places. `other` is another input to take parts of.
pub fn mutate(random: &mut Random, input: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..=random.below(4) {
        mutate_once(random, input, other);
    }
}

fn mutate_once(random: &mut Random, input: &mut Vec<u8>, other: &[u8]) {
    let kind = random.below(16);
    let at = random.below(input.len());
    let room = input.len() - at;
    match kind {
        0..=2 if room > 0 => input[at] ^= 1 << random.below(8),
        3 | 4 if room > 0 => input[at] = random.byte(),
        5..=9 => {
            let len = [1, 2, 2, 4, 4, 8][random.below(6)];
            let number = random.number(len);
            // Fields stand at even places, more often than not.
            let at = if random.below(4) == 0 { at } else { at & !1 };
            put(input, at, &number);
        }
        10 => {
            let (from, len) = (random.below(input.len()), random.below(64));
            let part = input[from..(from + len).min(input.len())].to_vec();
            put(input, at, &part);
        }
        11 => {
            let len = 1 << (4 + random.below(7));
            let (a, b) = (at / len * len, random.below(input.len()) / len * len);
            let (a_part, b_part) = (part(input, a, len), part(input, b, len));
            put(input, a, &b_part);
            put(input, b, &a_part);
        }
        12 => {
            let len = random.below(256).min(room);
            let byte = [0, 0xff, random.byte()][random.below(3)];
            input[at..at + len].fill(byte);
        }
        13 => {
            let from = random.below(other.len());
            let len = 1 << random.below(10);
            put(input, at, &part(other, from, len));
        }
        14 if random.below(4) == 0 => input.truncate(at),
        15 if random.below(4) == 0 => {
            let byte = random.byte();
            input.insert(at, byte);
        }
        _ if input.is_empty() => input.push(random.byte()),
        _ => {}
    }
}

fn part(bytes: &[u8], at: usize, len: usize) -> Vec<u8> {
    bytes[at.min(bytes.len())..(at + len).min(bytes.len())].to_vec()
}

fn put(input: &mut [u8], at: usize, bytes: &[u8]) {
    let len = bytes.len().min(input.len().saturating_sub(at));
    if len > 0 {
        input[at..at + len].copy_from_slice(&bytes[..len]);
    }
}
