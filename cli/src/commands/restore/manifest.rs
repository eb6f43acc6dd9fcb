//! The manifest of a scripted restore: TOML or JSON, `docs/schema/manifest.schema.json`.

use super::job::Job;
use crate::args::OverwriteMode;
use crate::args_restore::{KeepMode, OwnerMode, VerifyMode};
use crate::exit::Exit;
use crate::output::{Failure, without_number};
use flr_fs::bytes::len_u64;
use flr_recover::copy::Digest;
use flr_recover::shown::for_terminal;
use serde::Deserialize;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longer manifests are not read.
const BYTES_MAX: u64 = 16 << 20;

/// The only version there is.
const VERSION: u32 = 1;

/// Jobs and where their results go.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) results: PathBuf,
    pub(crate) jobs: Vec<Job>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    results: Option<PathBuf>,
    #[serde(default)]
    defaults: Table,
    job: Vec<Table>,
}

/// A job, or what holds for all jobs that do not say otherwise.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Option<String>,
    from: Option<OneOrMore>,
    to: Option<PathBuf>,
    include: Option<Vec<String>>,
    exclude: Option<Vec<String>>,
    overwrite: Option<OverwriteMode>,
    backup: Option<String>,
    in_place: Option<bool>,
    owner: Option<OwnerMode>,
    map: Option<PathBuf>,
    numeric: Option<bool>,
    acl: Option<KeepMode>,
    xattr: Option<KeepMode>,
    times: Option<KeepMode>,
    devices: Option<bool>,
    setid: Option<bool>,
    verify: Option<VerifyMode>,
    salvage: Option<bool>,
    sparse: Option<bool>,
    sha256: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// Reads a manifest; one whose name ends in `.json` is JSON, any other TOML.
pub(crate) fn read(path: &Path) -> Result<Manifest, Failure> {
    let shown = for_terminal(path.as_os_str().as_encoded_bytes());
    let refused = |what: String| {
        Failure::new(Exit::Usage, format!("{shown}: {}", what.trim()))
            .hint("docs/schema/manifest.schema.json says what a manifest may hold")
    };
    let mut text = String::new();
    File::open(path)
        // One more than may be: what was cut could be read as fewer jobs.
        .and_then(|file| {
            file.take(BYTES_MAX.saturating_add(1))
                .read_to_string(&mut text)
        })
        .map_err(|error| {
            let why = without_number(error.to_string());
            Failure::new(Exit::Usage, format!("{shown}: {why}"))
                .hint("flr restore -f FILE takes the name of a manifest that can be read")
        })?;
    if len_u64(text.len()) > BYTES_MAX {
        return Err(refused(format!("longer than {BYTES_MAX} bytes")));
    }
    let is_json = path
        .extension()
        .is_some_and(|it| it.eq_ignore_ascii_case("json"));
    let document: Document = match is_json {
        true => serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?,
        false => toml::from_str(&text).map_err(|error| refused(words(&text, &error)))?,
    };
    jobs(document).map_err(refused)
}

/// What is wrong with TOML, and where, in one line.
fn words(text: &str, error: &toml::de::Error) -> String {
    let what = error.message().replace('\n', ": ");
    let before = error.span().and_then(|span| text.get(..span.start));
    let Some(before) = before else {
        return what;
    };
    let line = before.matches('\n').count().saturating_add(1);
    let begun = before.rsplit('\n').next().unwrap_or_default();
    let column = begun.chars().count().saturating_add(1);
    format!("line {line}, column {column}: {what}")
}

fn jobs(document: Document) -> Result<Manifest, String> {
    if document.version != VERSION {
        return Err(format!(
            "version {} is not known, {VERSION} is",
            document.version
        ));
    }
    let defaults = document.defaults;
    if defaults.name.is_some() || defaults.from.is_some() || defaults.sha256.is_some() {
        return Err("name, from and sha256 are a job's own, no defaults".to_owned());
    }
    if document.job.is_empty() {
        return Err("no job".to_owned());
    }
    let jobs = (1_usize..).zip(document.job).map(|(number, table)| {
        let name = table.name.clone().unwrap_or_else(|| number.to_string());
        job(table, &defaults, &name).map_err(|what| format!("job {name}: {what}"))
    });
    Ok(Manifest {
        results: document.results.unwrap_or_else(|| PathBuf::from(".")),
        jobs: jobs.collect::<Result<_, _>>()?,
    })
}

