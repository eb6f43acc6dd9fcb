//! Copying what was put out before: the match of every LZ77 format.

/// Bytes moved at once. Matches are short: one move does most of them.
const WIDE: usize = 16;

/// Repeats `len` bytes that stand `offset` bytes before `at`, at `at`; they may overlap.
///
/// Up to 15 bytes behind the match may be overwritten: whoever decodes in order writes them anyway.
/// `None` if the match begins before the output or ends behind it.
#[inline]
pub(super) fn copy_match(output: &mut [u8], at: usize, offset: usize, len: usize) -> Option<()> {
    let end = at.checked_add(len)?;
    let from = at.checked_sub(offset)?;
    if offset >= WIDE && end.checked_add(WIDE)? <= output.len() {
        let (mut from, mut to) = (from, at);
        while to < end {
            let part: [u8; WIDE] = *output.get(from..)?.first_chunk()?;
            *output.get_mut(to..)?.first_chunk_mut()? = part;
            from = from.wrapping_add(WIDE);
            to = to.wrapping_add(WIDE);
        }
        return Some(());
    }
    repeat(output.get_mut(from..end)?, offset)
}

/// Fills `part` with repetitions of its first `period` bytes.
fn repeat(part: &mut [u8], period: usize) -> Option<()> {
    match period {
        0 => return None,
        1 => {
            let byte = *part.first()?;
            part.fill(byte);
        }
        _ => {
            // What is there is doubled until it fills the whole.
            let mut done = period;
            while done < part.len() {
                let (left, right) = part.split_at_mut_checked(done)?;
                let len = left.len().min(right.len());
                right.get_mut(..len)?.copy_from_slice(left.get(..len)?);
                done = done.saturating_add(len);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_as_byte_by_byte() {
        for at in 1..40 {
            for offset in 1..=at {
                for len in 0..60 {
                    let mut naive: Vec<u8> = (0..100).collect();
                    let mut wide = naive.clone();
                    for i in at..at + len {
                        naive[i] = naive[i - offset];
                    }
                    copy_match(&mut wide, at, offset, len).unwrap();
                    assert_eq!(wide[..at + len], naive[..at + len], "{at} {offset} {len}");
                }
            }
        }
    }

    #[test]
    fn what_lies_outside_is_refused() {
        let mut bytes = [0; 64];
        assert_eq!(copy_match(&mut bytes, 3, 4, 1), None);
        assert_eq!(copy_match(&mut bytes, 3, 0, 1), None);
        assert_eq!(copy_match(&mut bytes, 60, 3, 5), None);
        assert_eq!(copy_match(&mut bytes, 60, 20, usize::MAX), None);
        assert_eq!(copy_match(&mut bytes, 60, 3, 4), Some(()));
    }
}
