//! zstd as it is asked how large bytes come out: nothing is kept of what it makes.

use zstd::zstd_safe::{self, CCtx, CParameter, InBuffer, OutBuffer, ResetDirective};

use crate::error::{Error, ErrorKind, Result};

/// The least effort.
pub(super) const LEAST_LEVEL: i32 = 1;

/// zstd at the least level, and at the one asked for where that is another.
pub(in crate::parquet_file) struct Compressors {
    pub(super) least: Compressor,
    asked: Option<Compressor>,
}

impl Compressors {
    pub(in crate::parquet_file) fn new(level: i32) -> Result<Self> {
        let asked = (level > LEAST_LEVEL).then(|| Compressor::new(level)).transpose()?;
        Ok(Self { least: Compressor::new(LEAST_LEVEL.min(level))?, asked })
    }

    pub(super) fn at_asked(&mut self) -> &mut Compressor {
        self.asked.as_mut().unwrap_or(&mut self.least)
    }
}

/// zstd at one level.
pub(super) struct Compressor {
    pub(super) level: i32,
    zstd: CCtx<'static>,
    buffer: Vec<u8>,
}

impl Compressor {
    fn new(level: i32) -> Result<Self> {
        let mut zstd = CCtx::create();
        zstd.set_parameter(CParameter::CompressionLevel(level)).map_err(no_answer)?;
        Ok(Self { level, zstd, buffer: Vec::new() })
    }

    pub(super) fn size_of(&mut self, bytes: &[u8]) -> Result<usize> {
        self.buffer.clear();
        self.buffer.reserve(zstd_safe::compress_bound(bytes.len()));
        self.zstd.compress2(&mut self.buffer, bytes).map_err(no_answer)
    }

    /// How large the first bytes of a page of `page_bytes` bytes come out: zstd works in other ways for small pages than for
    /// large ones.
    pub(super) fn size_of_part(&mut self, bytes: &[u8], page_bytes: usize) -> Result<usize> {
        if page_bytes <= bytes.len() {
            return self.size_of(bytes);
        }
        self.buffer.clear();
        self.buffer.reserve(zstd_safe::compress_bound(bytes.len()));
        self.zstd.reset(ResetDirective::SessionOnly).map_err(no_answer)?;
        self.zstd.set_pledged_src_size(Some(page_bytes as u64)).map_err(no_answer)?;
        let (mut input, mut output) = (InBuffer::around(bytes), OutBuffer::around(&mut self.buffer));
        while input.pos() < bytes.len() {
            self.zstd.compress_stream(&mut output, &mut input).map_err(no_answer)?;
        }
        self.zstd.flush_stream(&mut output).map_err(no_answer)?;
        let size = output.pos();
        self.zstd.reset(ResetDirective::SessionOnly).map_err(no_answer)?;
        Ok(size)
    }
}

fn no_answer(code: usize) -> Error {
    let message = format!("trying how a column compresses: {}", zstd_safe::get_error_name(code));
    Error::new(ErrorKind::Failed, message)
}
