//! The decoder, fed with what is right, cut anywhere, changed anywhere, and with noise.

use super::*;

/// A generator that needs no crate: xorshift.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap();
        usize::try_from(self.next().checked_rem(bound).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}

const CONTEXT: u32 = 3;
const READ: Question = Question::Read {
    offset: 4096,
    len: 2048,
};

fn chunk(flags: u16, kind: u16, cookie: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = CHUNK_MAGIC.to_be_bytes().to_vec();
    out.extend(flags.to_be_bytes());
    out.extend(kind.to_be_bytes());
    out.extend(cookie.to_be_bytes());
    out.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    out.extend(payload);
    out
}

fn data(flags: u16, cookie: u64, offset: u64, bytes: &[u8]) -> Vec<u8> {
    chunk(flags, 1, cookie, &[&offset.to_be_bytes(), bytes].concat())
}

/// Three questions, and all kinds of chunks among one another.
fn stream() -> Vec<u8> {
    let hole = [&5120_u64.to_be_bytes()[..], &1024_u32.to_be_bytes()].concat();
    let map = [3_u32, 512, 0, 512, 3].map(u32::to_be_bytes).concat();
    let error = [&[0, 0, 0, 5, 0, 3][..], b"bad", &4100_u64.to_be_bytes()].concat();
    [
        data(0, 1, 4608, &[2; 512]),
        data(0, 3, 4096, &[9; 100]),
        chunk(1, 5, 2, &map),
        chunk(0, 2, 1, &hole),
        chunk(0, 0x8002, 3, &error),
        data(1, 1, 4096, &[1; 512]),
        chunk(1, 0, 3, &[]),
    ]
    .concat()
}

fn decoder() -> Decoder {
    let mut decoder = Decoder::new(true, Some(CONTEXT));
    decoder.expect(1, READ);
    decoder.expect(2, Question::Status { len: 1024 });
    decoder.expect(3, READ);
    decoder
}

fn answers() -> Vec<(u64, Answer)> {
    let bytes = [[1; 512], [2; 512], [0; 512], [0; 512]].concat();
    let extents = [(512, false), (512, true)].map(|(len, zero)| Extent { len, zero });
    let error = ErrorChunk {
        error: 5,
        message: "bad".to_owned(),
        offset: Some(4100),
    };
    vec![
        (2, Answer::Extents(extents.to_vec())),
        (1, Answer::Data(bytes)),
        (3, Answer::Failed(error)),
    ]
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let stream = stream();
    for step in (1..70).chain([1000, stream.len()]) {
        let (mut decoder, mut found) = (decoder(), Vec::new());
        for part in stream.chunks(step) {
            decoder.feed(part, &mut found).unwrap();
        }
        assert_eq!(found, answers(), "{step}");
        assert!(decoder.pending.is_empty());
        assert_eq!(decoder.gathered.len(), 0);
    }
}

#[test]
fn answers_without_structure() {
    let mut decoder = Decoder::new(false, None);
    decoder.expect(1, READ);
    decoder.expect(2, READ);
    let mut stream = SIMPLE_MAGIC.to_be_bytes().to_vec();
    stream.extend([0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 2]);
    stream.extend(SIMPLE_MAGIC.to_be_bytes());
    stream.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    stream.extend([7; 2048]);
    let mut found = Vec::new();
    for part in stream.chunks(100) {
        decoder.feed(part, &mut found).unwrap();
    }
    assert_eq!(found.len(), 2);
    assert!(matches!(&found[0], (2, Answer::Failed(error)) if error.error == 5));
    assert_eq!(found[1], (1, Answer::Data(vec![7; 2048])));
    // What was not agreed upon is not understood.
    assert!(decoder.feed(&chunk(1, 0, 1, &[]), &mut found).is_err());
}

/// What any stream at all may come to: answers to questions, of the right lengths, each once.
fn check(found: &[(u64, Answer)]) {
    let mut cookies: Vec<_> = found.iter().map(|(cookie, _)| *cookie).collect();
    cookies.sort_unstable();
    cookies.dedup();
    assert_eq!(cookies.len(), found.len());
    for (cookie, answer) in found {
        match (cookie, answer) {
            (1 | 3, Answer::Data(bytes)) => assert_eq!(bytes.len(), 2048),
            (2, Answer::Extents(extents)) => {
                assert!(extents.iter().map(|extent| extent.len).sum::<u64>() <= 1024);
            }
            (1..=3, Answer::Failed(error)) => assert!(error.error != 0),
            other => panic!("{other:?}"),
        }
    }
}

fn feed(noise: &mut Noise, stream: &[u8]) -> bool {
    let (mut decoder, mut found) = (decoder(), Vec::new());
    let mut rest = stream;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(noise.below(rest.len().min(500)).saturating_add(1));
        rest = later;
        if decoder.feed(now, &mut found).is_err() {
            check(&found);
            return false;
        }
        assert!(decoder.gathered.capacity() <= 8 << 20);
    }
    check(&found);
    true
}

#[test]
fn a_changed_stream_gives_answers_or_none() {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let (original, mut refused) = (stream(), 0);
    for _ in 0..20_000 {
        let mut stream = original.clone();
        for _ in 0..=noise.below(3) {
            let at = noise.below(stream.len());
            match noise.below(4) {
                0 => stream[at] = noise.byte(),
                1 => stream[at] ^= 1 << noise.below(8),
                2 => stream.truncate(at.max(1)),
                _ => {
                    // Parts twice, or in another order.
                    let part = stream.split_off(at);
                    stream.extend(original.iter().take(noise.below(100)));
                    stream.extend(part);
                }
            }
        }
        refused += usize::from(!feed(&mut noise, &stream));
    }
    assert!(refused > 5_000, "{refused}");
}

#[test]
fn noise_is_refused() {
    let mut noise = Noise(42);
    for round in 0..20_000 {
        let mut stream: Vec<u8> = (0..noise.below(400) + 20).map(|_| noise.byte()).collect();
        // Half of it begins like something.
        match round % 4 {
            0 => stream[..4].copy_from_slice(&CHUNK_MAGIC.to_be_bytes()),
            1 => {
                let head = chunk(1, [0, 1, 2, 5, 0x8001, 0x8002][noise.below(6)], 1, &[]);
                stream[..16].copy_from_slice(&head[..16]);
                stream[16] = 0;
                stream[17] = 0;
            }
            _ => {}
        }
        if round % 4 > 1 {
            assert!(!feed(&mut noise, &stream));
        } else {
            feed(&mut noise, &stream);
        }
    }
}
