//! Files of a volume, or of a snapshot of it.

use super::content::Content;
use std::collections::BTreeMap;

/// What a file is.
#[derive(Clone, Debug)]
pub enum FileKind {
    /// A file with these bytes.
    File(Content),
    /// A directory.
    Directory,
    /// A symbolic link to this path.
    Symlink(String),
}

/// A file of a volume.
#[derive(Clone, Debug)]
pub struct FileNode {
    /// What it is.
    pub kind: FileKind,
    /// Permissions, such as `0o644`.
    pub mode: u32,
    /// Owner.
    pub owner: u32,
    /// Group.
    pub group: u32,
    /// Inode.
    pub inode: u64,
    /// When it was changed, in milliseconds since 1970.
    pub modified: i64,
    /// Whether it goes when the volume runs full.
    pub auto_delete: bool,
}

impl FileNode {
    pub(crate) const fn word(&self) -> &'static str {
        match self.kind {
            FileKind::File(_) => "file",
            FileKind::Directory => "directory",
            FileKind::Symlink(_) => "symlink",
        }
    }

    pub(crate) const fn len(&self) -> u64 {
        match &self.kind {
            FileKind::File(content) => content.len(),
            FileKind::Directory => 4096,
            FileKind::Symlink(_) => 0,
        }
    }
}

/// Files by their paths without a slash at either end; the root is not among them.
#[derive(Clone, Debug, Default)]
pub struct Files {
    nodes: BTreeMap<String, FileNode>,
    last_inode: u64,
}

impl Files {
    /// Adds a file, and the directories that lead to it.
    pub fn add(&mut self, path: &str, content: Content, now: i64) {
        self.put(path, FileKind::File(content), now);
    }

    /// Adds a directory, and those that lead to it.
    pub fn add_directory(&mut self, path: &str, now: i64) {
        self.put(path, FileKind::Directory, now);
    }

    /// Adds a symbolic link, and the directories that lead to it.
    pub fn add_symlink(&mut self, path: &str, target: &str, now: i64) {
        self.put(path, FileKind::Symlink(target.to_owned()), now);
    }

    fn put(&mut self, path: &str, kind: FileKind, modified: i64) {
        let slashes = path.match_indices('/').map(|(at, _)| at);
        let above: Vec<_> = slashes.map(|at| path[..at].to_owned()).collect();
        for directory in above {
            if !self.nodes.contains_key(&directory) {
                self.put_one(&directory, FileKind::Directory, modified);
            }
        }
        self.put_one(path, kind, modified);
    }

    fn put_one(&mut self, path: &str, kind: FileKind, modified: i64) {
        self.last_inode += 1;
        let node = FileNode {
            mode: if matches!(kind, FileKind::Directory) {
                0o755
            } else {
                0o644
            },
            kind,
            owner: 0,
            group: 0,
            inode: 95 + self.last_inode,
            modified,
            auto_delete: false,
        };
        self.nodes.insert(path.to_owned(), node);
    }

    /// Adds a clone of a file: owner and permissions are the file's, number and times are its own.
    pub(crate) fn add_clone(&mut self, path: &str, of: &FileNode, auto_delete: bool, now: i64) {
        self.put(path, of.kind.clone(), now);
        let node = self.nodes.get_mut(path).expect("it was just put there");
        (node.mode, node.owner, node.group) = (of.mode, of.owner, of.group);
        node.auto_delete = auto_delete;
    }

    /// A file by its path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&FileNode> {
        self.nodes.get(path)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, path: &str) -> Option<&mut FileNode> {
        self.nodes.get_mut(path)
    }

    /// Whether there is a directory; the root is the empty path.
    pub(crate) fn is_directory(&self, path: &str) -> bool {
        let is_one = |node: &FileNode| matches!(node.kind, FileKind::Directory);
        path.is_empty() || self.get(path).is_some_and(is_one)
    }

    /// What is in a directory: names and files.
    pub(crate) fn list(&self, path: &str) -> Vec<(&str, &FileNode)> {
        let inside = |(full, node)| {
            let name = name_inside(full, path)?;
            (!name.contains('/')).then_some((name, node))
        };
        let nodes = self.nodes.iter();
        nodes
            .filter_map(|(full, node)| inside((full.as_str(), node)))
            .collect()
    }

    /// Takes a file away, with all that is in it.
    pub(crate) fn remove(&mut self, path: &str) {
        self.nodes
            .retain(|full, _| full != path && name_inside(full, path).is_none());
    }

    /// Takes away what goes when the volume runs full.
    pub fn run_full(&mut self) {
        self.nodes.retain(|_, node| !node.auto_delete);
    }

    /// All paths.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }
}

/// What a path is called inside of a directory; the root is the empty path.
pub(crate) fn name_inside<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    if directory.is_empty() {
        return Some(path);
    }
    path.strip_prefix(directory)?.strip_prefix('/')
}

/// The last name of a path.
pub(crate) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_with_their_files() {
        let mut files = Files::default();
        files.add("a/b/c", Content::from_bytes("c"), 0);
        files.add("a/bb", Content::from_bytes("bb"), 0);
        let names = |path: &str| -> Vec<String> {
            let list = files.list(path);
            list.iter().map(|(name, _)| (*name).to_owned()).collect()
        };
        assert_eq!(names(""), ["a"]);
        assert_eq!(names("a"), ["b", "bb"]);
        assert_eq!(names("a/b"), ["c"]);
        let mut rest = files.clone();
        rest.remove("a/b");
        assert_eq!(rest.paths().collect::<Vec<_>>(), ["a", "a/bb"]);
    }
}
