//! Progress of long work: a bar on a terminal, JSON lines if asked for, nothing otherwise.

use crate::args::{Global, ProgressMode};
use crate::output::{fields, json_line, say};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a JSON line is written.
const JSON_INTERVAL: Duration = Duration::from_secs(1);

/// Work that is over before this needs no bar.
const BAR_DELAY: Duration = Duration::from_millis(500);

/// Progress in bytes.
pub(crate) enum Bar {
    None,
    Terminal {
        bar: ProgressBar,
        begun: Instant,
        shown: AtomicBool,
    },
    Json {
        total: u64,
        last: Mutex<(Instant, u64)>,
        what: &'static str,
    },
}

impl Bar {
    /// Progress of `total` bytes; 0 if it is not known yet.
    pub(crate) fn new(global: &Global, total: u64, what: &'static str) -> Self {
        let mode = if global.no_progress {
            ProgressMode::None
        } else {
            global.progress
        };
        match mode {
            ProgressMode::None => Self::None,
            ProgressMode::Json => Self::Json {
                total,
                last: Mutex::new((Instant::now(), 0)),
                what,
            },
            ProgressMode::Auto => {
                let shown = std::io::stderr().is_terminal() && !global.quiet && !global.json;
                if !shown {
                    return Self::None;
                }
                let bar = ProgressBar::with_draw_target(
                    (total > 0).then_some(total),
                    ProgressDrawTarget::hidden(),
                );
                let template = match total {
                    0 => "{msg} {binary_bytes} ({binary_bytes_per_sec})",
                    _ => {
                        "{msg} [{bar:30}] {binary_bytes}/{binary_total_bytes} \
                         ({binary_bytes_per_sec}, {eta} left)"
                    }
                };
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style.progress_chars("=> "));
                }
                bar.set_message(what);
                Self::Terminal {
                    bar,
                    begun: Instant::now(),
                    shown: AtomicBool::new(false),
                }
            }
        }
    }

    /// This many bytes are done.
    pub(crate) fn at(&self, done: u64) {
        match self {
            Self::None => {}
            Self::Terminal { bar, .. } => {
                self.show();
                bar.set_position(done);
            }
            Self::Json { .. } => self.json(|_| done),
        }
    }

    /// This many more bytes are done.
    pub(crate) fn add(&self, bytes: u64) {
        match self {
            Self::None => {}
            Self::Terminal { bar, .. } => {
                self.show();
                bar.inc(bytes);
            }
            Self::Json { .. } => self.json(|before| before.saturating_add(bytes)),
        }
    }

    /// Draws the bar from now on, if there has been time to wonder.
    fn show(&self) {
        if let Self::Terminal { bar, begun, shown } = self
            && begun.elapsed() >= BAR_DELAY
            && !shown.swap(true, Ordering::Relaxed)
        {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
    }

    fn json(&self, next: impl FnOnce(u64) -> u64) {
        let Self::Json { total, last, what } = self else {
            return;
        };
        let mut last = last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        last.1 = next(last.1);
        if last.0.elapsed() >= JSON_INTERVAL {
            last.0 = Instant::now();
            let value = json!({
                "action": what, "bytes_done": last.1,
                "bytes_total": if *total == 0 { None } else { Some(*total) },
            });
            say(&json_line("status", &fields(value)));
        }
    }

    /// Prints a line above the bar, where there is one.
    pub(crate) fn above(&self, print: impl FnOnce()) {
        match self {
            Self::Terminal { bar, .. } => bar.suspend(print),
            Self::None | Self::Json { .. } => print(),
        }
    }

    /// The work is over; the bar goes.
    pub(crate) fn finish(&self) {
        if let Self::Terminal { bar, .. } = self {
            bar.finish_and_clear();
        }
    }
}
