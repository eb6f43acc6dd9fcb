//! Patterns of `.gitignore` (gitignore(5), "PATTERN FORMAT"), for what is restored.
//!
//! A pattern with a slash at its beginning or in its middle is about the path below what was named, one
//! without about names anywhere. A slash at its end is about directories only, `!` in front takes back what
//! earlier patterns of the same option said, and `**` stands for any number of directories.

use flr_recover::copy::{Filter, Filtered};
use globset::{GlobBuilder, GlobMatcher};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// One pattern.
#[derive(Debug)]
struct Pattern {
    glob: GlobMatcher,
    takes_back: bool,
    dirs_only: bool,
}

/// Patterns of one option, in the order in which they were given.
#[derive(Debug, Default)]
struct Patterns(Vec<Pattern>);

/// What `--include` and `--exclude` say together.
#[derive(Debug)]
pub(crate) struct PathFilter {
    include: Patterns,
    exclude: Patterns,
}

impl PathFilter {
    /// `None`: nothing is left out.
    ///
    /// # Errors
    /// A pattern that is none, in words.
    pub(crate) fn new(include: &[String], exclude: &[String]) -> Result<Option<Self>, String> {
        let filter = Self {
            include: Patterns::new(include)?,
            exclude: Patterns::new(exclude)?,
        };
        let is_empty = filter.include.0.is_empty() && filter.exclude.0.is_empty();
        Ok((!is_empty).then_some(filter))
    }
}

