//! EBS snapshots read where they lie: against moto, which is somebody else's, and against our stand-in
//! for what moto does not do.

#![expect(
    clippy::disallowed_methods,
    reason = "images and profiles, in folders of their own"
)]

mod credentials;
mod fake;
mod faults;
mod moto;
mod targets;

use flr_fs::{ByteSource, Volume};
use flr_provider::aws::{Client, ClientSettings, EbsSnapshot, Keys};
use flr_provider::remote::{Chunked, Settings};
use flr_recover::point::{OpenOptions, Point};
use flr_recover::view::View;
use flr_tests::aws_fake::{AccessKey, Config, Fake};
use std::sync::Arc;

/// A client of a server on this machine.
fn client(url: &str, key: &AccessKey) -> Client {
    let settings = ClientSettings {
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(url.to_owned()),
        ..ClientSettings::default()
    };
    let keys = Keys {
        id: key.id.clone(),
        secret: key.secret.clone(),
        token: key.token.clone(),
    };
    Client::with_keys(&settings, keys).unwrap()
}

/// A stand-in and a client of it.
fn fake() -> (Fake, Client) {
    let config = Config::default();
    let key = config.keys[0].clone();
    let fake = Fake::start(config);
    let client = client(&fake.url(), &key);
    (fake, client)
}

/// A snapshot as a source of bytes.
fn source(snapshot: Arc<EbsSnapshot>) -> Arc<dyn ByteSource> {
    Chunked::new(snapshot, &Settings::default())
}

/// The only filesystem on a disk.
fn filesystem(disk: Arc<dyn ByteSource>) -> View {
    let point = Point::open(vec![Volume::disk(disk)], &OpenOptions::default());
    let [place] = point.places() else {
        panic!("expected one filesystem: {:?}", point.tree());
    };
    View::new(Arc::clone(&place.filesystem))
}

/// The content of a file.
fn content(view: &View, path: &str) -> Vec<u8> {
    let found = view.resolve(path.as_bytes(), true).unwrap();
    let file = view.open(found.node).unwrap();
    let mut bytes = vec![0; usize::try_from(file.size()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Bytes that no compression and no chance makes: each block differs.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
