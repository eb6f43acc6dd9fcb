//! The services that the stand-in has.

/// One request.
pub type Call = crate::stand_in::Call<Service>;

/// A service that the stand-in has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Elastic Compute Service, with Cloud Assistant.
    Ecs,
    /// Security Token Service.
    Sts,
    /// Cloud Backup.
    Hbr,
    /// Instance metadata.
    Metadata,
}

impl Service {
    /// Of the version of its API.
    pub(crate) fn of_version(version: &str) -> Option<Self> {
        match version {
            "2014-05-26" => Some(Self::Ecs),
            "2015-04-01" => Some(Self::Sts),
            "2017-09-08" => Some(Self::Hbr),
            _ => None,
        }
    }

    /// What its actions are called in policies.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Sts => "sts",
            Self::Hbr => "hbr",
            Self::Metadata => "metadata",
        }
    }
}
