//! Run lists: where the clusters of a non-resident attribute lie.
//!
//! On disk these are "mapping pairs": a byte with two lengths, the number of clusters, and the change
//! of the logical cluster number since the last run (Linux-NTFS documentation, "Data Runs").

/// Clusters that lie one after the other, or a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First virtual cluster number: the place in the attribute, in clusters.
    pub vcn: u64,
    /// First logical cluster number: the place on the volume, in clusters. `None` is a hole (sparse, or
    /// the unused end of a compression unit).
    pub lcn: Option<u64>,
    /// Clusters, at least 1.
    pub clusters: u64,
}

/// All runs of one stream: sorted by VCN, without gaps or overlaps from the first on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunList {
    runs: Vec<Run>,
}

impl RunList {
    /// The run that holds `vcn`. A binary search.
    #[must_use]
    pub fn run_at(&self, vcn: u64) -> Option<&Run> {
        let after = self.runs.partition_point(|run| run.vcn <= vcn);
        let run = self.runs.get(after.checked_sub(1)?)?;
        (vcn.checked_sub(run.vcn)? < run.clusters).then_some(run)
    }

    /// The runs in order.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }
}
