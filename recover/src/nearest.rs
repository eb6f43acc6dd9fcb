//! Placeholder.
/// Placeholder.
pub fn nearest<'a>(_w: &[u8], _c: impl Iterator<Item = &'a [u8]>, _max: usize) -> Vec<Vec<u8>> {
    Vec::new()
}
