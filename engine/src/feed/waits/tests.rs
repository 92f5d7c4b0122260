use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use futures_lite::future::{block_on, poll_once, zip};

use super::*;
use crate::net::socket::receive;

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (sender, listener.accept().unwrap().0)
}

/// Runs `task` beside the keeper of its waits.
fn run(wait: Wait, task: impl AsyncFnOnce(Rc<Waits>)) {
    let waits = Rc::new(Waits::new(wait).unwrap());
    let task = async {
        task(waits.clone()).await;
        waits.end();
    };
    block_on(zip(waits.keep(), task));
}

#[test]
fn who_waits_for_bytes_is_woken_by_each_arrival() {
    for wait in [Wait::Park, Wait::Spin] {
        run(wait, async |waits| {
            let (mut sender, receiver) = pair();
            let mut waiter = Waiter::new(&waits, &receiver).unwrap();
            let mut buffer = [0; 64];
            for round in 1..=100 {
                sender.write_all(&[7; 3]).unwrap();
                let mut received = 0;
                while received < 3 {
                    waiter.readable().await;
                    match receive(&receiver, &mut buffer) {
                        Ok(got) => {
                            assert!(got.is_all, "the buffer has room for more");
                            received += got.bytes;
                        }
                        Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "round {round}"),
                    }
                }
            }
            sender.write_all(&[7; 3]).unwrap();
            waiter.readable().await;
            assert!(!receive(&receiver, &mut buffer[..1]).unwrap().is_all, "a full buffer says nothing");
        });
    }
}

#[test]
fn an_end_that_came_with_the_last_bytes_is_noticed_after_they_are_read() {
    run(Wait::Park, async |waits| {
        let (mut sender, receiver) = pair();
        let mut waiter = Waiter::new(&waits, &receiver).unwrap();
        sender.write_all(b"last words").unwrap();
        drop(sender);
        waiter.readable().await;
        let mut buffer = [0; 64];
        assert_eq!(receive(&receiver, &mut buffer).unwrap().bytes, 10);
        // Nothing else will ever come, so no arrival wakes it.
        waiter.readable().await;
        assert_eq!(receive(&receiver, &mut buffer).unwrap().bytes, 0);
    });
}

#[test]
fn a_socket_that_is_shut_from_this_side_wakes_its_reader() {
    run(Wait::Park, async |waits| {
        let (_sender, receiver) = pair();
        let mut waiter = Waiter::new(&waits, &receiver).unwrap();
        let shut = async {
            waits.sleep(Duration::from_millis(1)).await;
            receiver.shutdown(std::net::Shutdown::Both).unwrap();
        };
        zip(waiter.readable(), shut).await;
    });
}

#[test]
fn sleepers_wake_and_not_before_their_time() {
    for wait in [Wait::Park, Wait::Spin] {
        run(wait, async |waits| {
            let begun = Nanos::now();
            let sleep = async |millis| {
                waits.sleep(Duration::from_millis(millis)).await;
                assert!(Nanos::now().time_since(begun) >= Duration::from_millis(millis));
            };
            zip(zip(sleep(20), sleep(0)), zip(sleep(5), sleep(10))).await;
        });
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn only_those_whose_time_has_come_are_woken() {
    let waits = Waits::new(Wait::Park).unwrap();
    let woken = Arc::new(Woken::default());
    for at in [30, 10, 20] {
        waits.timers.borrow_mut().push(Reverse(Timer { at: Nanos(at), waker: woken.clone().into() }));
    }
    let unfinished = waits.unfinished.get();
    // Who is woken may have to be waited for shortly, which is known only after its turn.
    let steps = [(4, 0, 6), (9, 0, 1), (10, 1, 0), (10, 1, 10), (29, 2, 0), (29, 2, 1), (30, 3, 0)];
    for (now, count, left) in steps {
        assert_eq!(waits.wake_due(Nanos(now), unfinished), Duration::from_nanos(left), "at {now}");
        assert_eq!(woken.0.load(Ordering::Relaxed), count, "at {now}");
    }
    assert_eq!(waits.wake_due(Nanos(40), unfinished), LONGEST_SLEEP);
    waits.has_more();
    assert_eq!(waits.wake_due(Nanos(40), unfinished), Duration::ZERO, "a task has been started");
}

#[test]
fn who_always_has_more_gives_the_others_their_turn() {
    run(Wait::Park, async |waits| {
        let is_over = Cell::new(false);
        let busy = async {
            let mut turns = 0_u64;
            while !is_over.get() {
                waits.yield_if_needed().await;
                turns += 1;
            }
            assert!(turns > 1);
        };
        let other = async {
            let (mut sender, receiver) = pair();
            let mut waiter = Waiter::new(&waits, &receiver).unwrap();
            sender.write_all(&[1]).unwrap();
            waiter.readable().await;
            waits.sleep(Duration::from_millis(3)).await;
            is_over.set(true);
        };
        zip(busy, other).await;
    });
}

#[test]
fn the_end_is_not_slept_through() {
    let waits = Waits::new(Wait::Park).unwrap();
    let mut keep = std::pin::pin!(waits.keep());
    assert_eq!(block_on(poll_once(&mut keep)), None, "it gives the others their turn first");
    waits.end();
    assert_eq!(block_on(poll_once(&mut keep)), Some(()));
}

#[test]
fn numbers_of_sockets_are_used_again_and_hear_nothing_of_those_before() {
    let waits = Rc::new(Waits::new(Wait::Park).unwrap());
    let (mut sender, receiver) = pair();
    let waiter = Waiter::new(&waits, &receiver).unwrap();
    sender.write_all(&[1]).unwrap();
    waits.wake_ready(LONGEST_SLEEP);
    assert!(waits.sockets.borrow().slots[0].is_ready);
    drop(waiter);
    sender.write_all(&[1]).unwrap();
    let (_sender, other) = pair();
    let _waiter = Waiter::new(&waits, &other).unwrap();
    waits.wake_ready(Duration::ZERO);
    let sockets = waits.sockets.borrow();
    assert!(sockets.slots.len() == 1 && sockets.free.is_empty() && !sockets.slots[0].is_ready);
}
