//! Run lists: where the clusters of a non-resident attribute lie.
//!
//! On disk these are "mapping pairs": a byte with two lengths, the number of clusters, and the change
//! of the logical cluster number since the last run (Linux-NTFS documentation, "Data Runs").
//!
//! ```text
//! 21 18 34 56   0x18 clusters at 0x5634 (2 bytes of offset, 1 byte of length)
//! 01 04         4 clusters of nothing: no offset at all
//! 11 10 f0      0x10 clusters at 0x5634 - 0x10
//! 00            end
//! ```

use super::codes;
use crate::error::{Error, Result};

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

impl Run {
    /// First virtual cluster behind the run.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.vcn.saturating_add(self.clusters)
    }
}

/// All runs of one stream: sorted by VCN, without overlaps.
///
/// A gap between two runs, or in front of the first, is a part of the map that could not be read, not
/// a hole: holes are runs. Runs that continue each other are one run here, also where they were stored
/// as two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunList {
    runs: Vec<Run>,
}

/// What run lists are checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunBounds {
    /// Clusters of the volume.
    pub volume_clusters: u64,
    /// Most clusters that a stream may have, so that no position in bytes passes 2^63.
    pub stream_clusters_max: u64,
    /// Most runs that are kept: [`crate::Limits::run_count_max`].
    pub run_count_max: usize,
}

impl RunList {
    /// The run that holds `vcn`. A binary search.
    #[must_use]
    pub fn run_at(&self, vcn: u64) -> Option<&Run> {
        self.runs
            .get(self.index_at(vcn))
            .filter(|run| run.vcn <= vcn)
    }

    /// Index in [`RunList::runs`] of the first run that ends behind `vcn`. A binary search.
    #[must_use]
    pub fn index_at(&self, vcn: u64) -> usize {
        self.runs.partition_point(|run| run.end() <= vcn)
    }

    /// The runs in order.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// First cluster behind the last run.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.runs.last().map_or(0, Run::end)
    }

    /// Clusters that are stored.
    #[must_use]
    pub fn stored_clusters(&self) -> u64 {
        let stored = self.runs.iter().filter(|run| run.lcn.is_some());
        stored.fold(0, |sum: u64, run| sum.saturating_add(run.clusters))
    }

    /// Memory taken, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        (self.runs.capacity())
            .saturating_mul(size_of::<Run>())
            .saturating_add(size_of::<Self>())
    }

    /// Gives back memory that is not needed.
    pub fn shrink(&mut self) {
        self.runs.shrink_to_fit();
    }

    /// Adds the runs of one piece of a stream, which starts at `lowest_vcn`, behind those that are
    /// there. On an error no run has been added.
    ///
    /// `highest_vcn` is the last cluster that the piece claims to have; `None` leaves it open. `at` is
    /// the place of the attribute on the volume, for messages.
    ///
    /// # Errors
    /// [`codes::RUN_LIST`] for pairs that are cut, a run outside of the volume, a piece that overlaps
    /// what is there or has fewer or more clusters than it claims; [`codes::RUN_COUNT`].
    pub fn push_pairs(
        &mut self,
        pairs: &[u8],
        lowest_vcn: u64,
        highest_vcn: Option<u64>,
        bounds: &RunBounds,
        at: u64,
    ) -> Result<()> {
        let (len, last) = (self.runs.len(), self.runs.last().copied());
        let pushed = self.push_all(pairs, lowest_vcn, highest_vcn, bounds, at);
        if pushed.is_err() {
            self.runs.truncate(len);
            if let (Some(stored), Some(last)) = (self.runs.last_mut(), last) {
                *stored = last;
            }
        }
        pushed
    }

    fn push_all(
        &mut self,
        pairs: &[u8],
        lowest_vcn: u64,
        highest_vcn: Option<u64>,
        bounds: &RunBounds,
        at: u64,
    ) -> Result<()> {
        let bad = |detail: String| Error::corrupt(codes::RUN_LIST, at, detail);
        if lowest_vcn < self.end() {
            let detail = format!("runs from cluster {lowest_vcn} on, behind {}", self.end());
            return Err(bad(detail));
        }
        let mut pairs = Pairs {
            left: pairs,
            lcn: 0,
        };
        let mut vcn = lowest_vcn;
        loop {
            let pair = pairs
                .next()
                .ok_or_else(|| bad("a cut run list".to_owned()))?;
            let Some(Pair { clusters, lcn }) = pair else {
                break;
            };
            let end = vcn.checked_add(clusters);
            if clusters == 0 || end.is_none_or(|end| end > bounds.stream_clusters_max) {
                return Err(bad(format!("a run of {clusters} clusters at {vcn}")));
            }
            let lcn = match lcn {
                None => None,
                Some(lcn) => Some(inside(lcn, clusters, bounds.volume_clusters).ok_or_else(
                    || {
                        let volume = bounds.volume_clusters;
                        bad(format!(
                            "a run of {clusters} clusters at {lcn:#x} of {volume:#x}"
                        ))
                    },
                )?),
            };
            let run = Run { vcn, lcn, clusters };
            self.push(run, bounds.run_count_max, at)?;
            vcn = end.unwrap_or(u64::MAX);
        }
        // An empty stream, and some writers for a stream of one piece, leave the last cluster at 0.
        let claimed = highest_vcn.map(|highest| highest.saturating_add(1));
        match claimed {
            Some(claimed) if claimed != vcn && claimed != 1 => {
                let detail = format!("runs up to cluster {vcn}, not {claimed}");
                Err(bad(detail))
            }
            _ => Ok(()),
        }
    }

    fn push(&mut self, run: Run, run_count_max: usize, at: u64) -> Result<()> {
        if let Some(last) = self.runs.last_mut() {
            let continues = match (last.lcn, run.lcn) {
                (Some(last_lcn), Some(lcn)) => last_lcn.saturating_add(last.clusters) == lcn,
                (None, None) => true,
                _ => false,
            };
            if continues && last.end() == run.vcn {
                last.clusters = last.clusters.saturating_add(run.clusters);
                return Ok(());
            }
        }
        if self.runs.len() >= run_count_max {
            let detail = format!("a stream in more than {run_count_max} pieces");
            return Err(Error::limit(codes::RUN_COUNT, at, detail));
        }
        self.runs.push(run);
        Ok(())
    }
}

