//! `Reader`: a bounds-checked cursor over untrusted bytes. It never panics and never allocates.

use thiserror::Error;

/// The bytes ended before the value did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected {expected} more bytes at offset {offset}, found {found}")]
pub struct Truncated {
    /// Where in the input.
    pub offset: usize,
    /// Bytes asked for.
    pub expected: usize,
    /// Bytes left.
    pub found: usize,
}

/// A cursor over `&[u8]`: each call takes bytes from the front or says how many were missing.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    input: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `input`.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { input, offset: 0 }
    }

    /// Bytes taken so far.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes not yet taken.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.input.get(self.offset..).unwrap_or_default()
    }

    /// Whether every byte has been taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// Takes the next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Truncated> {
        let rest = self.rest();
        let taken = rest.get(..len).ok_or(Truncated {
            offset: self.offset,
            expected: len,
            found: rest.len(),
        })?;
        self.offset += len;
        Ok(taken)
    }

    /// Takes a fixed number of bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Takes one byte.
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Takes two bytes, big-endian.
    pub fn u16_be(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes two bytes, little-endian.
    pub fn u16_le(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_le_bytes)
    }

    /// Takes four bytes, big-endian.
    pub fn u32_be(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes four bytes, little-endian.
    pub fn u32_le(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_in_order_and_says_what_is_missing() {
        let mut reader = Reader::new(&[1, 0, 2, 3, 0, 0, 0, 9]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16_be(), Ok(2));
        assert_eq!(reader.u32_le(), Ok(3));
        let missing = Truncated {
            offset: 7,
            expected: 4,
            found: 1,
        };
        assert_eq!(reader.u32_be(), Err(missing));
        assert_eq!(reader.take(1), Ok(&[9][..]));
        assert!(reader.is_empty());
        assert_eq!(reader.take(0), Ok(&[][..]));
    }
}
