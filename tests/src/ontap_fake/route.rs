//! Which operation a request is for.

use super::query::leaves;
use super::reading::Reading;
use serde_json::Value;

/// An operation, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Such as `CreateLun`.
    pub(crate) operation: &'static str,
    /// UUIDs and paths that are in the path.
    pub(crate) ids: Vec<(&'static str, String)>,
}

impl Route {
    fn new(operation: &'static str, ids: &[(&'static str, &str)]) -> Self {
        let ids = ids.iter().map(|(name, id)| (*name, (*id).to_owned()));
        Self {
            operation,
            ids: ids.collect(),
        }
    }

    /// What is in the path under a name.
    pub(crate) fn id(&self, name: &str) -> &str {
        let mut ids = self.ids.iter();
        let found = ids.find_map(|(known, id)| (*known == name).then_some(id.as_str()));
        found.unwrap_or_default()
    }
}

/// Where a request goes.
pub(crate) fn route(reading: &Reading) -> Route {
    let parts: Vec<_> = reading.parts.iter().map(String::as_str).collect();
    let ["api", parts @ ..] = &parts[..] else {
        return Route::new("Unknown", &[]);
    };
    let method = reading.method.as_str();
    match parts {
        ["cluster"] if method == "GET" => Route::new("GetCluster", &[]),
        ["cluster", "jobs", rest @ ..] => jobs(method, rest),
        ["svm", "svms"] if method == "GET" => Route::new("ListSvms", &[]),
        ["svm", "svms", uuid] if method == "GET" => Route::new("GetSvm", &[("uuid", uuid)]),
        ["storage", "luns", rest @ ..] => luns(reading, rest),
        ["storage", "volumes", volume, "snapshots", rest @ ..] => snapshots(method, volume, rest),
        ["storage", "volumes", volume, "files", rest @ ..] => files(reading, volume, rest),
        ["storage", "volumes", rest @ ..] => volumes(method, rest),
        ["storage", "file", "clone"] if method == "POST" => Route::new("CloneFile", &[]),
        ["protocols", "san", rest @ ..] => san(method, rest),
        ["security", "multi-admin-verify", "requests", rest @ ..] if method == "GET" => {
            match rest {
                [] => Route::new("ListApprovals", &[]),
                [index] => Route::new("GetApproval", &[("index", index)]),
                _ => Route::new("Unknown", &[]),
            }
        }
        ["private", "cli", ..] => Route::new("Command", &[]),
        _ => Route::new("Unknown", &[]),
    }
}

fn jobs(method: &str, rest: &[&str]) -> Route {
    match (method, rest) {
        ("GET", []) => Route::new("ListJobs", &[]),
        ("GET", [uuid]) => Route::new("GetJob", &[("uuid", uuid)]),
        _ => Route::new("Unknown", &[]),
    }
}

fn luns(reading: &Reading, rest: &[&str]) -> Route {
    let is_read = reading.wants_data || reading.parameter("data.size").is_some();
    match (reading.method.as_str(), rest) {
        ("GET", []) => Route::new("ListLuns", &[]),
        ("POST", []) => Route::new("CreateLun", &[]),
        ("GET", [uuid]) if is_read => Route::new("ReadLun", &[("uuid", uuid)]),
        ("GET", [uuid]) => Route::new("GetLun", &[("uuid", uuid)]),
        ("PATCH", [uuid]) if reading.sends_data => Route::new("WriteLun", &[("uuid", uuid)]),
        ("PATCH", [uuid]) => Route::new("PatchLun", &[("uuid", uuid)]),
        ("DELETE", [uuid]) => Route::new("DeleteLun", &[("uuid", uuid)]),
        _ => Route::new("Unknown", &[]),
    }
}

fn volumes(method: &str, rest: &[&str]) -> Route {
    match (method, rest) {
        ("GET", []) => Route::new("ListVolumes", &[]),
        ("POST", []) => Route::new("CreateVolume", &[]),
        ("GET", [uuid]) => Route::new("GetVolume", &[("uuid", uuid)]),
        ("PATCH", [uuid]) => Route::new("PatchVolume", &[("uuid", uuid)]),
        ("DELETE", [uuid]) => Route::new("DeleteVolume", &[("uuid", uuid)]),
        _ => Route::new("Unknown", &[]),
    }
}