impl Patterns {
    fn new(texts: &[String]) -> Result<Self, String> {
        let patterns = texts.iter().filter(|text| !text.is_empty());
        patterns
            .map(|text| Pattern::new(text))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether one path fits by itself; the last pattern that fits decides.
    fn fits_itself(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        let path = Path::new(OsStr::from_bytes(path));
        let decides = self
            .0
            .iter()
            .rev()
            .find(|pattern| (is_dir || !pattern.dirs_only) && pattern.glob.is_match(path));
        decides.map(|pattern| !pattern.takes_back)
    }

    /// Whether a path fits, or a directory above it does.
    fn fits(&self, path: &[u8], is_dir: bool) -> bool {
        if self.0.is_empty() {
            return false;
        }
        if let Some(fits) = self.fits_itself(path, is_dir) {
            return fits;
        }
        let slashes = path.iter().enumerate().rev();
        let mut above = slashes
            .filter(|(_, byte)| **byte == b'/')
            .filter_map(|(at, _)| path.get(..at));
        above
            .find_map(|above| self.fits_itself(above, true))
            .unwrap_or(false)
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, String> {
        let (takes_back, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            // What is meant literally has a backslash, which the pattern itself takes away.
            None => (false, text),
        };
        let (dirs_only, rest) = match rest.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let anchored = rest.contains('/');
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        if rest.is_empty() {
            return Err(format!("{text}: a pattern that nothing fits"));
        }
        let whole = match anchored {
            true => rest.to_owned(),
            false => format!("**/{rest}"),
        };
        let glob = GlobBuilder::new(&without_braces(&whole))
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| format!("{text}: {}", error.kind()))?;
        Ok(Self {
            glob: glob.compile_matcher(),
            takes_back,
            dirs_only,
        })
    }
}

/// Braces are letters like any other in `.gitignore`, and alternatives to the matcher.
fn without_braces(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let (mut escaped, mut in_class) = (false, false);
    for char in pattern.chars() {
        match char {
            '{' | '}' if !escaped && !in_class => out.push('\\'),
            '[' if !escaped => in_class = true,
            ']' if !escaped => in_class = false,
            _ => {}
        }
        escaped = char == '\\' && !escaped;
        out.push(char);
    }
    out
}

impl Filter for PathFilter {
    fn judge(&self, path: &[u8], is_dir: bool) -> Filtered {
        let included = self.include.0.is_empty() || self.include.fits(path, is_dir);
        match (self.exclude.fits(path, is_dir), included, is_dir) {
            (true, _, true) if self.exclude.may_take_back() => Filtered::Look,
            (true, _, _) | (false, false, false) => Filtered::Leave,
            (false, true, _) => Filtered::Take,
            (false, false, true) => Filtered::Look,
        }
    }
}

impl Patterns {
    /// Whether something in an excluded directory may not be.
    fn may_take_back(&self) -> bool {
        self.0.iter().any(|pattern| pattern.takes_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> PathFilter {
        let own = |texts: &[&str]| texts.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        PathFilter::new(&own(include), &own(exclude))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn patterns_are_those_of_gitignore() {
        // From gitignore(5): which of these fit which.
        for (pattern, path, is_dir, fits) in [
            ("hello.*", "hello.c", false, true),
            ("hello.*", "a/hello.java", false, true),
            ("/hello.*", "hello.c", false, true),
            ("/hello.*", "a/hello.java", false, false),
            ("foo/", "foo", true, true),
            ("foo/", "a/foo", true, true),
            ("foo/", "foo", false, false),
            ("doc/frotz", "doc/frotz", false, true),
            ("/doc/frotz", "doc/frotz", true, true),
            ("doc/frotz", "a/doc/frotz", false, false),
            ("foo/*", "foo/test.json", false, true),
            ("foo/*", "foo/bar", true, true),
            // Because of `foo/bar`, which fits.
            ("foo/*", "foo/bar/hello.c", false, true),
            ("foo*.c", "foo/x.c", false, false),
            ("**/foo", "a/b/foo", false, true),
            ("**/foo/bar", "a/foo/bar", false, true),
            ("abc/**", "abc/x/y", false, true),
            ("abc/**", "abc", true, false),
            ("a/**/b", "a/b", false, true),
            ("a/**/b", "a/x/y/b", false, true),
            ("\\!important!.txt", "!important!.txt", false, true),
            ("[ab].c", "a.c", false, true),
            // Names are bytes, as they are to git.
            ("??.c", "é.c", false, true),
            ("?.c", "é.c", false, false),
            ("{a,b}", "{a,b}", false, true),
            ("{a,b}", "a", false, false),
        ] {
            let filter = filter(&[], &[pattern]);
            let left = filter.judge(path.as_bytes(), is_dir) == Filtered::Leave;
            assert_eq!(left, fits, "{pattern} {path}");
        }
    }

    #[test]
    fn exclude_stands_above_include_and_both_can_take_back() {
        let one = filter(&["*.conf", "!b.conf"], &["/tmp/", "secret*"]);
        let judge = |path: &str, is_dir| one.judge(path.as_bytes(), is_dir);
        assert_eq!(judge("etc", true), Filtered::Look);
        assert_eq!(judge("etc/a.conf", false), Filtered::Take);
        assert_eq!(judge("etc/b.conf", false), Filtered::Leave);
        assert_eq!(judge("etc/secret.conf", false), Filtered::Leave);
        assert_eq!(judge("tmp", true), Filtered::Leave);
        assert_eq!(judge("etc/passwd", false), Filtered::Leave);
        let back = filter(&[], &["/var/*", "!/var/www/"]);
        assert_eq!(back.judge(b"var", true), Filtered::Take);
        assert_eq!(back.judge(b"var/log", true), Filtered::Look);
        assert_eq!(back.judge(b"var/log/x", false), Filtered::Leave);
        assert_eq!(back.judge(b"var/www", true), Filtered::Take);
        assert_eq!(back.judge(b"var/www/index.html", false), Filtered::Take);
        // Names of an image are bytes.
        assert_eq!(
            filter(&[], &["*.c"]).judge(b"\xff.c", false),
            Filtered::Leave
        );
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        for bad in ["[", "/", "!", "!/"] {
            assert!(PathFilter::new(&[bad.to_owned()], &[]).is_err(), "{bad}");
        }
        assert!(PathFilter::new(&[], &[]).unwrap().is_none());
    }
}
