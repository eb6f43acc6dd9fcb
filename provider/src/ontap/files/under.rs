//! A snapshot by its id, under whatever name it has: paths have its name, and rotation gives that to
//! another one.

use super::super::api;
use super::super::client::Client;
use crate::fault::{Fault, FaultKind};
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A snapshot that is renamed again and again is somebody's mistake.
const TRIES: usize = 4;

/// A snapshot of a volume.
#[derive(Debug)]
pub(super) struct Under {
    pub(super) client: Client,
    /// Id of the volume.
    pub(super) volume: String,
    /// Id of the snapshot.
    pub(super) snapshot: String,
    /// The name that it had last.
    name: Mutex<String>,
}

impl Under {
    pub(super) fn new(client: &Client, volume: &str, snapshot: &str, name: &str) -> Self {
        Self {
            client: client.clone(),
            volume: volume.to_owned(),
            snapshot: snapshot.to_owned(),
            name: Mutex::new(name.to_owned()),
        }
    }

    fn name(&self) -> MutexGuard<'_, String> {
        self.name.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call with the path of something in the snapshot. What it gave counts only if the
    /// snapshot is called so still when it has ended; else it is made again with the new name.
    pub(super) async fn call<T, F>(
        &self,
        path: &str,
        call: impl Fn(String) -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        for _ in 0..TRIES {
            let before = self.name().clone();
            let answer = call(inside(&before, path)).await;
            if let Err(fault) = &answer
                && fault.kind != FaultKind::NotFound
            {
                return answer;
            }
            let now = self.now().await?;
            if now == before {
                return answer;
            }
            tracing::info!("the snapshot {before} is called {now} now");
        }
        let message = "the snapshot is renamed again and again";
        Err(Fault::new(FaultKind::Unknown, message))
    }

    /// The name that the snapshot has now.
    pub(super) async fn now(&self) -> Result<String, Fault> {
        let snapshot = api::snapshot(&self.client, &self.volume, &self.snapshot).await?;
        let now = snapshot.ok_or_else(|| {
            let message = format!("the snapshot {} was deleted meanwhile", self.name());
            Fault::new(FaultKind::Refused, message)
        })?;
        self.name().clone_from(&now.name);
        Ok(now.name)
    }
}

/// The path of something in a snapshot, inside of the volume.
fn inside(snapshot: &str, path: &str) -> String {
    match path {
        "" => format!(".snapshot/{snapshot}"),
        path => format!(".snapshot/{snapshot}/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_with_the_snapshot() {
        assert_eq!(inside("nightly.0", ""), ".snapshot/nightly.0");
        assert_eq!(inside("nightly.0", "a/b"), ".snapshot/nightly.0/a/b");
    }
}
