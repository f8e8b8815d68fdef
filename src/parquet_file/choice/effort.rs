//! Whether less effort than was asked for is enough.

use super::compressors::{Compressors, LEAST_LEVEL};
use super::less;
use crate::error::Result;

/// More effort must save one part in this many.
pub(super) const NOTICEABLE_SHARE: usize = 256;

/// Where no more than one part in this many is saved at all, all pages are alike.
pub(super) const INCOMPRESSIBLE_SHARE: usize = 16;

/// Where no more than one part in this many is left, pages that look alike come out larger or smaller by a third with
/// either effort: what happens to be found once is found again and again.
const MUCH_SHARE: usize = 8;

/// How large values come out with the least effort and with the effort asked for, and how large plain ones are with that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    raw: usize,
    least: usize,
    asked: usize,
    plain: usize,
}

impl Effort {
    /// Of `bytes`, with `more` on top once they are compressed: `asked` and `plain` are known.
    pub(super) fn of(
        (bytes, more): (&[u8], usize),
        (asked, plain): (usize, usize),
        zstd: &mut Compressors,
    ) -> Result<Self> {
        Ok(Self { raw: bytes.len(), least: zstd.least.size_of(bytes)? + more, asked, plain })
    }

    /// Where less was not tried.
    pub(super) fn as_asked(bytes: usize) -> Self {
        Self { raw: usize::MAX, least: usize::MAX, asked: bytes, plain: bytes }
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            raw: self.raw.saturating_add(other.raw),
            least: self.least.saturating_add(other.least),
            asked: self.asked + other.asked,
            plain: self.plain + other.plain,
        }
    }

    /// Whether the least effort makes nothing larger than plain values are with the effort asked for.
    pub(super) fn least_is_enough(&self) -> bool {
        // Where nothing can be saved, no effort changes that. Else pages tell the less of others the smaller they come out.
        let is_compressed = self.least < less(self.raw, INCOMPRESSIBLE_SHARE);
        let is_compressed_much = self.least < self.raw / MUCH_SHARE;
        let margin = match (is_compressed, is_compressed_much) {
            (false, _) => 0,
            (true, false) => self.plain.isqrt(),
            (true, true) => self.plain / 2,
        };
        self.least.saturating_add(margin) <= self.plain && self.is_no_worse()
    }

    /// Whether it looks as if it did, and more pages would tell.
    pub(super) fn is_close(&self) -> bool {
        !self.least_is_enough() && self.is_no_worse() && self.least <= self.plain
    }

    fn is_no_worse(&self) -> bool {
        self.least <= self.asked + self.asked / NOTICEABLE_SHARE
    }

    pub(super) fn level(&self, asked: i32) -> i32 {
        if self.least_is_enough() { LEAST_LEVEL.min(asked) } else { asked }
    }

    pub(super) fn bytes(&self) -> usize {
        if self.least_is_enough() { self.least } else { self.asked }
    }
}
