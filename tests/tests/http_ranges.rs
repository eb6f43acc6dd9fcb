//! Images behind URLs, served by nginx and moto: every byte as in the file, and nothing but a clear error
//! where the server will not do that.

use flr_fs::ByteSource;
use flr_provider::http::{Authorization, HttpOptions, HttpStore};
use flr_provider::remote::{ChunkStore, Chunked, Settings, block_on};
use flr_provider::{Error, FaultKind};
use flr_tests::servers;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// Two and a half chunks of bytes that differ everywhere.
fn image(seed: u32) -> Vec<u8> {
    let mut state = seed;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    };
    (0..(5 << 18) + 123).map(step).collect()
}

/// Writes an image as if an hour ago.
#[expect(clippy::disallowed_methods, reason = "images that are made here")]
fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    touch(path, SystemTime::now() - Duration::from_secs(3600));
}

#[expect(clippy::disallowed_methods, reason = "images that are made here")]
fn touch(path: &Path, time: SystemTime) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

fn folder(bytes: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    put(&folder.path().join("disk.img"), bytes);
    folder
}

fn open(url: &str) -> Result<Arc<HttpStore>, Error> {
    HttpStore::open(url, &HttpOptions::default())
}

/// Chunk by chunk, several at once, and through the source that everything reads from.
fn compare(store: &Arc<HttpStore>, bytes: &[u8]) {
    assert_eq!(usize::try_from(store.size()).unwrap(), bytes.len());
    let len = usize::try_from(store.chunk_len().get()).unwrap();
    let count = u64::try_from(bytes.len().div_ceil(len)).unwrap();
    for (chunk, expected) in (0..).zip(bytes.chunks(len)) {
        let got = block_on(store.fetch(chunk..chunk + 1)).unwrap();
        assert!(got == expected, "chunk {chunk}");
    }
    assert!(block_on(store.fetch(0..count)).unwrap() == bytes);
    let runs = block_on(store.map(0..count)).unwrap();
    assert_eq!((runs.len(), runs[0].chunks.clone()), (1, 0..count));
    let source = Chunked::new(store.clone(), &Settings::default());
    let mut part = vec![0; len];
    source
        .read_at(u64::try_from(len - 77).unwrap(), &mut part)
        .unwrap();
    assert!(part == bytes[len - 77..2 * len - 77]);
}

#[test]
fn a_file_behind_nginx_is_read_as_it_is() {
    let bytes = image(1);
    let folder = folder(&bytes);
    let lines = "location /old { return 302 /disk.img?x=1; }";
    let Some(nginx) = servers::nginx(folder.path(), lines) else {
        return;
    };
    let store = open(&format!("{}/disk.img?token=s3cret#part", nginx.url())).unwrap();
    assert_eq!(store.name(), format!("{}/disk.img", nginx.url()));
    assert!(!format!("{store:?}").contains("s3cret"));
    compare(&store, &bytes);
    // A redirect on the same host is followed.
    compare(&open(&format!("{}/old", nginx.url())).unwrap(), &bytes);
    let names = |store: &HttpStore, chunk| block_on(store.cache_names(chunk));
    assert_eq!(names(&store, 0).len(), 1);
    assert_ne!(names(&store, 0), names(&store, 1));
}

