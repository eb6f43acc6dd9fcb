//! Objects of S3 (moto), Azure (Azurite) and, as far as a plain server can stand in for it, Google: every
//! byte as in the file, one version, and clear errors.

use flr_provider::object::{AwsKeys, ObjectCredentials, ObjectOptions, ObjectStoreImage};
use flr_provider::remote::{ChunkStore, block_on};
use flr_provider::{Error, FaultKind};
use flr_tests::proxy::{Fault, Proxy};
use flr_tests::servers::{self, AZURE_ACCOUNT, AZURE_KEY, Server};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
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

#[expect(clippy::disallowed_methods, reason = "images that are made here")]
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, seed) in [("one", 1), ("two", 2)] {
        fs::write(folder.path().join(name), image(seed)).unwrap();
    }
    folder
}

/// A moto with `images/a b/disk+1.img` in it, and what speaks to it in its own vendor's words.
fn s3(folder: &TempDir) -> Option<Server> {
    let moto = servers::moto()?;
    let script = "import boto3, sys\n\
                  s3 = boto3.client('s3', endpoint_url=sys.argv[1])\n\
                  s3.create_bucket(Bucket='images')\n\
                  on = {'Status': 'Enabled'}\n\
                  s3.put_bucket_versioning(Bucket='images', VersioningConfiguration=on)\n\
                  s3.put_object(Bucket='images', Key='empty', Body=b'')\n";
    servers::python_with(script, &[&moto.url()], &[])?;
    put(&moto, folder, "one")?;
    Some(moto)
}

/// Puts a file there as the object; gives its version.
fn put(moto: &Server, folder: &TempDir, name: &str) -> Option<String> {
    let script = "import boto3, sys\n\
                  s3 = boto3.client('s3', endpoint_url=sys.argv[1])\n\
                  body = open(sys.argv[2], 'rb')\n\
                  done = s3.put_object(Bucket='images', Key='a b/disk+1.img', Body=body)\n\
                  print(done['VersionId'], end='')\n";
    let file = folder.path().join(name).display().to_string();
    let output = servers::python_with(script, &[&moto.url(), &file], &[])?;
    Some(String::from_utf8(output.stdout).unwrap())
}

const OBJECT: &str = "s3://images/a b/disk+1.img";

fn keys(secret: &str) -> ObjectCredentials {
    ObjectCredentials::Aws(AwsKeys {
        id: "AKIDEXAMPLE".to_owned(),
        secret: secret.to_owned(),
        token: None,
    })
}

fn options(at: SocketAddr) -> ObjectOptions {
    ObjectOptions {
        endpoint: Some(format!("http://{at}")),
        region: Some("us-east-1".to_owned()),
        credentials: keys("s3cret"),
        live: false,
    }
}

fn compare(store: &ObjectStoreImage, bytes: &[u8]) {
    assert_eq!(usize::try_from(store.size()).unwrap(), bytes.len());
    let len = usize::try_from(store.chunk_len().get()).unwrap();
    let count = u64::try_from(bytes.len().div_ceil(len)).unwrap();
    for (chunk, expected) in (0..).zip(bytes.chunks(len)) {
        let got = block_on(store.fetch(chunk..chunk + 1)).unwrap();
        assert!(got == expected, "chunk {chunk}");
    }
    assert!(block_on(store.fetch(0..count)).unwrap() == bytes);
}

