//! The decoders of NTFS against data that other programs compressed, and against damage.

use flr_tests::fuzz::mutate::Random;
use flr_tests::vectors::{Vector, unpack, vectors};
use std::collections::BTreeSet;

const FORMATS: [&str; 3] = ["lznt1", "xpress", "lzx"];

fn decoded(vector: &Vector, packed: &[u8]) -> Option<Vec<u8>> {
    let mut output = vec![0xaa; vector.plain.len()];
    let done = unpack(&vector.format, packed, &mut output);
    done.is_ok().then_some(output)
}

#[test]
fn everything_others_compressed_comes_back() {
    for format in FORMATS {
        let all = vectors(format);
        let contents: BTreeSet<_> = all.iter().map(|vector| vector.content.clone()).collect();
        assert!(
            all.len() >= 30 && contents.len() >= 6,
            "{format}: {}",
            all.len()
        );
        for vector in &all {
            let output = decoded(vector, &vector.packed);
            let what = format!("{format} {} {}", vector.content, vector.plain.len());
            let output = output.unwrap_or_else(|| panic!("{what}: refused"));
            let place = (output.iter().zip(&vector.plain)).position(|(a, b)| a != b);
            assert!(place.is_none(), "{what}: differs at {place:?}");
        }
    }
}

/// Behind the end of an LZNT1 chunk its unit may go on; the other formats end with their input.
#[test]
fn what_is_cut_is_refused() {
    for format in FORMATS {
        for vector in vectors(format)
            .iter()
            .filter(|vector| vector.packed.len() > 6)
        {
            let len = vector.packed.len();
            // An LZNT1 stream has an end of its own, which is not needed; the others end with up to
            // two words that only a decoder needs which reads ahead.
            let needed = if format == "lznt1" { len - 2 } else { len - 5 };
            for cut in [0, 1, 2, 5, len / 2, needed - 1] {
                let output = decoded(vector, &vector.packed[..cut]);
                assert!(output.is_none(), "{format} {} cut to {cut}", vector.content);
            }
        }
    }
}

/// None of these formats has a checksum: a changed bit gives an error or other bytes, and now and then
/// the same. What matters is that nothing panics and that nothing is left undone.
#[test]
fn flipped_bits_do_no_harm() {
    let mut random = Random::new(3);
    for format in FORMATS {
        let (mut refused, mut other, mut same) = (0, 0, 0);
        let mut all = vectors(format);
        all.sort_by_key(|vector| vector.packed.len());
        let small = all
            .iter()
            .filter(|vector| vector.packed.len() > 300)
            .take(6);
        for vector in small {
            let mut packed = vector.packed.clone();
            for at in 0..packed.len() {
                let old = packed[at];
                let changes = (0..8).map(|bit| 1 << bit).chain([0xff, random.byte() | 1]);
                for change in changes {
                    packed[at] ^= change;
                    match decoded(vector, &packed) {
                        None => refused += 1,
                        Some(output) if output == vector.plain => same += 1,
                        Some(_) => other += 1,
                    }
                    packed[at] = old;
                }
            }
        }
        println!("{format}: {refused} refused, {other} other bytes, {same} the same");
        assert!(
            refused > 100 && other > 100,
            "{format}: {refused} {other} {same}"
        );
    }
}

/// The length of the output is the caller's: no input makes more of it, or work beyond it.
#[test]
fn a_bomb_is_as_long_as_its_output() {
    for format in FORMATS {
        for vector in vectors(format)
            .iter()
            .filter(|vector| vector.content == "zeros")
        {
            for len in [1, 2, vector.plain.len() / 2, vector.plain.len() - 1] {
                let mut output = vec![0xaa; vector.plain.len()];
                // OK to ignore: a longer match is refused or cut, as the format wants it.
                let _ = unpack(format, &vector.packed, &mut output[..len]);
                assert!(output[len..].iter().all(|byte| *byte == 0xaa));
            }
        }
    }
}
