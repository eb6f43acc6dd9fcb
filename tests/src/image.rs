//! Images: unpacked into sparse files, once for each build folder.

use flr_fs::source::{ByteSource, check_range};
use flr_fs::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Bytes that are looked at at once when zeros are skipped.
const PIECE_LEN: usize = 64 << 10;
const SECTOR_LEN: usize = 512;

/// What stands in a packed image for the table of upper case of an NTFS volume: see `fixtures/kit.py`.
const UPCASE_HERE: &[u8] = b"fixtures/upcase.zst goes here\n";

/// A file as a byte source: as little as tests need.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    size: u64,
}

impl FileSource {
    /// The bytes of an open file.
    ///
    /// # Panics
    /// If its size cannot be had.
    #[must_use]
    pub fn new(mut file: File) -> Self {
        let size = file.seek(SeekFrom::End(0)).expect("the size of a file");
        Self { file, size }
    }
}

impl ByteSource for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(offset, buf.len(), self.size)?;
        (self.file.read_exact_at(buf, offset)).map_err(|error| Error::io(offset, error))
    }
}

/// The folder with the images, the trees and the recipes.
#[must_use]
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

/// A folder for large temporary files, on the disk that holds the build.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn scratch() -> PathBuf {
    // A test program lies in target/PROFILE/deps.
    let exe = std::env::current_exe().expect("the path of this program");
    let target = exe.ancestors().nth(3).expect("a target folder");
    let dir = target.join("tmp");
    std::fs::create_dir_all(&dir).expect("a folder for temporary files");
    dir
}

/// Names of all images, in order.
///
/// # Panics
/// If the fixtures are not there.
#[must_use]
pub fn names() -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(fixtures().join("images"))
        .expect("fixtures/images")
        .map(|entry| entry.expect("an image").file_name())
        .filter_map(|name| Some(name.to_str()?.strip_suffix(".img.zst")?.to_owned()))
        .collect();
    names.sort();
    names
}

/// An image of the fixtures, opened for reading. The first that asks for it unpacks it: see
/// [`image_path`].
///
/// # Panics
/// If there is none of this name.
#[must_use]
pub fn image(name: &str) -> Arc<dyn ByteSource> {
    let file = File::open(image_path(name)).expect("an unpacked image");
    Arc::new(FileSource::new(file))
}

/// A hive of the fixtures, such as `registry-forms`.
///
/// # Panics
/// If there is none of this name.
#[must_use]
pub fn hive(name: &str) -> Vec<u8> {
    let file = tempfile::tempfile_in(scratch()).expect("a temporary file");
    unpack_file(&format!("{name}.hive"), &file);
    let source = FileSource::new(file);
    let mut bytes = vec![0; usize::try_from(source.size()).expect("a small hive")];
    source.read_at(0, &mut bytes).expect("the hive");
    bytes
}

/// An image of the fixtures under a name, for programs. It is unpacked once for each build folder, and
/// must not be written to. It carries the time of what it was unpacked from: with any other time, also
/// that of a write, it is unpacked again.
///
/// # Panics
/// If there is none of this name.
#[must_use]
pub fn image_path(name: &str) -> PathBuf {
    let dir = scratch().join("images");
    std::fs::create_dir_all(&dir).expect("a folder for images");
    let path = dir.join(format!("{name}.img"));
    let time = |path: &Path| {
        let metadata = path.metadata();
        metadata.and_then(|metadata| metadata.modified()).ok()
    };
    let packed = time(&fixtures().join(format!("images/{name}.img.zst")));
    let packed = packed.unwrap_or_else(|| panic!("no image {name}"));
    // Volumes of NTFS hold the table as well.
    let packed = packed.max(time(&fixtures().join("upcase.zst")).expect("fixtures/upcase.zst"));
    if time(&path) != Some(packed) {
        // Under its name only when all is there: others may want it at the same time.
        let file = tempfile::NamedTempFile::new_in(&dir).expect("a temporary file");
        unpack(name, file.as_file());
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        (file.as_file().set_permissions(all)).expect("an image for all users");
        (file.as_file().set_modified(packed)).expect("the time of an image");
        file.persist(&path).expect("an image under its name");
    }
    path
}

/// An image of the fixtures, to be patched. For small ones.
///
/// # Panics
/// If there is none of this name.
#[must_use]
pub fn image_bytes(name: &str) -> Vec<u8> {
    let source = image(name);
    let mut bytes = vec![0; usize::try_from(source.size()).expect("a small image")];
    source.read_at(0, &mut bytes).expect("the image");
    bytes
}

fn unpack(name: &str, file: &File) {
    unpack_file(&format!("{name}.img"), file);
}

fn unpack_file(name: &str, mut file: &File) {
    let path = fixtures().join("images").join(format!("{name}.zst"));
    let packed = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(packed)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut piece = vec![0; PIECE_LEN];
    let (mut size, mut tables) = (0, Vec::new());
    loop {
        let len = fill(&mut decoder, &mut piece);
        if len == 0 {
            break;
        }
        let piece = &piece[..len];
        let sectors = piece.chunks(SECTOR_LEN).enumerate();
        let marked = sectors.filter(|(_, sector)| sector.starts_with(UPCASE_HERE));
        tables.extend(marked.map(|(index, _)| size + index * SECTOR_LEN));
        size += len;
        if piece.iter().all(|byte| *byte == 0) {
            let skip = i64::try_from(len).expect("a short piece");
            file.seek(SeekFrom::Current(skip)).expect("a sparse file");
        } else {
            file.write_all(piece).expect("room for an image");
        }
    }
    file.set_len(u64::try_from(size).expect("a size"))
        .expect("a sparse file");
    for at in tables {
        let at = u64::try_from(at).expect("a place");
        file.write_all_at(upcase(), at).expect("room for a table");
    }
}

/// The table of upper case that `mkntfs` writes. It hardly packs; its differences from the identity do.
fn upcase() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let packed = File::open(fixtures().join("upcase.zst")).expect("fixtures/upcase.zst");
        let decoder = ruzstd::decoding::StreamingDecoder::new(packed);
        let mut steps = Vec::new();
        let mut decoder = decoder.expect("a sound archive");
        decoder.read_to_end(&mut steps).expect("a sound archive");
        let steps = steps.chunks_exact(2).zip(0_u16..=u16::MAX);
        let upper = |(step, unit): (&[u8], u16)| {
            let step = u16::from_le_bytes([step[0], step[1]]);
            unit.wrapping_add(step).to_le_bytes()
        };
        steps.flat_map(upper).collect()
    })
}

fn fill(from: &mut impl Read, buf: &mut [u8]) -> usize {
    let mut len = 0;
    while len < buf.len() {
        match from.read(&mut buf[len..]).expect("a sound archive") {
            0 => break,
            more => len += more,
        }
    }
    len
}
