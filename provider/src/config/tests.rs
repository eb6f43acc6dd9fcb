//! Layers, origins, and what is refused.

#![expect(clippy::disallowed_methods, reason = "the tests make their own files")]

use super::*;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

fn is_name(name: &str) -> bool {
    !name.is_empty() && name != "aws" && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A folder that stands for all places.
struct Place {
    dir: TempDir,
    variables: Vec<(&'static str, &'static str)>,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        Self {
            dir,
            variables: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    fn load(&self) -> Result<Config> {
        let env = |name: &str| -> Option<OsString> {
            let set = self
                .variables
                .iter()
                .find(|(variable, _)| *variable == name);
            set.map(|(_, value)| OsString::from(value))
        };
        let places = Places {
            only: None,
            user: Some(self.dir.path().join("user.toml")),
            system: Some(self.dir.path().join("etc")),
        };
        Config::load_from(places, &env, is_name)
    }

    /// What is wrong, with the folder's own name taken out.
    fn wrong(&self) -> (String, String) {
        let error = self.load().unwrap_err();
        assert!(matches!(error, Error::Usage { .. }), "{error:?}");
        let own = format!("{}/", self.dir.path().display());
        let hint = error.hint().unwrap_or_default().into_owned();
        (error.to_string().replace(&own, ""), hint)
    }
}

fn origin(config: &Config, source: Option<&str>, key: Key) -> String {
    let source = source.map(|name| config.source(name).unwrap());
    let values = config.effective(source);
    let origin = values.get(key).unwrap().origin.clone();
    match origin {
        Origin::File { path, line } => {
            format!("{}:{line}", path.file_name().unwrap().to_str().unwrap())
        }
        origin => origin.to_string(),
    }
}

#[test]
fn nothing_is_needed() {
    let config = Place::new(&[]).load().unwrap();
    assert!(config.source_names().is_empty() && config.files().is_empty());
    let values = config.effective(None);
    assert_eq!(values, Values::default());
    assert_eq!(values.access(), crate::point::AccessMode::Auto);
    assert!(values.password().unwrap().is_none());
}

#[test]
fn later_files_win_key_by_key() {
    let place = Place::new(&[
        (
            "etc/config.toml",
            "ttl = \"1h\"\nregion = \"eu-north-1\"\n\n[source.prod]\ntype = \"aws\"\nregion = \"eu-west-1\"\n\
             profile = \"machine\"\nttl = \"10m\"\n",
        ),
        (
            "etc/conf.d/20-b.toml",
            "[source.prod]\nprofile = \"b\"\nmax_cost_usd = 2\n",
        ),
        (
            "etc/conf.d/10-a.toml",
            "[source.prod]\nprofile = \"a\"\naccess = \"direct\"\n",
        ),
        ("etc/conf.d/.hidden.toml", "nonsense"),
        ("etc/conf.d/readme.txt", "nonsense"),
        (
            "user.toml",
            "# mine\n[source.prod]\nregion = \"eu-west-2\"\n[source.other]\ntype = \"ecs\"\n",
        ),
    ]);
    let mut config = place.load().unwrap();
    assert_eq!(config.source_names(), ["other", "prod"]);
    let names: Vec<_> = config
        .files()
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["config.toml", "10-a.toml", "20-b.toml", "user.toml"]
    );
    for (key, expected) in [
        (Key::Region, "user.toml:3"),
        (Key::Profile, "20-b.toml:2"),
        (Key::MaxCostUsd, "20-b.toml:3"),
        (Key::Access, "10-a.toml:3"),
        (Key::Ttl, "config.toml:8"),
    ] {
        assert_eq!(origin(&config, Some("prod"), key), expected, "{key:?}");
    }
    let values = config.effective(config.source("prod"));
    assert_eq!(values.profile(), Some("b"));
    assert_eq!(values.max_cost_usd(), Some(2.0));
    assert_eq!(values.access(), crate::point::AccessMode::Direct);
    let other = config.effective(config.source("other"));
    assert_eq!(
        (other.region(), other.ttl()),
        (Some("eu-north-1"), Some(Duration::from_secs(3600)))
    );

    config.set_option(Key::Region, "us-east-1").unwrap();
    assert_eq!(origin(&config, Some("prod"), Key::Region), "--region");
    assert!(config.set_option(Key::MaxCostUsd, "NaN").is_err());
    let config = place
        .with("FLR_TTL", "5m")
        .with("FLR_REGION", "")
        .load()
        .unwrap();
    assert_eq!(origin(&config, Some("prod"), Key::Ttl), "FLR_TTL");
    assert_eq!(origin(&config, None, Key::Region), "config.toml:2");
}

#[test]
fn a_source_takes_only_what_is_of_its_type() {
    let place = Place::new(&[(
        "user.toml",
        "region = \"eu-west-1\"\ncache_bytes = \"1G\"\ntags = { a = \"b\" }\n\
         [source.filer]\ntype = \"ontap\"\nendpoint = \"https://filer\"\nsvm = \"svm1\"\n\
         username = \"flr\"\npassword_command = \"echo secret\"\n\
         [source.images]\ntype = \"file\"\npath = \"/srv/images\"\n",
    )]);
    let config = place.with("FLR_PROFILE", "me").load().unwrap();
    let filer = config.effective(config.source("filer"));
    assert_eq!(
        (filer.region(), filer.profile(), filer.svm()),
        (None, None, Some("svm1"))
    );
    assert_eq!(
        (filer.endpoint(), filer.username()),
        (Some("https://filer"), Some("flr"))
    );
    assert_eq!(
        (filer.cache_bytes(), filer.tags().len()),
        (Some(1 << 30), 0)
    );
    assert_eq!(filer.password().unwrap().unwrap().expose(), "secret");
    let images = config.effective(config.source("images"));
    assert_eq!(images.path(), Some(Path::new("/srv/images")));
    assert_eq!(config.effective(None).profile(), Some("me"));
    assert_eq!(
        config.effective(None).tags(),
        [("a".to_owned(), "b".to_owned())]
    );
    let error = config.named("filr").unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean filer?");
}

/// Text, what is said of it, and what to try.
type Mistake = (&'static str, &'static str, &'static str);

const AT_THE_TOP: &[Mistake] = &[
    (
        "regoin = \"x\"",
        "user.toml:1: unknown key regoin",
        "did you mean region?",
    ),
    (
        "\n\ncolour = 1",
        "user.toml:3: unknown key colour",
        "keys are profile, region, ",
    ),
    (
        "svm = \"x\"",
        "user.toml:1: the key svm belongs to a source",
        "[source.NAME]",
    ),
    (
        "[sources.x]",
        "user.toml:1: unknown table sources",
        "[source.NAME]",
    ),
    (
        "source = 1",
        "user.toml:1: source: expected a table, found an integer",
        "source.NAME",
    ),
    (
        "[source]\nx = 1",
        "user.toml:2: source.x: expected a table",
        "source.NAME",
    ),
    (
        "ttl = 30",
        "user.toml:1: ttl: expected a length of time",
        "config show",
    ),
    (
        "max_cost_usd = -1",
        "user.toml:1: max_cost_usd: expected a number of dollars",
        "",
    ),
    (
        "max_cost_usd = nan",
        "user.toml:1: max_cost_usd: expected a number of dollars",
        "",
    ),
    (
        "cache_dir = \"cache\"",
        "user.toml:1: cache_dir: expected an absolute path",
        "",
    ),
    (
        "tags = { \"flr:owner\" = \"x\" }",
        "user.toml:1: tags: expected no tag that",
        "",
    ),
    (
        "tags = { a = 1 }",
        "tags: expected text in every tag, found an integer",
        "",
    ),
    ("a = 1\na = 2", "user.toml:2: duplicate key", "TOML"),
    (
        "\"\\u001b[2J\" = 1",
        "user.toml:1: unknown key \\u{1b}[2J",
        "keys are",
    ),
];

const IN_A_SOURCE: &[Mistake] = &[
    (
        "[source.aws]\ntype = \"aws\"",
        "user.toml:1: no source can be called aws",
        "letters",
    ),
    (
        "[source.a]\nregion = \"x\"",
        "user.toml:1: the source a has no type",
        "type =",
    ),
    (
        "[source.a]\ntype = \"asw\"",
        "user.toml:2: unknown type asw",
        "types are aws, ",
    ),
    (
        "[source.a]\ntype = 1",
        "user.toml:2: type: expected text, found an integer",
        "type =",
    ),
    (
        "[source.a]\ntype = \"aws\"\n\nsvm = \"x\"",
        "user.toml:4: the source a is of type aws, and svm is a key of ontap",
        "keys of aws are profile, region",
    ),
    (
        "[source.a]\ntype = \"aws\"\nproflie = \"x\"",
        "user.toml:3: unknown key proflie of the source a",
        "did you mean profile?",
    ),
    (
        "[source.a]\ntype = \"aws\"\ncache_bytes = 1",
        "user.toml:3: the key cache_bytes is not of a source",
        "above all tables",
    ),
    (
        "[source.a]\ntype = \"ontap\"",
        "user.toml:2: the source a of type ontap has no endpoint",
        "endpoint is a URL",
    ),
    (
        "[source.a]\ntype = \"ontap\"\nendpoint = \"https://a\"\npassword_file = \"/a\"\n\
         password_command = \"b\"",
        "user.toml:4: the source a says twice where its password is",
        "keep one",
    ),
];

#[test]
fn mistakes_name_their_place_and_what_was_meant() {
    for (text, what, hint) in AT_THE_TOP.iter().chain(IN_A_SOURCE) {
        let (said, hinted) = Place::new(&[("user.toml", text)]).wrong();
        assert!(said.contains(what), "{text}: {said}");
        assert!(hinted.contains(hint), "{text}: {hinted}");
    }
}

#[test]
fn secrets_are_refused_and_not_repeated() {
    for text in [
        "password = \"hunter2\"",
        "[source.a]\ntype = \"aws\"\naws_secret_access_key = \"hunter2\"",
        "[source.a]\ntype = \"https\"\nurl = \"https://me:hunter2@h/\"",
        "[source.a]\ntype = \"https\"\nurl = \"https://h/?X-Amz-Signature=hunter2\"",
        "token = \"hunter2\"x",
        "password = hunter2",
    ] {
        let place = Place::new(&[("user.toml", text)]);
        let (said, hint) = place.wrong();
        let error = format!("{said} {hint} {:?}", place.load());
        assert!(!error.contains("hunter2"), "{error}");
    }
    let (said, hint) = Place::new(&[("user.toml", "a.password = \"x\"")]).wrong();
    assert!(said.contains("unknown table a"), "{said} {hint}");
    let (said, hint) = Place::new(&[("user.toml", "\npassword = \"x\"")]).wrong();
    assert_eq!(said, "user.toml:2: the key password would hold a secret");
    for way in ["password_command", "$CREDENTIALS_DIRECTORY", "0600"] {
        assert!(hint.contains(way), "{hint}");
    }
}

#[test]
fn variables_are_checked_like_files() {
    for (name, value, what) in [
        ("FLR_TTL", "soon", "FLR_TTL: expected a length of time"),
        (
            "FLR_ACCESS",
            "Direct",
            "FLR_ACCESS: expected auto, direct or clone",
        ),
        (
            "FLR_MAX_COST",
            "-1",
            "FLR_MAX_COST: expected a number of dollars",
        ),
        (
            "FLR_ENDPOINT_URL",
            "https://a:b@h",
            "FLR_ENDPOINT_URL: expected a URL without a user",
        ),
        (
            "FLR_CACHE_BYTES",
            "1g",
            "FLR_CACHE_BYTES: expected a number of bytes",
        ),
    ] {
        let (said, _) = Place::new(&[]).with(name, value).wrong();
        assert!(said.starts_with(what), "{said}");
    }
}

#[test]
fn only_files_that_can_be_trusted_are_read() {
    let (said, _) = Place::new(&[("user.toml/x", "")]).wrong();
    assert_eq!(said, "user.toml: expected a regular file");
    let (said, _) = Place::new(&[("user.toml", &"#".repeat((1 << 20) + 1))]).wrong();
    assert_eq!(said, "user.toml: expected at most 1 MiB");
    let place = Place::new(&[("user.toml", "")]);
    let path = place.dir.path().join("user.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    match rustix::process::geteuid().is_root() {
        true => assert!(place.wrong().1.starts_with("chmod o-w ")),
        false => drop(place.load().unwrap()),
    }
    std::fs::write(&path, b"# caf\xe9\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(place.wrong().0, "user.toml: expected UTF-8");
    std::fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    assert_eq!(place.wrong().0, "user.toml: expected a regular file");
}

#[test]
fn places_are_those_of_the_environment() {
    let places = |variables: &[(&str, &str)]| {
        Places::of(&|name| {
            let set = variables.iter().find(|(variable, _)| *variable == name);
            set.map(|(_, value)| OsString::from(value))
        })
    };
    let own = |variables: &[(&str, &str)]| places(variables).own().map(Path::to_owned);
    assert_eq!(own(&[]), None);
    assert_eq!(
        own(&[("HOME", "/h")]),
        Some("/h/.config/flr/config.toml".into())
    );
    let xdg = [("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")];
    assert_eq!(own(&xdg), Some("/x/flr/config.toml".into()));
    let relative = [("HOME", "/h"), ("XDG_CONFIG_HOME", "x")];
    assert_eq!(own(&relative), Some("/h/.config/flr/config.toml".into()));
    let only = [("HOME", "/h"), ("FLR_CONFIG", "my.toml")];
    assert_eq!(own(&only), Some("my.toml".into()));
    let nowhere = Places {
        only: Some("/nonexistent/my.toml".into()),
        ..Places::default()
    };
    let error = Config::load_from(nowhere, &|_| None, is_name).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("there is no file /nonexistent/my.toml"),
        "{error}"
    );
}
