//! The role that reading needs, as commands for whoever gives it.

/// What a role allows of a part of the interface.
const RIGHTS: &[(&str, &str, &str)] = &[
    (
        "/api/cluster",
        "readonly",
        "which cluster and release it is",
    ),
    ("/api/cluster/jobs", "readonly", "the end of what was begun"),
    ("/api/svm/svms", "readonly", "SVMs, for sources without one"),
    ("/api/storage/volumes", "readonly", "volumes and snapshots"),
    (
        "/api/storage/luns",
        "all",
        "clones of LUNs, their bytes, their end",
    ),
];

/// The same where SnapMirror's destinations are read.
const VOLUME_CLONES: &[(&str, &str, &str)] = &[(
    "/api/storage/volumes",
    "all",
    "volumes, snapshots, and FlexClones of SnapMirror's destinations",
)];

/// The same where files are cloned.
const FILE_CLONES: &[(&str, &str, &str)] = &[
    ("/api/storage/file/clone", "all", "clones of files"),
    (
        "/api/storage/volumes/*/files",
        "all",
        "files, their bytes, the end of their clones",
    ),
];

/// What a role is to be for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Also destinations of SnapMirror.
    pub snapmirror: bool,
    /// Also clones of files, where bytes below `.snapshot` are refused.
    pub file_clones: bool,
    /// The SVM whose role it is. Without one the cluster's.
    pub svm: Option<String>,
}

/// Commands for the console of a cluster's administrator: a role, and a user with it.
#[must_use]
pub fn commands(wanted: &Wanted) -> Vec<String> {
    let vserver = wanted.svm.as_deref().unwrap_or("CLUSTER");
    let rights = rights(wanted).into_iter().map(|(path, access, _)| {
        format!(
            "security login rest-role create -vserver {vserver} -role flr -api {path} -access {access}"
        )
    });
    let login = format!(
        "security login create -vserver {vserver} -user-or-group-name flr -application http \
         -authentication-method password -role flr"
    );
    rights.chain([login]).collect()
}

/// The rights of a role: path, access, and what for.
#[must_use]
pub fn rights(wanted: &Wanted) -> Vec<(&'static str, &'static str, &'static str)> {
    let more = match wanted.snapmirror {
        true => VOLUME_CLONES,
        false => &[],
    };
    let files = match wanted.file_clones {
        true => FILE_CLONES,
        false => &[],
    };
    let replaced = |path: &str| more.iter().any(|(other, _, _)| *other == path);
    let kept = RIGHTS.iter().filter(|(path, _, _)| !replaced(path));
    kept.chain(more).chain(files).copied().collect()
}

/// What to know about it.
#[must_use]
pub fn notes(wanted: &Wanted) -> Vec<&'static str> {
    let mut notes = vec![
        "run these as an administrator of the cluster; CLUSTER stands for its name, or for that of an SVM",
        "no igroup, no LUN map and no right to any is needed: clones are read by management alone",
        "for a client certificate: -authentication-method cert, and security certificate install -type client-ca",
    ];
    if !wanted.snapmirror {
        notes.push("destinations of SnapMirror need more: --snapmirror");
    }
    notes.push(match wanted.file_clones {
        true => "a role cannot allow the deleting of clones alone: this one may write and delete any file",
        false => "files whose bytes the cluster refuses below .snapshot need more: --file-clones",
    });
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_each_path_once_and_maps_nothing() {
        for (snapmirror, file_clones) in
            [(false, false), (true, false), (false, true), (true, true)]
        {
            let wanted = Wanted {
                snapmirror,
                file_clones,
                svm: Some("svm1".into()),
            };
            let rights = rights(&wanted);
            let mut paths: Vec<_> = rights.iter().map(|(path, _, _)| *path).collect();
            paths.sort_unstable();
            let count = paths.len();
            paths.dedup();
            assert_eq!(paths.len(), count);
            assert!(paths.iter().all(|path| !path.contains("/protocols")));
            let commands = commands(&wanted);
            assert_eq!(commands.len(), count + 1);
            assert!(commands.iter().all(|line| line.contains("-vserver svm1")));
            let volumes = rights.iter().find(|right| right.0.ends_with("volumes"));
            let all = volumes.unwrap().1 == "all";
            assert_eq!(all, snapmirror);
            let files = paths.iter().any(|path| path.contains("file"));
            assert_eq!(files, file_clones);
        }
    }
}
