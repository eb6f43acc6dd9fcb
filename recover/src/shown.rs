//! Placeholder.
/// Placeholder.
pub fn for_terminal(b: &[u8]) -> String {
    b.escape_ascii().to_string()
}