#[test]
fn an_image_that_changes_is_an_error_from_then_on() {
    let folder = folder(&image(1));
    let Some(nginx) = servers::nginx(folder.path(), "") else {
        return;
    };
    let url = format!("{}/disk.img", nginx.url());
    let store = open(&url).unwrap();
    let first = block_on(store.fetch(0..1)).unwrap();
    assert!(first == image(1)[..first.len()]);
    let live = HttpStore::open(
        &url,
        &HttpOptions {
            live: true,
            ..HttpOptions::default()
        },
    )
    .unwrap();
    let other = image(2);
    put(&folder.path().join("disk.img"), &other);
    let path = folder.path().join("disk.img");
    touch(&path, SystemTime::now() - Duration::from_secs(60));
    let fault = block_on(store.fetch(1..2)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(fault.message.contains("changed"), "{fault}");
    // Whoever accepts that it moves gets what there is now.
    let now = block_on(live.fetch(0..1)).unwrap();
    assert!(now == other[..now.len()]);
    assert!(block_on(live.cache_names(0)).is_empty());
}

#[test]
fn a_time_of_modification_is_a_version_only_if_it_is_old() {
    let bytes = image(1);
    let folder = folder(&bytes);
    let Some(nginx) = servers::nginx(folder.path(), "etag off;") else {
        return;
    };
    let url = format!("{}/disk.img", nginx.url());
    let store = open(&url).unwrap();
    compare(&store, &bytes);
    assert!(block_on(store.cache_names(0)).is_empty());
    // What was written this second, or in the future, may be written again within it.
    let path = folder.path().join("disk.img");
    touch(&path, SystemTime::now() + Duration::from_secs(60));
    let fault = block_on(store.fetch(0..1)).unwrap_err();
    assert!(fault.message.contains("changed"), "{fault}");
    let error = open(&url).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(error.hint().unwrap().contains("--live"));
    let live = HttpStore::open(
        &url,
        &HttpOptions {
            live: true,
            ..HttpOptions::default()
        },
    );
    compare(&live.unwrap(), &bytes);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let folder = folder(&image(1));
    put(&folder.path().join("empty"), b"");
    put(&folder.path().join("passwords"), b"ann:{PLAIN}s3cret\n");
    let lines = "location /whole/ { max_ranges 0; alias ROOT/; }
                 location /away { return 302 http://127.0.0.2:9/disk.img?s3cret; }
                 location /secure { return 302 https://$host/disk.img; }
                 location /round { return 302 /round; }
                 location /busy { return 503; }
                 location /locked/ { auth_basic x; auth_basic_user_file ROOT/passwords; alias ROOT/; }";
    let root = folder.path().display().to_string();
    let lines = lines.replace("ROOT", &root);
    let Some(nginx) = servers::nginx(folder.path(), &lines) else {
        return;
    };
    let fail = |path: &str| {
        let error = open(&format!("{}/{path}", nginx.url())).unwrap_err();
        let text = format!("{error} ({})", error.hint().unwrap_or_default());
        assert!(!format!("{text} {error:?}").contains("s3cret"), "{text}");
        (error, text)
    };
    assert!(matches!(fail("nothing").0, Error::NoSuch { .. }));
    for (path, word) in [
        ("empty", "it is empty"),
        ("whole/disk.img", "ignores ranges"),
        ("away", "http://127.0.0.2:9/disk.img"),
        ("secure", "https://127.0.0.1/disk.img"),
        ("round", "redirects"),
        ("busy", "503"),
        ("locked/disk.img", "credentials"),
    ] {
        let (error, text) = fail(path);
        assert!(matches!(error, Error::Remote { .. }), "{text}");
        assert!(text.contains(word), "{text}");
    }
    let options = |password: &str| HttpOptions {
        live: false,
        authorization: Some(Authorization::basic("ann", password).unwrap()),
    };
    let url = format!("{}/locked/disk.img", nginx.url());
    assert!(HttpStore::open(&url, &options("wrong")).is_err());
    compare(
        &HttpStore::open(&url, &options("s3cret")).unwrap(),
        &image(1),
    );
}

#[test]
fn a_signed_url_is_a_secret_that_works() {
    let bytes = image(3);
    let folder = folder(&bytes);
    let Some(moto) = servers::moto() else { return };
    let script = "import boto3, sys\n\
                  s3 = boto3.client('s3', endpoint_url=sys.argv[1])\n\
                  s3.create_bucket(Bucket='images')\n\
                  s3.upload_file(sys.argv[2], 'images', 'disk.img')\n\
                  print(s3.generate_presigned_url('get_object', {'Bucket': 'images', 'Key': 'disk.img'}), end='')\n";
    let file = folder.path().join("disk.img").display().to_string();
    let Some(output) = servers::python_with(script, &[&moto.url(), &file], &[]) else {
        return;
    };
    let url = String::from_utf8(output.stdout).unwrap();
    assert!(url.contains("Signature="), "{url}");
    let store = open(&url).unwrap();
    compare(&store, &bytes);
    assert!(!format!("{store:?} {}", store.name()).contains("Signature"));
}