/// The first cluster as a number of the volume, if all of them are inside of it.
fn inside(lcn: i64, clusters: u64, volume_clusters: u64) -> Option<u64> {
    let lcn = u64::try_from(lcn).ok()?;
    (lcn.checked_add(clusters)? <= volume_clusters).then_some(lcn)
}

/// One decoded pair.
struct Pair {
    clusters: u64,
    /// `None` for a hole.
    lcn: Option<i64>,
}

/// Decodes pairs one by one.
struct Pairs<'a> {
    left: &'a [u8],
    /// Of the last run that was stored.
    lcn: i64,
}

impl Pairs<'_> {
    /// `None` if the list is cut or a number does not fit in 64 bits, `Some(None)` at its end.
    ///
    /// The end may lack its mark: the attribute's own end serves as well where it is full.
    fn next(&mut self) -> Option<Option<Pair>> {
        let Some((&header, rest)) = self.left.split_first() else {
            return Some(None);
        };
        if header == 0 {
            return Some(None);
        }
        let (length_size, offset_size) = (header & 0xf, header >> 4);
        let (length, rest) = signed(rest, length_size.into())?;
        let (delta, rest) = signed(rest, offset_size.into())?;
        self.left = rest;
        let clusters = u64::try_from(length).ok()?;
        if offset_size == 0 {
            return Some(Some(Pair {
                clusters,
                lcn: None,
            }));
        }
        self.lcn = self.lcn.checked_add(delta)?;
        Some(Some(Pair {
            clusters,
            lcn: Some(self.lcn),
        }))
    }
}

