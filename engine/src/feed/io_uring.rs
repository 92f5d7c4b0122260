//! Whether io_uring is to be had here, and what to do where it is not.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use glommio::{GlommioError, LocalExecutorBuilder, Placement};

/// Memory that glommio registers with io_uring for storage; its least, since nothing is stored here. The default
/// of 10 MiB is more than the usual memlock limit.
pub(super) const IO_MEMORY: usize = 64 * 1024;
/// Least of the limit of locked memory: glommio makes no executor below it, however little it is to lock.
pub(crate) const MIN_LOCKED_MEMORY: u64 = 512 * 1024;
/// How to raise it.
pub(crate) const MORE_MEMORY: &str =
    "raise it (ulimit -l 8192; LimitMEMLOCK= in systemd; ulimits.memlock in Compose; --ulimit memlock= in Docker)";

/// What is missing for io_uring, and how to mend it.
pub(super) fn explain(error: &GlommioError<()>) -> String {
    match error {
        GlommioError::IoError(error) => explain_io(error),
        _ => format!("the executor cannot be started: {error}"),
    }
}

fn explain_io(error: &io::Error) -> String {
    let unprivileged = "echo 0 > /proc/sys/kernel/io_uring_disabled, and in a container a seccomp profile that allows \
                        io_uring_setup, io_uring_enter and io_uring_register";
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => format!("io_uring is blocked ({error}): allow it ({unprivileged})"),
        Some(libc::ENOSYS) => {
            format!("io_uring is not there ({error}): Linux 5.8 or newer is needed, or it is blocked ({unprivileged})")
        }
        Some(libc::ENOMEM) => format!("the limit of locked memory is too low for io_uring ({error}): {MORE_MEMORY}"),
        _ => format!("the executor cannot be started: {error}"),
    }
}

/// Whether an executor can be made here at all: to fail before anything else is begun.
///
/// Tried on a thread of its own: the kernel takes an io_uring apart later than it is closed, and then interrupts
/// whatever its thread waits for, such as the registry's answer.
///
/// # Errors
/// What is missing, and the way out.
pub fn probe() -> Result<(), String> {
    // First without glommio, which is short about the limit, and panics where io_uring is blocked.
    let limit = locked_memory_limit().map_err(|error| format!("the limit of locked memory is not known: {error}"))?;
    if limit < MIN_LOCKED_MEMORY {
        return Err(format!(
            "the limit of locked memory is too low for io_uring ({limit} bytes, at least {MIN_LOCKED_MEMORY} are \
             needed): {MORE_MEMORY}"
        ));
    }
    let make = || {
        try_io_uring().map_err(|error| explain_io(&error))?;
        let builder = LocalExecutorBuilder::new(Placement::Unbound).io_memory(IO_MEMORY);
        builder.make().map(drop).map_err(|error| explain(&error))
    };
    let thread = std::thread::Builder::new().name("k2-probe".into()).spawn(make);
    let thread = thread.map_err(|error| format!("no thread can be started: {error}"))?;
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Makes each of io_uring's three system calls once.
fn try_io_uring() -> io::Result<()> {
    /// Words of `struct io_uring_params`.
    const PARAMS: usize = 30;
    /// `struct io_uring_probe` with room for so many operations, the most that the kernel takes, in 8-byte words.
    const OPERATIONS: usize = 256;
    const REGISTER_PROBE: libc::c_uint = 8;
    let done = |outcome: libc::c_long| if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(outcome) };
    let (mut params, mut operations) = ([0u32; PARAMS], [0u64; 2 + OPERATIONS]);
    // SAFETY: the kernel writes to `params`, which is as long as it expects.
    let ring = done(unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, params.as_mut_ptr()) })?;
    // SAFETY: the call has just given us this descriptor, and nobody else has it.
    let ring = unsafe { OwnedFd::from_raw_fd(ring as RawFd) };
    let fd = ring.as_raw_fd();
    // SAFETY: the kernel writes to `operations`, which has room for as many as it is told.
    done(unsafe {
        libc::syscall(libc::SYS_io_uring_register, fd, REGISTER_PROBE, operations.as_mut_ptr(), OPERATIONS)
    })?;
    // SAFETY: nothing is submitted and nothing is waited for; there is no signal mask.
    done(unsafe { libc::syscall(libc::SYS_io_uring_enter, fd, 0, 0, 0, std::ptr::null::<libc::c_void>(), 0) })?;
    Ok(())
}

fn locked_memory_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes to `limit`, which outlives the call.
    match unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } {
        0 => Ok(limit.rlim_cur),
        _ => Err(io::Error::last_os_error()),
    }
}
