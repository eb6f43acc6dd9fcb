//! `flr hash`: hashes of files, and comparing them with a list.

use super::Context;
use crate::args::{Algorithm, Hash};
use crate::exit::Exit;
use crate::hash::{key, of};
use crate::node::{self, Extras};
use crate::open::{Opened, Opener, quoted};
use crate::output::{Failure, Outcome};
use crate::progress::Bar;
use flr_recover::address::Address;
use flr_recover::shown::{for_terminal, from_terminal};
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Hash) -> Outcome {
    if let Some(list) = &args.check {
        return check(ctx, args, list);
    }
    let algorithm = args.algo.unwrap_or(Algorithm::Sha256);
    ctx.for_each(&args.addresses.addresses, true, |ctx, opened| {
        let Some(digest) = digest(ctx, algorithm, opened)? else {
            return Ok(());
        };
        ctx.tally.done();
        if ctx.out.json {
            let mut map = node_of(opened);
            map.insert(key(algorithm).into(), digest.into());
            return ctx.out.message("node", &map);
        }
        let address = opened.text_of(&opened.target.resolved.path);
        ctx.out.line(&format!("{digest}  {address}"))
    })
}

fn node_of(opened: &Opened) -> serde_json::Map<String, serde_json::Value> {
    let resolved = &opened.target.resolved;
    let (path, node) = (&resolved.path, resolved.node);
    let (map, _) = node::json(opened, path, node, &resolved.metadata, Extras::default());
    map
}

fn digest(ctx: &mut Context<'_>, algorithm: Algorithm, opened: &Opened) -> Outcome<Option<String>> {
    let resolved = &opened.target.resolved;
    let bar = Bar::new(ctx.global, resolved.metadata.size, "hashing");
    let digest = (opened.target.opened.view.open(resolved.node))
        .and_then(|source| of(source.as_ref(), algorithm, &mut |done| bar.at(done)));
    bar.finish();
    match digest {
        Ok(digest) => Ok(Some(digest)),
        Err(error) => {
            let instead = "flr ls -R --hash sha256";
            ctx.fail_content(&opened.text_of(&resolved.path), &error, instead)?;
            Ok(None)
        }
    }
}

/// A line of a list.
#[derive(Debug, PartialEq, Eq)]
struct Expected<'a> {
    digest: &'a str,
    algorithm: Algorithm,
    name: OsString,
}

/// Compares files with the hashes of a list. With an address, the list's names are paths in it, or the
/// file itself if it is one; without, they are addresses.
fn check(ctx: &mut Context<'_>, args: &Hash, list: &Path) -> Outcome {
    let shown = for_terminal(list.as_os_str().as_encoded_bytes());
    let usage = |what: String| Failure::new(Exit::Usage, format!("--check {shown}{what}"));
    let text = read(list).map_err(|error| usage(format!(": {error}")))?;
    let mut opener = Opener::new(ctx);
    let base = base(&opener, args)?;
    let mut wanted = Vec::new();
    for (number, line) in (1_u64..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Comments, and what `flr ls --hash` says of directories.
        if line.is_empty() || line.starts_with(b"#") || line.starts_with(b"- ") {
            continue;
        }
        let expected = parse(line, args.algo).ok_or_else(|| {
            usage(format!(":{number}: expected a hash, two spaces and a name"))
                .hint("a list is made by flr hash or sha256sum")
        })?;
        wanted.push(expected);
    }
    if wanted.is_empty() {
        return Err(usage(": the list is empty".to_owned()).into());
    }
    let mut mismatches = 0_u64;
    for expected in wanted {
        let address = match &base {
            Some(base) => base.child(&expected.name),
            None => opener.parse(&expected.name)?,
        };
        let opened = match opener.open(&address, true, &mut ctx.out) {
            Ok(opened) => opened,
            Err(failure) => {
                ctx.fail(&address.to_string(), &failure)?;
                continue;
            }
        };
        let Some(found) = digest(ctx, expected.algorithm, &opened)? else {
            continue;
        };
        let same = found.eq_ignore_ascii_case(expected.digest);
        if same {
            ctx.tally.done();
        } else {
            mismatches = mismatches.saturating_add(1);
            ctx.tally.failed(Exit::Mismatch);
        }
        tell(ctx, &opened, &address, &expected, &found, same)?;
    }
    // A wrong hash outranks everything else: it is what was asked about.
    if mismatches > 0 {
        ctx.out.warn(&match mismatches {
            1 => "1 hash does not match".to_owned(),
            n => format!("{n} hashes do not match"),
        });
        return Ok(Exit::Mismatch);
    }
    Ok(ctx.tally.exit())
}

