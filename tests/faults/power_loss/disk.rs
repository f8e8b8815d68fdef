//! A disk that remembers what is surely on it, and what a power cut may take away.
//!
//! What a sync has confirmed stays. Of all else any part may be lost: of a file's bytes since its last sync, single
//! blocks, the growth, or everything; of names, every change since the last sync of its folder, where a change is
//! kept only together with all earlier changes in the folders that it concerns. (No file system promises more, and
//! some keep no more: a sync of a file says nothing of its name, nor the other way round.)

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};

use super::chance::Chance;
use super::operations::Operation;

/// What is lost at once: a block of a disk, in bytes.
const BLOCK_BYTES: usize = 512;

/// Which file or folder it is, whatever its name.
pub(super) type Node = usize;

const ROOT: Node = 0;

#[derive(Debug, Clone, Default)]
struct Content {
    /// As of the last sync.
    synced: Vec<u8>,
    now: Vec<u8>,
    /// How short it has been since then.
    least_bytes: usize,
    /// Whether anything has happened since then.
    is_dirty: bool,
}

#[derive(Debug, Clone)]
enum Kind {
    File(Content),
    Folder,
}

/// A change of names, in the folders that it concerns.
#[derive(Debug, Clone)]
struct NameChange {
    /// Names that go, and names that come with what they name: all or nothing.
    removed: Vec<(Node, String)>,
    added: Vec<(Node, String, Node)>,
    is_kept: bool,
}

impl NameChange {
    fn folders(&self) -> impl Iterator<Item = Node> + '_ {
        let removed = self.removed.iter().map(|(folder, _)| *folder);
        removed.chain(self.added.iter().map(|(folder, _, _)| *folder))
    }
}

/// Names in folders.
type Names = BTreeMap<(Node, String), Node>;

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Found {
    Folder,
    /// Names of one file have one number.
    File(Node, Vec<u8>),
}

/// All paths and what lies there.
pub(super) type Tree = BTreeMap<PathBuf, Found>;

/// The disk.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    nodes: Vec<Kind>,
    /// The names as a power cut at the beginning would leave them.
    first: Names,
    names: Names,
    changes: Vec<NameChange>,
    /// Where in a file the next write of an open descriptor goes.
    offsets: HashMap<String, usize>,
}

/// How much of what was not synced is lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loss {
    /// Of a hundred changes of names, how many are kept.
    pub(super) names_kept: usize,
    pub(super) bytes: ByteLoss,
}

/// What becomes of bytes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteLoss {
    None,
    /// The file is as it was when it was synced.
    All,
    /// It has its new size, and zeros where it grew.
    ZeroedTail,
    /// It is cut off at any block by which it grew.
    CutOff,
    /// Each block by itself is there or not.
    Blocks,
    /// Each file by itself is treated in any of these ways.
    Any,
}

impl Disk {
    /// A disk with everything in `start` synced long ago.
    pub(super) fn new(start: &BTreeMap<PathBuf, Option<Vec<u8>>>) -> Self {
        let mut disk = Self {
            nodes: vec![Kind::Folder],
            first: Names::new(),
            names: Names::new(),
            changes: Vec::new(),
            offsets: HashMap::new(),
        };
        // Folders come before what they hold.
        for (path, bytes) in start {
            let kind = match bytes {
                None => Kind::Folder,
                Some(bytes) => {
                    let (synced, now, least_bytes) = (bytes.clone(), bytes.clone(), bytes.len());
                    Kind::File(Content { synced, now, least_bytes, is_dirty: false })
                }
            };
            let (folder, name) = disk.place(path).expect("a folder came before");
            disk.nodes.push(kind);
            disk.names.insert((folder, name), disk.nodes.len() - 1);
        }
        disk.first = disk.names.clone();
        disk
    }

