//! The services that the stand-in has.

/// One request.
pub type Call = crate::stand_in::Call<Service>;

/// A service that the stand-in has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// EBS direct APIs.
    Ebs,
    /// EC2.
    Ec2,
    /// STS.
    Sts,
    /// Lightsail.
    Lightsail,
    /// Instance metadata.
    Metadata,
}

impl Service {
    /// The name that signatures have; none where nothing is signed.
    pub(crate) fn signing_name(self) -> Option<&'static str> {
        match self {
            Self::Ebs => Some("ebs"),
            Self::Ec2 => Some("ec2"),
            Self::Sts => Some("sts"),
            Self::Lightsail => Some("lightsail"),
            Self::Metadata => None,
        }
    }
}