#[test]
fn an_object_of_s3_is_read_as_it_is_and_stays_at_its_version() {
    let folder = folder();
    let Some(moto) = s3(&folder) else { return };
    let open = |url: &str, live| {
        let options = ObjectOptions {
            live,
            ..options(moto.address())
        };
        ObjectStoreImage::open(url, &options)
    };
    let store = open(OBJECT, false).unwrap();
    assert_eq!(store.name(), OBJECT);
    assert!(!format!("{store:?}").contains("s3cret"));
    compare(&store, &image(1));
    let live = open(OBJECT, true).unwrap();
    let name = |store: &ObjectStoreImage| block_on(store.cache_names(0));
    assert_eq!((name(&store).len(), name(&live).len()), (1, 0));

    let second = put(&moto, &folder, "two").unwrap();
    let fault = block_on(store.fetch(0..1)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(fault.message.contains("changed"), "{fault}");
    compare(&live, &image(2));
    // A version that is named stays readable.
    let named = open(&format!("{OBJECT}?versionId={second}"), false).unwrap();
    put(&moto, &folder, "one").unwrap();
    compare(&named, &image(2));
    assert_ne!(name(&store), name(&named));
}

#[test]
fn what_cannot_be_opened_says_why() {
    let folder = folder();
    let Some(moto) = s3(&folder) else { return };
    let fail = |url: &str, options: &ObjectOptions| {
        let error = ObjectStoreImage::open(url, options).unwrap_err();
        let text = format!("{error} ({})", error.hint().unwrap_or_default());
        assert!(!format!("{text} {error:?}").contains("s3cret"), "{text}");
        (error, text)
    };
    let good = options(moto.address());
    for (url, word) in [
        ("s3://images/nothing", "NoSuchKey"),
        ("s3://nowhere/x", "NoSuchBucket"),
    ] {
        let (error, text) = fail(url, &good);
        assert!(matches!(error, Error::NoSuch { .. }), "{text}");
        assert!(text.contains(word), "{text}");
    }
    let (_, text) = fail("s3://images/empty", &good);
    assert!(text.contains("it is empty"), "{text}");
    let (error, _) = fail(
        "s3://images/x",
        &ObjectOptions {
            endpoint: Some("http://s3.example.com".to_owned()),
            ..good.clone()
        },
    );
    assert!(matches!(error, Error::Usage { .. }));
    let (error, _) = fail(
        "s3://images/x",
        &ObjectOptions {
            region: Some("evil.example/".to_owned()),
            ..good
        },
    );
    assert!(matches!(error, Error::Usage { .. }));
}

/// A moto that checks signatures from now on, with an image in it and a user: the user's key.
fn strict_s3(folder: &TempDir) -> Option<(Server, String, String)> {
    let moto = servers::moto_with(&[("INITIAL_NO_AUTH_ACTION_COUNT", "5")])?;
    let script = "import boto3, sys, json\n\
                  make = lambda name: boto3.client(name, endpoint_url=sys.argv[1])\n\
                  iam, s3 = make('iam'), make('s3')\n\
                  s3.create_bucket(Bucket='images')\n\
                  s3.put_object(Bucket='images', Key='x', Body=open(sys.argv[2], 'rb'))\n\
                  iam.create_user(UserName='u')\n\
                  key = iam.create_access_key(UserName='u')['AccessKey']\n\
                  all = {'Effect': 'Allow', 'Action': '*', 'Resource': '*'}\n\
                  policy = json.dumps({'Version': '2012-10-17', 'Statement': [all]})\n\
                  iam.put_user_policy(UserName='u', PolicyName='p', PolicyDocument=policy)\n\
                  print(key['AccessKeyId'], key['SecretAccessKey'], end='')\n";
    let file = folder.path().join("one").display().to_string();
    let output = servers::python_with(script, &[&moto.url(), &file], &[])?;
    let pair = String::from_utf8(output.stdout).unwrap();
    let (id, secret) = pair.split_once(' ').unwrap();
    Some((moto, id.to_owned(), secret.to_owned()))
}

/// A wrong key is denied by somebody else's code.
#[test]
fn signatures_are_right_and_wrong_keys_are_denied() {
    let folder = folder();
    let Some((moto, id, secret)) = strict_s3(&folder) else {
        return;
    };
    let open = |secret: &str| {
        let credentials = ObjectCredentials::Aws(AwsKeys {
            id: id.clone(),
            secret: secret.to_owned(),
            token: None,
        });
        let options = ObjectOptions {
            credentials,
            ..options(moto.address())
        };
        ObjectStoreImage::open("s3://images/x", &options)
    };
    compare(&open(&secret).unwrap(), &image(1));
    let Error::Remote { fault, hint, .. } = open("wrong").unwrap_err() else {
        panic!("it was not asked");
    };
    assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
    assert_eq!(fault.code.as_deref(), Some("SignatureDoesNotMatch"));
    assert!(hint.unwrap().contains("s3:GetObject"));
    // The same from what the environment says, and from a profile of a file.
    let file = folder.path().join("credentials");
    write_profile(&file, &id, &secret);
    let environment = [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
    let file = file.display().to_string();
    let profile = [
        ("AWS_SHARED_CREDENTIALS_FILE", file),
        ("AWS_PROFILE", "p".to_owned()),
    ];
    for variables in [environment, profile] {
        let text = in_environment(&moto.url(), &variables);
        assert!(text.contains("READ 1310843"), "{text}");
    }
    let text = in_environment(&moto.url(), &[]);
    assert!(text.contains("there are no credentials for AWS"), "{text}");
}

#[expect(clippy::disallowed_methods, reason = "credentials that are made here")]
fn write_profile(file: &Path, id: &str, secret: &str) {
    let text = format!("[p]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    fs::write(file, text).unwrap();
}

/// The variable that makes [`in_a_process_of_its_own`] do something.
const CHILD: &str = "FLR_TEST_OBJECT";

/// What a process with this environment prints of the image.
fn in_environment(endpoint: &str, variables: &[(&str, String)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "in_a_process_of_its_own", "--nocapture"]);
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
    ] {
        command.env_remove(name);
    }
    command.env("AWS_CONFIG_FILE", "/dev/null");
    command.env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_ENDPOINT_URL_S3", endpoint);
    command.env("AWS_REGION", "us-east-1").env(CHILD, "1");
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn in_a_process_of_its_own() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    match ObjectStoreImage::open("s3://images/x", &ObjectOptions::default()) {
        Ok(store) => println!("READ {}", block_on(store.fetch(0..3)).unwrap().len()),
        Err(error) => println!("ERROR {error}"),
    }
}

#[test]
fn s3_behind_a_bad_line_gives_right_bytes_in_the_end() {
    let folder = folder();
    let Some(moto) = s3(&folder) else { return };
    let troubles = [
        (Fault::InternalError, FaultKind::Unknown),
        (Fault::Unavailable, FaultKind::Throttled),
        (Fault::Throttled, FaultKind::Throttled),
        (Fault::HalfClosed, FaultKind::Unknown),
        (Fault::Truncated, FaultKind::Unknown),
        (Fault::ExpiredToken, FaultKind::Expired),
        (Fault::Skewed(600), FaultKind::Refused),
        (Fault::Quota, FaultKind::Denied),
        (
            Fault::Raw(
                b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-18446744073709551615/1\r\n\r\n".to_vec(),
            ),
            FaultKind::Refused,
        ),
        (
            Fault::Raw(
                b"HTTP/1.1 301 M\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    .to_vec(),
            ),
            FaultKind::Refused,
        ),
        (
            Fault::Raw(
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc".to_vec(),
            ),
            FaultKind::Refused,
        ),
    ];
    for (trouble, kind) in troubles {
        let is_bad = Arc::new(AtomicBool::new(false));
        let proxy = Proxy::start(moto.address(), {
            let (is_bad, trouble) = (is_bad.clone(), trouble.clone());
            move |_| match is_bad.swap(false, Ordering::Relaxed) {
                true => trouble.clone(),
                false => Fault::None,
            }
        });
        let store = ObjectStoreImage::open(OBJECT, &options(proxy.address())).unwrap();
        is_bad.store(true, Ordering::Relaxed);
        let asked = proxy.requests().len();
        let fault = block_on(store.fetch(0..3)).unwrap_err();
        assert_eq!(fault.kind, kind, "{trouble:?}: {fault}");
        // Nothing was repeated behind the back of whoever counts.
        assert_eq!(proxy.requests().len(), asked + 1, "{trouble:?}");
        let again = block_on(store.fetch(0..3));
        assert!(again.is_ok(), "after {trouble:?}: {again:?}");
        assert!(again.unwrap() == image(1), "after {trouble:?}");
    }
    let proxy = Proxy::start(moto.address(), |call| match call.index {
        1 => Fault::Slow(Duration::from_millis(300)),
        _ => Fault::None,
    });
    let store = ObjectStoreImage::open(OBJECT, &options(proxy.address())).unwrap();
    compare(&store, &image(1));
}

#[test]
fn a_bucket_says_where_it_is() {
    let folder = folder();
    let Some(moto) = s3(&folder) else { return };
    let proxy = Proxy::start(moto.address(), |call| {
        let signed = call.header("authorization").unwrap_or_default();
        if signed.contains("/eu-west-1/s3/") {
            return Fault::None;
        }
        let answer = "HTTP/1.1 301 Moved\r\nx-amz-bucket-region: eu-west-1\r\n\
                      Content-Length: 0\r\nConnection: close\r\n\r\n";
        Fault::Raw(answer.as_bytes().to_vec())
    });
    let wrong = options(proxy.address());
    let error = ObjectStoreImage::open(OBJECT, &wrong).unwrap_err();
    assert!(error.hint().unwrap().contains("eu-west-1"), "{error}");
    let open = ObjectOptions {
        region: None,
        ..wrong
    };
    compare(&ObjectStoreImage::open(OBJECT, &open).unwrap(), &image(1));
}

#[test]
fn blobs_of_azure_are_read_as_they_are() {
    let folder = folder();
    let Some(azurite) = servers::azurite() else {
        return;
    };
    let endpoint = format!("{}/{AZURE_ACCOUNT}", azurite.url());
    // A page blob is made of pages of 512 bytes.
    let script = "import sys\n\
                  from azure.storage.blob import BlobServiceClient\n\
                  url, account, key, file = sys.argv[1:]\n\
                  service = BlobServiceClient(url, {'account_name': account, 'account_key': key})\n\
                  container = service.create_container('images')\n\
                  data = open(file, 'rb').read()\n\
                  container.upload_blob('dir/block.img', data, overwrite=True)\n\
                  container.upload_blob('page.img', data[:len(data) // 512 * 512], blob_type='PageBlob', overwrite=True)\n";
    let upload = |name: &str| {
        let file = folder.path().join(name).display().to_string();
        let script = match name {
            "one" => script.to_owned(),
            _ => script.replace("create_container", "get_container_client"),
        };
        servers::python_with(&script, &[&endpoint, AZURE_ACCOUNT, AZURE_KEY, &file], &[])
    };
    if upload("one").is_none() {
        return;
    }
    let options = |key: &str| ObjectOptions {
        endpoint: Some(endpoint.clone()),
        credentials: ObjectCredentials::Azure {
            account: AZURE_ACCOUNT.to_owned(),
            key: key.to_owned(),
        },
        ..ObjectOptions::default()
    };
    let open = |url: &str| ObjectStoreImage::open(url, &options(AZURE_KEY));
    let block = open("az://images/dir/block.img").unwrap();
    compare(&block, &image(1));
    assert!(!format!("{block:?}").contains(AZURE_KEY));
    let page = open("az://images/page.img").unwrap();
    let bytes = image(1);
    compare(&page, &bytes[..bytes.len() / 512 * 512]);
    assert!(matches!(
        open("az://images/none"),
        Err(Error::NoSuch { .. })
    ));
    let wrong = ObjectStoreImage::open("az://images/page.img", &options("d3Jvbmc="));
    let Err(Error::Remote { fault, .. }) = wrong else {
        panic!("{wrong:?}");
    };
    assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
    upload("two").unwrap();
    for store in [&block, &page] {
        let fault = block_on(store.fetch(0..1)).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused);
        assert!(fault.message.contains("changed"), "{fault}");
    }
}

/// No emulator of Google's storage is at hand; a public object is a file behind a path.
#[test]
#[expect(clippy::disallowed_methods, reason = "images that are made here")]
fn a_public_object_of_google_is_read_by_its_path() {
    let folder = folder();
    fs::create_dir(folder.path().join("images")).unwrap();
    fs::write(folder.path().join("images/disk 1.img"), image(1)).unwrap();
    let Some(nginx) = servers::nginx(folder.path(), "") else {
        return;
    };
    let options = ObjectOptions {
        endpoint: Some(nginx.url()),
        credentials: ObjectCredentials::Anonymous,
        ..ObjectOptions::default()
    };
    let store = ObjectStoreImage::open("gs://images/disk 1.img", &options).unwrap();
    compare(&store, &image(1));
    let error = ObjectStoreImage::open("gs://images/none", &options).unwrap_err();
    assert!(matches!(error, Error::NoSuch { .. }), "{error}");
}
