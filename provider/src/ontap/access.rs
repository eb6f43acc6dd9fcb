//! What a user may do, found out without making anything.

use super::api;
use super::client::Client;
use super::making::SINCE;
use crate::fault::Fault;
use crate::remote::retry_calls;

/// What a call was tried for, and what it came to.
pub type Look = (&'static str, Result<String, Fault>);

/// Tries what commands need: the cluster and its release, volumes, LUNs, files, jobs. Whether a clone could
/// be made shows only when one is.
pub async fn check_access(client: &Client) -> Vec<Look> {
    let cluster = retry_calls(|| api::cluster(client)).await;
    let cluster = cluster.map(|(cluster, _)| {
        let (name, release) = (&cluster.name, cluster.release());
        let version = &cluster.version;
        let reads = (version.generation, version.major) >= SINCE;
        match (cluster.is_asa_r2(), reads) {
            (true, _) => format!("{name}, ONTAP {release}, an ASA r2: LUNs cannot be cloned there"),
            (false, true) => format!("{name}, ONTAP {release}"),
            (false, false) => {
                format!("{name}, ONTAP {release}: bytes of LUNs can be read from 9.12.1 on")
            }
        }
    });
    let svm = client.svm().unwrap_or("*").to_owned();
    let volumes = retry_calls(|| api::count_volumes(client, &svm)).await;
    let luns = retry_calls(|| api::count_luns(client, &svm)).await;
    let files = retry_calls(|| api::see_files(client, &svm)).await;
    let jobs = retry_calls(|| api::open_jobs(client)).await;
    vec![
        ("cluster", cluster),
        (
            "volumes",
            volumes.map(|count| format!("{count} can be seen")),
        ),
        ("luns", luns.map(|count| format!("{count} can be seen"))),
        ("files", files.map(told_files)),
        ("jobs", jobs.map(|jobs| format!("{} are open", jobs.len()))),
    ]
}

fn told_files(volume: Option<String>) -> String {
    match volume {
        Some(volume) => format!("those of {volume} can be seen"),
        None => "there is no volume to look into".to_owned(),
    }
}
