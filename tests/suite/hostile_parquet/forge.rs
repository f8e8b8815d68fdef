//! A table file of ours, taken apart into structures and pages, and put together again with every hash in it made anew:
//! what somebody makes who has our source code and means harm.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use super::thrift::{Value, read_struct};

/// Where pages begin.
const CHUNKS: usize = 12;

/// The tag of the seal, and the size of what follows it.
const SEAL_TAG: &[u8; 8] = b"PARKSEAL";
const DIGEST_BYTES: usize = 32;

const SNAPSHOT_KEY: &[u8] = b"parklite.snapshot";
const TABLE_KEY: &[u8] = b"parklite.table";

/// A page: its header, and its body as it is in the file.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) header: Value,
    pub(crate) body: Vec<u8>,
}

impl Page {
    /// The body before compression; `None` of a page that is none any more.
    pub(crate) fn content(&self) -> Option<Vec<u8>> {
        const MOST_BYTES: usize = 1 << 20;
        zstd::bulk::decompress(&self.body, MOST_BYTES).ok()
    }

    /// The size before compression that the header states; 0 where it states none.
    fn stated_size(&self) -> i64 {
        let mut header = self.header.clone();
        match header.has(2).then(|| header.at(2)) {
            Some(Value::I32(size)) => *size,
            _ => 0,
        }
    }

    /// Puts another body in, and says so in the header.
    pub(crate) fn set_content(&mut self, content: &[u8]) {
        self.body = zstd::bulk::compress(content, 1).expect("compressed");
        self.header.set(2, Value::I32(content.len() as i64));
        self.header.set(3, Value::I32(self.body.len() as i64));
    }
}

/// The file in parts.
#[derive(Debug, Clone)]
pub(crate) struct Forge {
    /// The pages of each chunk, row group by row group.
    pub(crate) chunks: Vec<Vec<Vec<Page>>>,
    index: Vec<u8>,
    pub(crate) footer: Value,
    pub(crate) head: Vec<u8>,
    /// What is written behind the footer instead of its length and the magic.
    pub(crate) tail: Option<Vec<u8>>,
    /// What is written between the last page and the page index.
    pub(crate) gap: Vec<u8>,
    /// What is written between the page index and the footer; its last 32 bytes become the seal's SHA-256.
    pub(crate) seal: Vec<u8>,
    /// Bytes that the footer's structure is followed by, inside of its length.
    pub(crate) after_footer: Vec<u8>,
    /// Whether those bytes stand in the footer's place.
    pub(crate) replace_footer: bool,
}

impl Forge {
    /// Takes a file of ours apart.
    pub(crate) fn open(path: &Path) -> Self {
        let bytes = fs::read(path).expect("read");
        let length_at = bytes.len() - 8;
        let length = u32::from_le_bytes(bytes[length_at..length_at + 4].try_into().expect("four bytes"));
        let footer_at = length_at - length as usize;
        let (mut footer, size) = read_struct(&bytes[footer_at..]);
        assert_eq!(size, length as usize, "the footer is read to its end");
        assert_eq!(footer.bytes(), bytes[footer_at..length_at], "what is read is written as it was");
        let index_end = footer_at - DIGEST_BYTES - SEAL_TAG.len();
        assert_eq!(bytes[index_end..index_end + SEAL_TAG.len()], *SEAL_TAG);
        let mut end = CHUNKS;
        let mut chunks = Vec::new();
        for group in footer.at(4).items() {
            let mut of_group = Vec::new();
            for column in group.at(1).items() {
                let size = usize::try_from(column.at(3).at(7).number()).expect("a size");
                of_group.push(pages(&bytes[end..end + size]));
                end += size;
            }
            chunks.push(of_group);
        }
        Self {
            chunks,
            index: bytes[end..index_end].to_vec(),
            footer,
            head: bytes[..CHUNKS].to_vec(),
            tail: None,
            gap: Vec::new(),
            seal: empty_seal(),
            after_footer: Vec::new(),
            replace_footer: false,
        }
    }

    pub(crate) fn schema(&mut self) -> &mut Vec<Value> {
        self.footer.at(2).items()
    }

    pub(crate) fn groups(&mut self) -> &mut Vec<Value> {
        self.footer.at(4).items()
    }

    /// The first row group.
    pub(crate) fn group(&mut self) -> &mut Value {
        &mut self.groups()[0]
    }

    /// A column chunk of the first row group.
    pub(crate) fn chunk(&mut self, column: usize) -> &mut Value {
        &mut self.group().at(1).items()[column]
    }