fn tell(
    ctx: &mut Context<'_>,
    opened: &Opened,
    address: &Address,
    expected: &Expected<'_>,
    found: &str,
    same: bool,
) -> Outcome<()> {
    if ctx.out.json {
        let mut map = node_of(opened);
        map.insert(key(expected.algorithm).into(), found.into());
        map.insert("expected".into(), expected.digest.into());
        map.insert("matches".into(), same.into());
        return ctx.out.message("node", &map);
    }
    match (same, ctx.global.quiet) {
        (true, true) => Ok(()),
        (true, false) => ctx.out.line(&format!("{address}: OK")),
        (false, _) => ctx.out.line(&format!("{address}: FAILED")),
    }
}

/// What the names of the list lie in.
fn base(opener: &Opener<'_>, args: &Hash) -> Outcome<Option<Address>> {
    if args.addresses.addresses.is_empty() && !opener.has_from() {
        return Ok(None);
    }
    let addresses = opener.addresses(&args.addresses.addresses)?;
    match <[Address; 1]>::try_from(addresses) {
        Ok([address]) => Ok(Some(address)),
        Err(several) => {
            let what = "--check: the names of a list lie below one address";
            let hint = several.first().map(|first| {
                let list = args.check.as_deref().unwrap_or(Path::new("LIST"));
                let first = quoted(&first.to_string());
                format!("flr hash --check {} {first}", list.display())
            });
            let failure = Failure::new(Exit::Usage, what);
            Err(Failure { hint, ..failure }.into())
        }
    }
}

fn read(list: &Path) -> std::io::Result<Vec<u8>> {
    if list != Path::new("-") {
        return std::fs::read(list);
    }
    let mut text = Vec::new();
    std::io::stdin().lock().read_to_end(&mut text)?;
    Ok(text)
}

/// Reads `HASH  NAME` or `HASH *NAME`. A line that sha256sum begins with a backslash has its own
/// escapes in the name.
fn parse(line: &[u8], wanted: Option<Algorithm>) -> Option<Expected<'_>> {
    let escaped = line.strip_prefix(b"\\");
    let line = escaped.unwrap_or(line);
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'))?;
    let (digest, name) = line.split_at_checked(end)?;
    let (_, name) = name.split_first()?;
    let name = match name.split_first() {
        Some((b' ' | b'*', name)) => name,
        _ => name,
    };
    let algorithm = match (digest.len(), wanted) {
        (32, None | Some(Algorithm::Md5)) => Algorithm::Md5,
        (64, None) => Algorithm::Sha256,
        (64, Some(other)) if other != Algorithm::Md5 => other,
        _ => return None,
    };
    let digest = std::str::from_utf8(digest).ok()?;
    let is_hex = digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || name.is_empty() {
        return None;
    }
    let name = match (escaped, std::str::from_utf8(name)) {
        (Some(_), _) => unescape(name),
        (None, Ok(text)) => from_terminal(text),
        // Ours would have been escaped: sha256sum passes such bytes on.
        (None, Err(_)) => name.to_vec(),
    };
    Some(Expected {
        digest,
        algorithm,
        name: OsString::from_vec(name),
    })
}

/// Undoes what sha256sum does to backslashes and line breaks.
fn unescape(name: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(other) => other,
                None => b'\\',
            },
            byte => byte,
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

    #[test]
    fn lines_of_other_tools() {
        let names = |line: &str, wanted| {
            parse(line.as_bytes(), wanted).map(|e| (e.algorithm, e.name.into_string().unwrap()))
        };
        for (line, name) in [
            (format!("{SHA256}  a b"), "a b"),
            (format!("{SHA256} *a"), "a"),
            (format!("{SHA256}   a"), " a"),
            (format!("\\{SHA256}  a\\nb\\\\c"), "a\nb\\c"),
            (format!("{SHA256}  a\\x0ab\\c"), "a\nb\\c"),
        ] {
            let read = names(&line, None);
            assert_eq!(read, Some((Algorithm::Sha256, name.to_owned())), "{line}");
        }
        let line = format!("{MD5}  a");
        assert_eq!(names(&line, None).unwrap().0, Algorithm::Md5);
        assert_eq!(names(&line, Some(Algorithm::Blake3)), None);
        let line = format!("{SHA256}  a");
        let blake3 = names(&line, Some(Algorithm::Blake3));
        assert_eq!(blake3.unwrap().0, Algorithm::Blake3);
        for line in ["", "a", "zz  a", &format!("{SHA256}  "), SHA256] {
            assert_eq!(names(line, None), None, "{line}");
        }
    }
}