fn snapshots(method: &str, volume: &str, rest: &[&str]) -> Route {
    match (method, rest) {
        ("GET", []) => Route::new("ListSnapshots", &[("volume", volume)]),
        ("POST", []) => Route::new("CreateSnapshot", &[("volume", volume)]),
        ("GET", [uuid]) => Route::new("GetSnapshot", &[("volume", volume), ("uuid", uuid)]),
        ("PATCH", [uuid]) => Route::new("PatchSnapshot", &[("volume", volume), ("uuid", uuid)]),
        ("DELETE", [uuid]) => Route::new("DeleteSnapshot", &[("volume", volume), ("uuid", uuid)]),
        _ => Route::new("Unknown", &[]),
    }
}

fn files(reading: &Reading, volume: &str, rest: &[&str]) -> Route {
    let path = match rest {
        [] => "",
        [path] => path,
        // A slash that is not encoded is none of the path's.
        _ => return Route::new("Unknown", &[]),
    };
    let path = path.trim_matches('/');
    let path = path.strip_prefix("./").unwrap_or(path);
    let path = if path == "." { "" } else { path };
    let operation = match reading.method.as_str() {
        "GET" if reading.switch("return_metadata").unwrap_or_default() => "StatFile",
        "GET" if reading.wants_data => "ReadFile",
        "GET" => "ListFiles",
        "POST" => "CreateFile",
        "PATCH" if reading.sends_data => "WriteFile",
        "PATCH" => "PatchFile",
        "DELETE" => "DeleteFile",
        _ => "Unknown",
    };
    Route::new(operation, &[("volume", volume), ("path", path)])
}

fn san(method: &str, rest: &[&str]) -> Route {
    match (method, rest) {
        ("GET", ["igroups"]) => Route::new("ListIgroups", &[]),
        ("POST", ["igroups"]) => Route::new("CreateIgroup", &[]),
        ("GET", ["igroups", uuid]) => Route::new("GetIgroup", &[("uuid", uuid)]),
        ("DELETE", ["igroups", uuid]) => Route::new("DeleteIgroup", &[("uuid", uuid)]),
        ("GET", ["lun-maps"]) => Route::new("ListLunMaps", &[]),
        ("POST", ["lun-maps"]) => Route::new("CreateLunMap", &[]),
        ("GET", ["lun-maps", lun, group]) => {
            Route::new("GetLunMap", &[("lun", lun), ("igroup", group)])
        }
        ("DELETE", ["lun-maps", lun, group]) => {
            Route::new("DeleteLunMap", &[("lun", lun), ("igroup", group)])
        }
        _ => Route::new("Unknown", &[]),
    }
}

/// All that a request gives: what is in its path, its query, and its document.
pub(crate) fn parameters(route: &Route, reading: &Reading) -> Vec<(String, String)> {
    let ids = route.ids.iter();
    let mut all: Vec<_> = ids
        .map(|(name, id)| ((*name).to_owned(), id.clone()))
        .collect();
    all.extend(reading.parameters.iter().cloned());
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if reading.body.is_object() {
        let fields = leaves(&reading.body);
        all.extend(fields.into_iter().map(|(name, value)| (name, text(value))));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in::Request;

    #[test]
    fn paths_of_files_are_one_part() {
        let at = |path: &str| {
            let request = Request {
                method: "GET".to_owned(),
                path: format!("/api/storage/volumes/v{path}"),
                ..Request::default()
            };
            let route = route(&Reading::new(&request));
            (route.operation, route.id("path").to_owned())
        };
        assert_eq!(at("/files"), ("ListFiles", String::new()));
        assert_eq!(at("/files/%2E"), ("ListFiles", String::new()));
        let inside = at("/files/%2Esnapshot%2Fnightly%2E0%2Fa%20+%2Bb");
        assert_eq!(
            inside,
            ("ListFiles", ".snapshot/nightly.0/a  +b".to_owned())
        );
        assert_eq!(at("/files/a/b").0, "Unknown");
    }
}