    /// The metadata of a column chunk of the first row group.
    pub(crate) fn meta(&mut self, column: usize) -> &mut Value {
        self.chunk(column).at(3)
    }

    /// The pages of a column in the first row group.
    pub(crate) fn pages(&mut self, column: usize) -> &mut Vec<Page> {
        &mut self.chunks[0][column]
    }

    /// The first data page of a column.
    pub(crate) fn data_page(&mut self, column: usize) -> &mut Page {
        self.pages(column).iter_mut().find(|page| page.header.has(5)).expect("a data page")
    }

    /// The dictionary of a column.
    pub(crate) fn dictionary(&mut self, column: usize) -> &mut Page {
        self.pages(column).iter_mut().find(|page| page.header.has(7)).expect("a dictionary")
    }

    /// Makes the footer say of sizes and places what the pages are; everything else it says stays.
    pub(crate) fn lay_out(&mut self) {
        let moved = |at: &mut Value, by: i64| *at = Value::I64(at.number() + by);
        let chunks = std::mem::take(&mut self.chunks);
        let mut at = CHUNKS as i64;
        let before: i64 = self.groups().iter_mut().map(|group| group.at(6).number()).sum();
        for (group, pages) in self.groups().iter_mut().zip(&chunks) {
            let (start, mut uncompressed_sum) = (at, 0);
            for (column, pages) in group.at(1).items().iter_mut().zip(pages) {
                let meta = column.at(3);
                if meta.has(11) {
                    meta.set(11, Value::I64(at));
                }
                meta.set(9, Value::I64(at + dictionary_size(pages)));
                let (mut size, mut uncompressed) = (0, 0_i64);
                for page in pages {
                    let header = page.header.bytes().len() as i64;
                    size += header + page.body.len() as i64;
                    uncompressed = header.saturating_add(page.stated_size()).saturating_add(uncompressed);
                }
                meta.set(7, Value::I64(size));
                meta.set(6, Value::I64(uncompressed));
                at += size;
                uncompressed_sum = uncompressed.saturating_add(uncompressed_sum);
            }
            group.set(2, Value::I64(uncompressed_sum));
            group.set(5, Value::I64(start));
            group.set(6, Value::I64(at - start));
        }
        let by = at - CHUNKS as i64 - before + self.gap.len() as i64;
        for group in self.groups() {
            for column in group.at(1).items() {
                for id in [4, 6] {
                    if column.has(id) {
                        moved(column.at(id), by);
                    }
                }
            }
        }
        self.chunks = chunks;
    }

    /// A value of the key-value metadata, as JSON.
    fn description(&mut self, key: &[u8]) -> Option<&mut Value> {
        let pairs = self.footer.at(5).items();
        let pair =
            pairs.iter_mut().find_map(|pair| (*pair.at(1) == Value::Binary(key.to_vec())).then_some(pair));
        pair.map(|pair| pair.at(2))
    }

    fn has_descriptions(&mut self) -> bool {
        self.footer.has(5) && matches!(self.footer.at(5), Value::List(..))
    }

    fn chunk_hashes(&self) -> Vec<Vec<String>> {
        let hash = |pages: &Vec<Page>| format!("{:016x}", xxh3_64(&page_bytes(pages)));
        self.chunks.iter().map(|group| group.iter().map(hash).collect()).collect()
    }

    /// Makes the hashes of column chunks anew wherever they stand, and the manifest's own.
    pub(crate) fn hash_descriptions(&mut self) {
        let hashes = self.chunk_hashes();
        if !self.has_descriptions() {
            return;
        }
        // A forged text that is no JSON stays as it is.
        if let Some(Value::Binary(text)) = self.description(TABLE_KEY)
            && let Ok(mut table) = serde_json::from_slice::<Json>(text)
        {
            set_hashes(&mut table, &hashes);
            *text = table.to_string().into_bytes();
        }
        if let Some(Value::Binary(text)) = self.description(SNAPSHOT_KEY)
            && let Ok(mut manifest) = serde_json::from_slice::<Json>(text)
        {
            set_hashes(&mut manifest["tables"][0]["files"][0], &hashes);
            *text = sealed_manifest(&mut manifest).into_bytes();
        }
    }

