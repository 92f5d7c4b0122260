//! The receive buffer of a connection.

/// Bytes received and not yet consumed, in one piece: a frame is read, unwrapped and parsed where it lies.
///
/// Bytes enter at the end and leave at the front. Once all are consumed the buffer starts over, so the bytes are
/// moved only when a frame lies across the end.
pub struct ReceiveBuffer {
    bytes: Box<[u8]>,
    head: usize,
    tail: usize,
    max: usize,
}

impl ReceiveBuffer {
    /// A buffer of `initial` bytes that may grow to `max` bytes for a frame that needs it.
    pub fn new(initial: usize, max: usize) -> Self {
        ReceiveBuffer { bytes: vec![0; initial.min(max)].into(), head: 0, tail: 0, max }
    }

    /// What was received and not consumed.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        &self.bytes[self.head..self.tail]
    }

    /// The same, to be changed in place.
    #[inline]
    pub fn filled_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.head..self.tail]
    }

    /// Room for the next bytes; never empty, since a buffer without room is first compacted or grown.
    /// A frame that would need more than `max` bytes is refused by its header, before its payload fills this.
    #[inline]
    pub fn unfilled(&mut self) -> &mut [u8] {
        if self.head == self.tail {
            self.head = 0;
            self.tail = 0;
        } else if self.tail == self.bytes.len() {
            self.make_room();
        }
        &mut self.bytes[self.tail..]
    }

    #[cold]
    fn make_room(&mut self) {
        if self.head > 0 {
            self.bytes.copy_within(self.head..self.tail, 0);
            self.tail -= self.head;
            self.head = 0;
            return;
        }
        let grown = (self.bytes.len() * 2).min(self.max);
        assert!(grown > self.bytes.len(), "a frame of more than {} bytes passed the frame limit", self.max);
        let mut bytes = vec![0; grown].into_boxed_slice();
        bytes[..self.tail].copy_from_slice(&self.bytes[..self.tail]);
        self.bytes = bytes;
    }

    /// `count` bytes were written to [`Self::unfilled`].
    #[inline]
    pub fn fill(&mut self, count: usize) {
        assert!(count <= self.bytes.len() - self.tail);
        self.tail += count;
    }

    /// Appends `bytes`.
    pub fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.unfilled();
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            self.fill(now.len());
            bytes = later;
        }
    }

    /// The first `count` bytes are done with.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        assert!(count <= self.tail - self.head);
        self.head += count;
    }

    /// Forgets everything: a new connection begins.
    pub fn clear(&mut self) {
        (self.head, self.tail) = (0, 0);
    }
}

#[cfg(test)]
mod tests;