    /// Does what was recorded.
    pub(super) fn apply(&mut self, operation: &Operation) -> Result<(), String> {
        match operation {
            Operation::Open { handle, path, creates, truncates } => {
                if self.find(path).is_none() {
                    if !creates {
                        return Err(format!("{} is opened and not there", path.display()));
                    }
                    self.make(path, Kind::File(Content::default()))?;
                }
                self.offsets.insert(handle.clone(), 0);
                if *truncates { self.resize(path, 0) } else { Ok(()) }
            }
            Operation::Duplicate { from, to } => {
                let at = self.offsets.get(from).copied().unwrap_or(0);
                self.offsets.insert(to.clone(), at);
                Ok(())
            }
            Operation::Seek { handle, to } => {
                self.offsets.insert(handle.clone(), *to);
                Ok(())
            }
            Operation::Read { handle, count } => {
                *self.offsets.entry(handle.clone()).or_default() += count;
                Ok(())
            }
            Operation::Append { handle, path, bytes } => {
                let at = self.offsets.get(handle).copied();
                let at = at.ok_or_else(|| format!("{} was not seen opened", path.display()))?;
                self.offsets.insert(handle.clone(), at + bytes.len());
                self.write(path, at, bytes)
            }
            Operation::Write { path, at, bytes } => self.write(path, *at, bytes),
            Operation::Resize { path, size } => self.resize(path, *size),
            Operation::Sync { path } => self.sync(path),
            Operation::MakeFolder { path } => self.make(path, Kind::Folder),
            Operation::Link { from, to } => {
                let node = self.known(from)?;
                let (folder, name) = self.place(to)?;
                self.change(Vec::new(), vec![(folder, name, node)]);
                Ok(())
            }
            Operation::Remove { path } => {
                let place = self.place(path)?;
                self.known(path)?;
                self.change(vec![place], Vec::new());
                Ok(())
            }
            Operation::Rename { from, to, exchanges } => {
                let (node, old, new) = (self.known(from)?, self.place(from)?, self.place(to)?);
                let other = self.find(to);
                let mut added = vec![(new.0, new.1.clone(), node)];
                let mut removed = vec![old.clone()];
                if let Some(other) = other {
                    removed.push(new);
                    if *exchanges {
                        added.push((old.0, old.1, other));
                    }
                }
                self.change(removed, added);
                Ok(())
            }
        }
    }

    /// Everything as it is without a power cut.
    pub(super) fn tree(&self) -> Tree {
        self.tree_of(&self.names, |_, content| content.now.clone())
    }

    /// What a power cut now may leave.
    pub(super) fn after_power_loss(&self, loss: Loss, chance: &mut Chance) -> Tree {
        let mut names = self.first.clone();
        // Folders in which a change was lost: nothing that came later in them is kept.
        let mut broken = Vec::new();
        for change in &self.changes {
            let follows_a_loss = change.folders().any(|folder| broken.contains(&folder));
            if change.is_kept || (!follows_a_loss && chance.is_one_of_hundred(loss.names_kept)) {
                apply_names(&mut names, change);
            } else {
                broken.extend(change.folders());
            }
        }
        let mut made = HashMap::new();
        self.tree_of(&names, |node, content| {
            made.entry(node).or_insert_with(|| content.after_power_loss(loss.bytes, chance)).clone()
        })
    }

    fn tree_of(&self, names: &Names, mut bytes: impl FnMut(Node, &Content) -> Vec<u8>) -> Tree {
        let mut tree = Tree::new();
        let mut waiting = vec![(ROOT, PathBuf::new())];
        while let Some((folder, path)) = waiting.pop() {
            for ((_, name), node) in names.range((folder, String::new())..(folder + 1, String::new())) {
                let path = path.join(name);
                let found = match &self.nodes[*node] {
                    Kind::Folder => {
                        waiting.push((*node, path.clone()));
                        Found::Folder
                    }
                    Kind::File(content) => Found::File(*node, bytes(*node, content)),
                };
                tree.insert(path, found);
            }
        }
        tree
    }

    fn find(&self, path: &Path) -> Option<Node> {
        let mut node = ROOT;
        for part in path.components() {
            match part {
                Component::CurDir => {}
                part => {
                    let name = part.as_os_str().to_str()?.to_string();
                    node = *self.names.get(&(node, name))?;
                }
            }
        }
        Some(node)
    }

    fn known(&self, path: &Path) -> Result<Node, String> {
        self.find(path).ok_or_else(|| format!("{} is not known", path.display()))
    }

