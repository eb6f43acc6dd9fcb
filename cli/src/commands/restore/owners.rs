//! Owners: by a table, by name, or by number.

use super::job::Job;
use crate::args_restore::OwnerMode;
use crate::exit::Exit;
use crate::output::Failure;
use flr_recover::copy::Owners;
use flr_recover::shown::for_terminal;
use flr_recover::{Error, GROUP, IdNames, PASSWD, View};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Which owners the copies get, by what the guest and this machine call them.
pub(crate) fn owners(
    job: &Job,
    view: &View,
    warn: &mut dyn FnMut(&str),
) -> Result<Owners, Failure> {
    let mut owners = Owners::default();
    if job.owner == OwnerMode::None {
        return Ok(owners);
    }
    if !job.numeric {
        owners.users.guest = of_guest(view, PASSWD, warn);
        owners.groups.guest = of_guest(view, GROUP, warn);
        owners.users.host = of_host(PASSWD);
        owners.groups.host = of_host(GROUP);
    }
    if let Some(path) = &job.map {
        table(path, &mut owners)?;
    }
    Ok(owners)
}

/// Names of the guest. A view without them has none: numbers stay. Where they cannot be read that is said.
fn of_guest(view: &View, path: &str, warn: &mut dyn FnMut(&str)) -> IdNames {
    IdNames::of_guest(view, path).unwrap_or_else(|error| {
        warn(&by_number(path, &error));
        IdNames::default()
    })
}

/// What is said where a list of the guest cannot be read.
pub(crate) fn by_number(path: &str, error: &Error) -> String {
    let error = for_terminal(error.to_string().as_bytes());
    format!("owners go by number, because the image's {path} cannot be read: {error}")
}

/// Names here, of the files alone: no directory service is asked.
fn of_host(path: &str) -> IdNames {
    let mut text = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(IdNames::LIST_BYTES_MAX).read_to_end(&mut text));
    read.map_or_else(|_| IdNames::default(), |_| IdNames::parse(&text))
}

/// Reads a table: lines `user:FROM:TO` and `group:FROM:TO`, names or numbers, of NTFS also security identifiers;
/// `*` is everybody else.
fn table(path: &Path, owners: &mut Owners) -> Result<(), Failure> {
    let shown = for_terminal(path.as_os_str().as_encoded_bytes());
    let refused = |what: String| {
        Failure::new(Exit::Usage, format!("--map {shown}: {what}"))
            .hint("each line is user:FROM:TO or group:FROM:TO, with names, numbers or S-1-…")
    };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(IdNames::LIST_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| refused(error.to_string()))?;
    for (number, line) in (1_u64..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what: &str| refused(format!("line {number}: {what}"));
        let mut fields = line.split(':');
        let (kind, from, to) = (fields.next(), fields.next(), fields.next());
        let (Some(from), Some(to), None) = (from, to, fields.next()) else {
            return Err(wrong("expected three fields"));
        };
        let rules = match kind {
            Some("user") => &mut owners.users,
            Some("group") => &mut owners.groups,
            _ => return Err(wrong("expected user or group")),
        };
        let to = number_of(&rules.host, to).ok_or_else(|| wrong("nobody here is called so"))?;
        if from == "*" {
            rules.others = Some(to);
            continue;
        }
        if from.starts_with("S-1-") {
            let before = rules.sids.insert(from.into(), to);
            if before.is_some_and(|before| before != to) {
                return Err(wrong("said otherwise in a line before"));
            }
            continue;
        }
        let from = number_of(&rules.guest, from);
        let from = from.ok_or_else(|| wrong("nobody in the image is called so"))?;
        if rules
            .table
            .insert(from, to)
            .is_some_and(|before| before != to)
        {
            return Err(wrong("said otherwise in a line before"));
        }
    }
    Ok(())
}

fn number_of(names: &IdNames, text: &str) -> Option<u32> {
    // All ones is "nobody" to the kernel.
    let number = text.parse().ok().filter(|number| *number != u32::MAX);
    number.or_else(|| names.id_of(text.as_bytes()))
}