fn job(table: Table, defaults: &Table, name: &str) -> Result<Job, String> {
    let from: Vec<OsString> = match table.from {
        Some(OneOrMore::One(from)) => vec![from.into()],
        Some(OneOrMore::More(from)) => from.into_iter().map(OsString::from).collect(),
        None => Vec::new(),
    };
    if from.is_empty() {
        return Err("from is missing".to_owned());
    }
    let sha256 = match &table.sha256 {
        Some(text) => Some(Digest::from_hex(text).ok_or("sha256 has not 64 digits")?),
        None => None,
    };
    if sha256.is_some() && from.len() != 1 {
        return Err("sha256 is about one file".to_owned());
    }
    let to = table.to.or_else(|| defaults.to.clone());
    let flag = |own: Option<bool>, all: Option<bool>| own.or(all).unwrap_or(false);
    let backup = table.backup.or_else(|| defaults.backup.clone());
    let or_keep = |own: Option<KeepMode>, all| own.or(all).unwrap_or(KeepMode::Keep);
    let or_none = |own: Option<Vec<String>>, all: &Option<Vec<String>>| {
        own.or_else(|| all.clone()).unwrap_or_default()
    };
    let overwrite = table.overwrite.or(defaults.overwrite);
    Ok(Job {
        name: name.to_owned(),
        from,
        to: to.ok_or("to is missing")?,
        include: or_none(table.include, &defaults.include),
        exclude: or_none(table.exclude, &defaults.exclude),
        overwrite: overwrite.unwrap_or(OverwriteMode::Never),
        backup: backup.map(OsString::from),
        in_place: flag(table.in_place, defaults.in_place),
        owner: table.owner.or(defaults.owner).unwrap_or(OwnerMode::Keep),
        map: table.map.or_else(|| defaults.map.clone()),
        numeric: flag(table.numeric, defaults.numeric),
        acl: or_keep(table.acl, defaults.acl),
        xattr: or_keep(table.xattr, defaults.xattr),
        times: or_keep(table.times, defaults.times),
        devices: flag(table.devices, defaults.devices),
        setid: flag(table.setid, defaults.setid),
        verify: table.verify.or(defaults.verify).unwrap_or(VerifyMode::Read),
        salvage: flag(table.salvage, defaults.salvage),
        sparse: flag(table.sparse, defaults.sparse),
        sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn written(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line_with_its_place() {
        let wrong = |text: &str| {
            let error = read(written(text).path()).unwrap_err();
            assert!(!error.message.contains('\n'), "{}", error.message);
            error.message
        };
        let said = wrong("version = 1\n[[job]]\nfrom = 'x'\n  overwrit = 'never'\n");
        let words = "line 4, column 3: unknown field `overwrit`, expected one of";
        assert!(said.contains(words), "{said}");
        let said = wrong("version = 1\n[[job]\n");
        assert!(said.contains("line 2, column "), "{said}");
        let missing = read(Path::new("/nosuch/m.toml")).unwrap_err();
        let (said, hint) = (missing.message, missing.hint.unwrap());
        assert!(
            said.ends_with("m.toml: No such file or directory"),
            "{said}"
        );
        assert!(!hint.contains("schema"), "{hint}");
    }

    #[test]
    fn what_is_too_long_is_refused_and_not_cut() {
        let mut text = "version = 1\n[[job]]\nfrom = 'a.img:/x'\nto = 'out'\n".to_owned();
        assert_eq!(read(written(&text).path()).unwrap().jobs.len(), 1);
        // Up to the bound it is a manifest of one job.
        let len = usize::try_from(BYTES_MAX).unwrap();
        text.push_str(&"\n".repeat(len - text.len()));
        text.push_str("[[job]]\nfrom = 'a.img:/y'\nto = 'out'\n");
        let error = read(written(&text).path()).unwrap_err();
        assert!(error.message.contains("longer than"), "{}", error.message);
    }

    fn parse(text: &str) -> Result<Manifest, String> {
        let document = toml::from_str(text).map_err(|error| error.to_string())?;
        jobs(document)
    }

    #[test]
    fn a_job_says_more_than_the_defaults() {
        let manifest = parse(
            "version = 1\n[defaults]\nto = 'out'\nsalvage = true\nverify = 'disk'\n\
             [[job]]\nfrom = 'a.img:/x'\n[[job]]\nname = 'two'\nfrom = ['b.img:/x', 'b.img:/y']\n\
             to = 'other'\nsalvage = false\noverwrite = 'if-changed'\n",
        )
        .unwrap();
        let [one, two] = manifest.jobs.as_slice() else {
            panic!("{manifest:?}");
        };
        assert_eq!((one.name.as_str(), one.from.len()), ("1", 1));
        assert!(one.salvage && one.to == Path::new("out"));
        assert_eq!((two.name.as_str(), two.from.len()), ("two", 2));
        assert!(!two.salvage && two.verify == VerifyMode::Disk);
        assert_eq!(two.overwrite, OverwriteMode::IfChanged);
        assert_eq!(manifest.results, Path::new("."));
    }

    #[test]
    fn what_is_not_known_or_missing_is_an_error() {
        for (text, why) in [
            ("version = 2\njob = []", "version 2"),
            ("version = 1\njob = []", "no job"),
            ("version = 1\n[[job]]\nto = 'x'", "from is missing"),
            ("version = 1\n[[job]]\nfrom = 'x'", "to is missing"),
            ("version = 1\n[[job]]\nfrom = 'x'\nto = 'y'\nfrm = 1", "frm"),
            (
                "version = 1\nother = 1\n[[job]]\nfrom = 'x'\nto = 'y'",
                "other",
            ),
            (
                "version = 1\n[defaults]\nsha256 = 'x'\n[[job]]\nfrom = 'x'\nto = 'y'",
                "no defaults",
            ),
            (
                "version = 1\n[[job]]\nfrom = 'x'\nto = 'y'\nsha256 = 'abc'",
                "64 digits",
            ),
            (
                "version = 1\n[[job]]\nfrom = 'x'\nto = 'y'\noverwrite = 'maybe'",
                "maybe",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
