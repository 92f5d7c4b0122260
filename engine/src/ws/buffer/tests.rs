use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

#[test]
fn a_buffer_that_was_emptied_starts_over() {
    let mut buffer = ReceiveBuffer::new(8, 8);
    for _ in 0..100 {
        assert_eq!(buffer.unfilled().len(), 8);
        buffer.extend(b"12345");
        assert_eq!(buffer.filled(), b"12345");
        buffer.consume(5);
    }
}

#[test]
fn bytes_across_the_end_are_moved_before_the_buffer_grows() {
    let mut buffer = ReceiveBuffer::new(8, 16);
    buffer.extend(b"12345678");
    buffer.consume(6);
    assert_eq!(buffer.unfilled().len(), 6, "moved to the front");
    assert_eq!(buffer.filled(), b"78");
    buffer.extend(b"abcdef");
    assert_eq!(buffer.unfilled().len(), 8, "grown, as nothing is consumed");
    assert_eq!(buffer.filled(), b"78abcdef");
}

#[test]
fn growth_ends_at_the_bound() {
    let mut buffer = ReceiveBuffer::new(8, 20);
    buffer.extend(&[7; 20]);
    assert_eq!(buffer.filled(), [7; 20]);
    let refused = std::panic::catch_unwind(move || buffer.unfilled().len());
    assert!(refused.is_err(), "the deframer refuses such a frame by its header, so this is a broken invariant");
}

#[test]
fn a_buffer_starts_no_larger_than_its_bound() {
    assert_eq!(ReceiveBuffer::new(64, 16).unfilled().len(), 16);
}

#[derive(Debug, Clone)]
enum Act {
    Receive(Vec<u8>),
    Consume(usize),
    Change(u8),
    Clear,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Act::Receive),
        4 => (0usize..60).prop_map(Act::Consume),
        1 => any::<u8>().prop_map(Act::Change),
        1 => Just(Act::Clear),
    ];
    prop::collection::vec(act, 0..80)
}

proptest! {
    #[test]
    fn it_is_a_queue_of_bytes(initial in 1usize..48, acts in acts()) {
        const MAX: usize = 256;
        let mut buffer = ReceiveBuffer::new(initial, MAX);
        let mut oracle = VecDeque::<u8>::new();
        for act in acts {
            match act {
                Act::Receive(bytes) => {
                    let bytes = &bytes[..bytes.len().min(MAX - 1 - oracle.len())];
                    buffer.extend(bytes);
                    oracle.extend(bytes);
                }
                Act::Consume(count) => {
                    let count = count.min(oracle.len());
                    buffer.consume(count);
                    oracle.drain(..count);
                }
                Act::Change(by) => {
                    buffer.filled_mut().iter_mut().for_each(|byte| *byte ^= by);
                    oracle.iter_mut().for_each(|byte| *byte ^= by);
                }
                Act::Clear => {
                    buffer.clear();
                    oracle.clear();
                }
            }
            prop_assert_eq!(buffer.filled(), &*oracle.make_contiguous());
            prop_assert!(!buffer.unfilled().is_empty());
            prop_assert_eq!(buffer.filled(), &*oracle.make_contiguous());
        }
    }
}
