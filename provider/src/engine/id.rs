//! Names of operations and sessions, and the tokens that make a call safe to repeat.
//!
//! An operation is the making of one resource. Its id is 128 random bits, drawn before anything else
//! happens, and stands in the journal, in the tags of the resource and, hashed, in the token. So a token
//! belongs to one operation for ever: one made from a name or from the parent snapshot would still be
//! known to the provider after the first resource is deleted, and refused with other parameters.

use super::clock::Rand;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// An id that does not read as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 32 lower-case hexadecimal digits")
    }
}

impl std::error::Error for BadId {}

macro_rules! id {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        ///
        /// Printed as 32 lower-case hexadecimal digits.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// A new one.
            #[must_use]
            pub fn random(rand: &dyn Rand) -> Self {
                Self(u128::from(rand.next_u64()) << 64 | u128::from(rand.next_u64()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                parse(text).map(Self)
            }
        }
    };
}

id!(
    OpId,
    "An operation: the making, and the end, of one resource."
);
id!(
    SessionId,
    "A session: what one command, or one mount, has made."
);

/// Exactly the form that is printed, so that a tag written by somebody else is not taken for ours.
fn parse(text: &str) -> Result<u128, BadId> {
    let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    if text.len() != 32 || !text.bytes().all(plain) {
        return Err(BadId);
    }
    u128::from_str_radix(text, 16).map_err(|_| BadId)
}

/// The token of a call: 64 hexadecimal digits, which is the most that EC2 and ECS take.
///
/// The same for every repetition of the call; another for the next `attempt`, which rises only after
/// a failure that is known to have made nothing.
#[must_use]
pub fn token(op: OpId, step: &str, attempt: u32) -> String {
    let digest = Sha256::digest(format!("{op}|{step}|{attempt}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_nothing_else_does() {
        let op: OpId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        assert_eq!(op.to_string(), "0123456789abcdef0123456789abcdef");
        for other in [
            "",
            "0123456789abcdef0123456789abcde",
            "0123456789ABCDEF0123456789abcdef",
            "+123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcdef ",
        ] {
            assert_eq!(other.parse::<OpId>(), Err(BadId), "{other}");
        }
    }

    #[test]
    fn tokens_are_of_operation_step_and_attempt() {
        let op: OpId = "00000000000000000000000000000001".parse().unwrap();
        // printf '00000000000000000000000000000001|create|1' | sha256sum
        let expected = "52c5afa944980c6906c40ae1c048e675e081f88d685166d565d03b8bcba33025";
        let token_1 = token(op, "create", 1);
        assert_eq!(token_1, expected);
        assert_ne!(token_1, token(op, "create", 2));
        assert_ne!(token_1, token(op, "attach", 1));
    }
}