    /// The file, with every hash in it right.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut forge = self.clone();
        forge.hash_descriptions();
        forge.bytes_as_they_are()
    }

    /// The file with what it says of its hashes, and the seal.
    pub(crate) fn bytes_as_they_are(&self) -> Vec<u8> {
        let mut bytes = self.head.clone();
        for pages in self.chunks.iter().flatten() {
            bytes.extend(page_bytes(pages));
        }
        bytes.extend(&self.gap);
        bytes.extend(&self.index);
        bytes.extend(&self.seal);
        let footer = if self.replace_footer { Vec::new() } else { self.footer.bytes() };
        let footer = [footer, self.after_footer.clone()].concat();
        bytes.extend(&footer);
        let usual = || [&(footer.len() as u32).to_le_bytes()[..], b"PAR1"].concat();
        bytes.extend(self.tail.clone().unwrap_or_else(usual));
        seal(&mut bytes);
        bytes
    }
}

fn dictionary_size(pages: &[Page]) -> i64 {
    let dictionary = pages.first().filter(|page| page.header.has(7));
    dictionary.map_or(0, |page| (page.header.bytes().len() + page.body.len()) as i64)
}

fn page_bytes(pages: &[Page]) -> Vec<u8> {
    pages.iter().flat_map(|page| [page.header.bytes(), page.body.clone()].concat()).collect()
}

fn pages(mut bytes: &[u8]) -> Vec<Page> {
    let mut pages = Vec::new();
    while !bytes.is_empty() {
        let (mut header, size) = read_struct(bytes);
        let end = size + usize::try_from(header.at(3).number()).expect("a size");
        pages.push(Page { header, body: bytes[size..end].to_vec() });
        bytes = &bytes[end..];
    }
    pages
}

/// A seal without its SHA-256.
pub(crate) fn empty_seal() -> Vec<u8> {
    [&SEAL_TAG[..], &[0; DIGEST_BYTES]].concat()
}

/// Seals a file, whatever it is, where its end says that the seal is, if there is room.
pub(crate) fn seal(bytes: &mut [u8]) {
    let Some((before, end)) = bytes.split_last_chunk::<8>() else { return };
    let length = u32::from_le_bytes(*end.first_chunk().expect("four bytes"));
    let place = before.len().checked_sub(length as usize).and_then(|footer| footer.checked_sub(DIGEST_BYTES));
    if let Some(place) = place.filter(|&place| place >= CHUNKS + SEAL_TAG.len()) {
        let place = place..place + DIGEST_BYTES;
        bytes[place.clone()].fill(0);
        let digest = Sha256::digest(&*bytes);
        bytes[place].copy_from_slice(&digest);
    }
}

fn set_hashes(description: &mut Json, hashes: &[Vec<String>]) {
    for (group, hashes) in
        description["row_groups"].as_array_mut().expect("row groups").iter_mut().zip(hashes)
    {
        group["chunks"] = hashes.clone().into();
    }
}

/// A manifest's text with its own digest.
fn sealed_manifest(manifest: &mut Json) -> String {
    let zeros = "0".repeat(64);
    manifest["manifest_sha256"] = zeros.clone().into();
    let text = serde_json::to_string_pretty(manifest).expect("JSON") + "\n";
    text.replacen(&zeros, &hex(&Sha256::digest(text.as_bytes())), 1)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Puts a forged file into a snapshot's folder in place of its only table, with sizes, sums and manifest made anew.
pub(crate) fn put_into_folder(folder: &Path, forge: &Forge) {
    let mut forge = forge.clone();
    if forge.has_descriptions() {
        forge.footer.at(5).items().retain(|pair| *pair.clone().at(1) != Value::Binary(SNAPSHOT_KEY.to_vec()));
    }
    let bytes = forge.bytes();
    let mut manifest: Json =
        serde_json::from_slice(&fs::read(folder.join("manifest.json")).expect("read")).expect("JSON");
    let file = &mut manifest["tables"][0]["files"][0];
    set_hashes(file, &forge.chunk_hashes());
    file["size_bytes"] = bytes.len().into();
    file["sha256"] = hex(&Sha256::digest(&bytes)).into();
    let name = file["path"].as_str().expect("a name").to_owned();
    let text = sealed_manifest(&mut manifest);
    let line = |name: &str, bytes: &[u8]| format!("{}  {name}\n", hex(&Sha256::digest(bytes)));
    let views = fs::read(folder.join("views.sql")).expect("read");
    let sums =
        [line(&name, &bytes), line("manifest.json", text.as_bytes()), line("views.sql", &views)].concat();
    fs::write(folder.join(name), bytes).expect("written");
    fs::write(folder.join("manifest.json"), text).expect("written");
    fs::write(folder.join("SHA256SUMS"), sums).expect("written");
}
