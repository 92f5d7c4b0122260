//! FNV-1a, 64 bits: the same on every machine and in every version, as ids and seeds made of it must be.
//!
//! Source: Fowler, Noll, Vo, <http://www.isthe.com/chongo/tech/comp/fnv/>.

/// What has come of the bytes so far.
#[derive(Debug, Clone, Copy)]
pub struct Fnv1a(u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Fnv1a(0xCBF2_9CE4_8422_2325)
    }
}

impl Fnv1a {
    /// Takes in bytes.
    pub fn bytes(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    /// Takes in a text, and that it ends.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.bytes().chain([0]));
    }

    /// What has come of it.
    pub fn finish(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the authors' own test vectors.
    #[test]
    fn digests_are_the_published_ones() {
        for (text, expected) in
            [("", 0xCBF2_9CE4_8422_2325), ("a", 0xAF63_DC4C_8601_EC8C), ("foobar", 0x8594_4171_F739_67E8)]
        {
            let mut digest = Fnv1a::default();
            digest.bytes(text.bytes());
            assert_eq!(digest.finish(), expected, "{text:?}");
        }
    }
}