/// A signed little-endian number of so many bytes, and what follows it. No bytes are 0.
fn signed(bytes: &[u8], size: usize) -> Option<(i64, &[u8])> {
    if size > 8 {
        return None;
    }
    let (number, rest) = bytes.split_at_checked(size)?;
    let fill = match number.last() {
        Some(high) if *high >= 0x80 => 0xff,
        _ => 0,
    };
    let mut wide = [fill; 8];
    wide.get_mut(..size)?.copy_from_slice(number);
    Some((i64::from_le_bytes(wide), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: RunBounds = RunBounds {
        volume_clusters: 0x1_0000,
        stream_clusters_max: 1 << 40,
        run_count_max: 4,
    };

    fn run(vcn: u64, lcn: Option<u64>, clusters: u64) -> Run {
        Run { vcn, lcn, clusters }
    }

    fn decode(pairs: &[u8]) -> Result<RunList> {
        let mut list = RunList::default();
        list.push_pairs(pairs, 0, None, &BOUNDS, 0x40)?;
        Ok(list)
    }

    #[test]
    fn runs_holes_and_steps_back() {
        let list = decode(&[0x21, 0x18, 0x34, 0x56, 1, 4, 0x11, 0x10, 0xf0, 0, 0x99]).unwrap();
        let expected = [
            run(0, Some(0x5634), 0x18),
            run(0x18, None, 4),
            run(0x1c, Some(0x5624), 0x10),
        ];
        assert_eq!(list.runs(), expected);
        assert_eq!(list.run_at(0x17), Some(&expected[0]));
        assert_eq!(list.run_at(0x18), Some(&expected[1]));
        assert_eq!(list.run_at(0x2b), Some(&expected[2]));
        assert_eq!((list.run_at(0x2c), list.end()), (None, 0x2c));
        assert_eq!(list.stored_clusters(), 0x28);
    }

    #[test]
    fn pieces_that_continue_each_other_are_joined_and_gaps_stay() {
        let mut list = decode(&[0x11, 2, 0x10, 0]).unwrap();
        list.push_pairs(&[0x11, 2, 0x12, 0], 2, Some(3), &BOUNDS, 0)
            .unwrap();
        list.push_pairs(&[0x11, 1, 0x14, 0], 8, Some(8), &BOUNDS, 0)
            .unwrap();
        assert_eq!(list.runs(), [run(0, Some(0x10), 4), run(8, Some(0x14), 1)]);
        assert_eq!((list.run_at(4), list.run_at(7)), (None, None));
        // A piece that fails leaves nothing behind, not even a run that grew.
        let before = list.clone();
        list.push_pairs(&[0x11, 1, 0x15, 0x11, 1], 9, None, &BOUNDS, 0)
            .unwrap_err();
        assert_eq!(list, before);
        list.push_pairs(&[0x11, 1, 0x15, 0], 8, None, &BOUNDS, 0)
            .unwrap_err();
        assert_eq!(list, before);
    }

    #[test]
    fn lists_that_make_no_sense_are_refused() {
        let wrong: [&[u8]; 9] = [
            &[0x11, 1],                                                 // cut
            &[0x19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],                   // a length of 9 bytes
            &[0x91, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],                   // an offset of 9 bytes
            &[0x11, 0x80, 1, 0],                                        // a negative length
            &[0x11, 0, 1, 0],                                           // no clusters
            &[0x10, 1, 0],                                              // no length
            &[0x11, 1, 0xff, 0],                                        // before the volume
            &[0x31, 2, 0xff, 0xff, 0, 0],                               // across its end
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0], // past 2^63 bytes
        ];
        for pairs in wrong {
            let error = decode(pairs).unwrap_err();
            assert_eq!(error.code(), codes::RUN_LIST, "{pairs:x?}");
        }
        decode(&[0x31, 1, 0xff, 0xff, 0, 0]).unwrap();
    }

    #[test]
    fn a_piece_has_the_clusters_that_it_claims() {
        let push =
            |highest| RunList::default().push_pairs(&[0x11, 4, 1, 0], 0, Some(highest), &BOUNDS, 0);
        push(3).unwrap();
        push(0).unwrap();
        assert_eq!(push(2).unwrap_err().code(), codes::RUN_LIST);
        assert_eq!(push(4).unwrap_err().code(), codes::RUN_LIST);
    }

    #[test]
    fn the_number_of_runs_is_bounded() {
        let pairs: Vec<u8> = (0..5).flat_map(|_| [0x11, 1, 2]).chain([0]).collect();
        let error = decode(&pairs).unwrap_err();
        assert_eq!(error.code(), codes::RUN_COUNT);
    }
}