    /// The folder of a path, and the name in it.
    fn place(&self, path: &Path) -> Result<(Node, String), String> {
        let folder = self.known(path.parent().unwrap_or(Path::new("")))?;
        let name = path.file_name().and_then(|name| name.to_str());
        Ok((folder, name.ok_or("a path without a readable name")?.to_string()))
    }

    fn make(&mut self, path: &Path, kind: Kind) -> Result<(), String> {
        let (folder, name) = self.place(path)?;
        self.nodes.push(kind);
        self.change(Vec::new(), vec![(folder, name, self.nodes.len() - 1)]);
        Ok(())
    }

    fn change(&mut self, removed: Vec<(Node, String)>, added: Vec<(Node, String, Node)>) {
        let change = NameChange { removed, added, is_kept: false };
        apply_names(&mut self.names, &change);
        self.changes.push(change);
    }

    fn content(&mut self, path: &Path) -> Result<&mut Content, String> {
        let node = self.known(path)?;
        match &mut self.nodes[node] {
            Kind::File(content) => Ok(content),
            Kind::Folder => Err(format!("{} is a folder", path.display())),
        }
    }

    fn write(&mut self, path: &Path, at: usize, bytes: &[u8]) -> Result<(), String> {
        let content = self.content(path)?;
        let end = at + bytes.len();
        if content.now.len() < end {
            content.now.resize(end, 0);
        }
        content.now[at..end].copy_from_slice(bytes);
        content.is_dirty = true;
        Ok(())
    }

    fn resize(&mut self, path: &Path, size: usize) -> Result<(), String> {
        let content = self.content(path)?;
        content.now.resize(size, 0);
        content.least_bytes = content.least_bytes.min(size);
        content.is_dirty = true;
        Ok(())
    }

    fn sync(&mut self, path: &Path) -> Result<(), String> {
        let node = self.known(path)?;
        match &mut self.nodes[node] {
            Kind::File(content) => {
                content.synced.clone_from(&content.now);
                content.least_bytes = content.now.len();
                content.is_dirty = false;
            }
            Kind::Folder => self.keep_changes_in(node),
        }
        Ok(())
    }

    /// Every change in the folder so far is kept, and with it what had to come first, in other folders too.
    fn keep_changes_in(&mut self, folder: Node) {
        let mut kept = vec![folder];
        for change in self.changes.iter_mut().rev() {
            if change.folders().any(|folder| kept.contains(&folder)) {
                change.is_kept = true;
                kept.extend(change.folders());
            }
        }
    }
}

fn apply_names(names: &mut Names, change: &NameChange) {
    for place in &change.removed {
        names.remove(place);
    }
    for (folder, name, node) in &change.added {
        names.insert((*folder, name.clone()), *node);
    }
}

impl Content {
    fn after_power_loss(&self, loss: ByteLoss, chance: &mut Chance) -> Vec<u8> {
        const WAYS: [ByteLoss; 5] =
            [ByteLoss::None, ByteLoss::All, ByteLoss::ZeroedTail, ByteLoss::CutOff, ByteLoss::Blocks];
        if !self.is_dirty {
            return self.synced.clone();
        }
        match loss {
            ByteLoss::None => self.now.clone(),
            ByteLoss::All => self.synced.clone(),
            ByteLoss::ZeroedTail => {
                let mut bytes = self.synced.clone();
                bytes.resize(self.now.len(), 0);
                bytes
            }
            ByteLoss::CutOff => {
                let grown = self.now.len().saturating_sub(self.least_bytes);
                let blocks = grown.div_ceil(BLOCK_BYTES);
                let left = self.least_bytes + chance.below(blocks + 1) * BLOCK_BYTES;
                self.now[..left.min(self.now.len())].to_vec()
            }
            ByteLoss::Blocks => {
                let mut bytes = self.now.clone();
                for (index, block) in bytes.chunks_mut(BLOCK_BYTES).enumerate() {
                    if chance.is_one_of_hundred(50) {
                        let old = self.synced.get(index * BLOCK_BYTES..).unwrap_or_default();
                        let kept = old.len().min(block.len());
                        block[..kept].copy_from_slice(&old[..kept]);
                        block[kept..].fill(0);
                    }
                }
                bytes
            }
            ByteLoss::Any => {
                let way = WAYS[chance.below(WAYS.len())];
                self.after_power_loss(way, chance)
            }
        }
    }
}
