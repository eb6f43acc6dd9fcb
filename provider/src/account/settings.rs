//! Where and as whom, by names that anybody may see.

/// Where and as whom.
#[derive(Clone, Debug, Default)]
pub struct ClientSettings {
    /// Profile of the provider's own configuration; else what the environment says.
    pub profile: Option<String>,
    /// Region; else what profile and environment say.
    pub region: Option<String>,
    /// Endpoint of every service; else what the environment says, and the usual ones.
    pub endpoint_url: Option<String>,
}
