//! Where ranges of keys end, seen from a sample of them. It shows in nothing but time.

/// Ends of ranges of keys.
#[derive(Debug)]
pub struct Splitters {
    /// What all keys of the sample begin with.
    common: Vec<u8>,
    /// What comes after that in the first keys of all ranges but the first.
    firsts: Vec<u128>,
}

impl Splitters {
    /// Ends of at most `parts` ranges that hold about as many keys of the sample each.
    #[must_use]
    pub fn of_sample(mut keys: Vec<Vec<u8>>, parts: usize) -> Self {
        keys.sort_unstable();
        keys.dedup();
        let common = match (keys.first(), keys.last()) {
            (Some(first), Some(last)) => common_prefix(first, last).to_vec(),
            _ => Vec::new(),
        };
        let words = keys.iter().map(|key| word(&key[common.len()..]));
        let mut words: Vec<u128> = words.collect();
        let least = words.first().copied().unwrap_or(0);
        let places = (1..parts).map(|part| part * words.len() / parts.max(1));
        let mut firsts: Vec<u128> = places.filter_map(|place| words.get(place).copied()).collect();
        firsts.dedup();
        firsts.retain(|&first| first > least);
        if firsts.is_empty() && parts > 1 {
            // Most keys look alike: at least they are parted from the others.
            words.retain(|&word| word > least);
            firsts.extend(words.first());
        }
        if let (true, Some(middle)) =
            (firsts.is_empty() && parts > 1 && keys.len() > 1, keys.get(keys.len() / 2))
        {
            // All go on with as many zeros as are compared at once: they are parted at one of them.
            return Self { common: middle.clone(), firsts: vec![0] };
        }
        Self { common, firsts }
    }

    /// How many ranges there are.
    pub(super) fn parts(&self) -> usize {
        self.firsts.len() + 1
    }

    /// The range of a key. Never falls where keys rise.
    pub(super) fn part_of(&self, key: &[u8]) -> usize {
        let (head, tail) = key.split_at(key.len().min(self.common.len()));
        match head.cmp(&self.common) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Greater => self.firsts.len(),
            std::cmp::Ordering::Equal => {
                let word = word(tail);
                self.firsts.partition_point(|&first| first <= word)
            }
        }
    }
}

pub(super) fn common_prefix<'k>(a: &'k [u8], b: &[u8]) -> &'k [u8] {
    &a[..a.iter().zip(b).take_while(|(a, b)| a == b).count()]
}

/// The first bytes of a key as a number that compares as they do, and where one key begins with the other, not wrongly.
pub(super) fn word(key: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let taken = key.len().min(16);
    bytes[..taken].copy_from_slice(&key[..taken]);
    u128::from_be_bytes(bytes)
}

/// How many ranges make one of them, on average, half as large as fits; and small enough that its rows are picked out of
/// a processor's cache.
#[must_use]
pub fn parts_for(bytes: u64, memory_bytes: u64) -> usize {
    const MOST: u64 = 512;
    const CACHED_BYTES: u64 = 8 * 1024 * 1024;
    usize::try_from((bytes / (memory_bytes / 2).clamp(1, CACHED_BYTES) + 1).min(MOST)).unwrap_or(1)
}
