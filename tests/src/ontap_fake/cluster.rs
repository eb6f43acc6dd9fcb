//! The cluster itself, its SVMs, and jobs.

use super::context::Context;
use super::error::{hal, not_there};
use super::jobs;
use super::query::{Kind, Record};
use crate::stand_in::error::Result;
use serde_json::json;

const CLUSTER: Kind = Kind {
    always: &["name", "uuid"],
    expensive: &["statistics", "metric"],
    known: &[
        "name",
        "uuid",
        "version",
        "contact",
        "location",
        "timezone",
        "san_optimized",
        "disaggregated",
    ],
};

const SVM: Kind = Kind {
    always: &["name", "uuid"],
    expensive: &[],
    known: &[
        "name", "uuid", "state", "subtype", "iscsi", "nfs", "comment", "language",
    ],
};

/// `GET /cluster`
pub(crate) fn get(context: &Context<'_>) -> Result {
    let state = context.state();
    let super::Version(generation, major, minor) = state.version;
    let full = format!("NetApp Release {generation}.{major}.{minor}: Fri Nov 20 12:00:00 UTC 2026");
    let record = Record {
        key: String::new(),
        href: Some("/api/cluster".to_owned()),
        value: json!({
            "name": "cluster1",
            "uuid": state.cluster,
            "san_optimized": state.settings.disaggregated,
            "disaggregated": state.settings.disaggregated,
            "version": {
                "full": full,
                "generation": generation,
                "major": major,
                "minor": minor,
            },
        }),
    };
    Ok(hal(200, &CLUSTER.single(&context.reading, &record)?))
}

fn svms(context: &Context<'_>) -> Vec<Record> {
    let state = context.state();
    let svms = context.seen(&state).svms.values();
    let svms = svms.filter(|svm| context.sees(&svm.name));
    svms.map(|svm| Record {
        key: svm.name.clone(),
        href: Some(format!("/api/svm/svms/{}", svm.uuid)),
        value: json!({
            "name": svm.name,
            "uuid": svm.uuid,
            "state": svm.state,
            "subtype": "default",
            "iscsi": { "enabled": true },
            "nfs": { "enabled": true },
        }),
    })
    .collect()
}

/// `GET /svm/svms`
pub(crate) fn list_svms(context: &Context<'_>) -> Result {
    let at_most = context.state().settings.page_max;
    let document = SVM.collection(&context.reading, svms(context), at_most)?;
    Ok(hal(200, &document))
}

/// `GET /svm/svms/{uuid}`
pub(crate) fn get_svm(context: &Context<'_>) -> Result {
    let svms = svms(context);
    let uuid = context.route.id("uuid");
    let svm = svms.iter().find(|svm| svm.value["uuid"] == uuid);
    let svm = svm.ok_or_else(|| not_there("uuid"))?;
    Ok(hal(200, &SVM.single(&context.reading, svm)?))
}

/// `GET /cluster/jobs`
pub(crate) fn list_jobs(context: &Context<'_>) -> Result {
    let records = jobs::all(&context.state(), context.now);
    let document = jobs::KIND.collection(&context.reading, records, None)?;
    Ok(hal(200, &document))
}

/// `GET /cluster/jobs/{uuid}`
pub(crate) fn get_job(context: &Context<'_>) -> Result {
    let state = context.state();
    let job = jobs::find(&state, context.route.id("uuid"))?;
    let record = job.record(&state, context.now);
    Ok(hal(200, &jobs::KIND.single(&context.reading, &record)?))
}
