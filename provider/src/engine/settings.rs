//! How long the engine waits for what.

use std::time::Duration;

/// Limits of time. Each bounds a step, however often its calls are repeated within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long reads may lag behind writes: so long "not found" is not believed of a resource that may
    /// have been made. `FLR_CONSISTENCY_WINDOW`.
    pub consistency_window: Duration,
    /// For one call. A call without an answer by then has an unknown outcome, and no effect later.
    pub call_limit: Duration,
    /// For making a resource, until it has an id.
    pub create_limit: Duration,
    /// For a resource to become ready.
    pub ready_limit: Duration,
    /// For attaching, or changing tags.
    pub attach_limit: Duration,
    /// An attaching that takes longer is stuck: it is ended and begun anew.
    pub stuck_after: Duration,
    /// For one resource to be seen gone.
    pub release_limit: Duration,
    /// For how long a session is promised to be done, unless it says so again. `--ttl`.
    pub ttl: Duration,
    /// How long after its expiry others may take what was left. `--older-than`.
    pub grace: Duration,
    /// How long a mark must have stood before what carries it is deleted.
    pub mark_delay: Duration,
    /// The first wait before a call is repeated is chance up to this.
    pub backoff_min: Duration,
    /// Waits double up to this.
    pub backoff_max: Duration,
    /// Between two looks at something that takes its time, at least.
    pub look_gap: Duration,
    /// Between two looks that must both find nothing.
    pub gone_gap: Duration,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Default for Settings {
    fn default() -> Self {
        Self {
            consistency_window: Duration::from_secs(120),
            call_limit: Duration::from_secs(30),
            create_limit: MINUTE.saturating_mul(5),
            ready_limit: MINUTE.saturating_mul(15),
            attach_limit: MINUTE.saturating_mul(5),
            stuck_after: Duration::from_secs(90),
            release_limit: MINUTE.saturating_mul(15),
            ttl: MINUTE.saturating_mul(30),
            grace: MINUTE.saturating_mul(60),
            mark_delay: MINUTE.saturating_mul(15),
            backoff_min: Duration::from_millis(500),
            backoff_max: Duration::from_secs(20),
            look_gap: Duration::from_secs(1),
            gone_gap: Duration::from_secs(2),
        }
    }
}

impl Settings {
    /// The defaults, with what the environment says.
    ///
    /// # Errors
    /// `FLR_CONSISTENCY_WINDOW` is no number of seconds; the text says so.
    pub fn from_env() -> Result<Self, String> {
        let mut settings = Self::default();
        if let Some(value) = std::env::var_os("FLR_CONSISTENCY_WINDOW") {
            let seconds = value.to_str().and_then(|text| text.parse().ok());
            let seconds = seconds
                .filter(|seconds| *seconds <= 86_400)
                .ok_or_else(|| {
                    let value = value.to_string_lossy();
                    format!(
                        "FLR_CONSISTENCY_WINDOW={value}: expected a number of seconds up to 86400"
                    )
                })?;
            settings.consistency_window = Duration::from_secs(seconds);
        }
        Ok(settings)
    }

    /// After this a call that may have been sent has its effect, and every read shows it.
    pub(super) const fn settled_after(&self) -> Duration {
        self.call_limit.saturating_add(self.consistency_window)
    }
}
