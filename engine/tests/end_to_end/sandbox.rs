//! Children with less than usual: without io_uring, without locked memory, without root.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter, sock_fprog};

/// `nobody` wherever the tests are likely to run.
const NOBODY: u32 = 65_534;

/// Makes the kernel answer one of io_uring's system calls with `errno`, as Docker's default seccomp profile does with
/// EPERM for all of them.
pub(crate) fn without(command: &mut Command, call: libc::c_long, errno: i32) {
    let step = |code: u32, k: u32, yes: u8, no: u8| sock_filter { code: code as u16, jt: yes, jf: no, k };
    // The number of the system call is the first word of what the filter is given (seccomp(2)).
    let filter = [
        step(BPF_LD | BPF_W | BPF_ABS, 0, 0, 0),
        step(BPF_JMP | BPF_JEQ | BPF_K, call as u32, 0, 1),
        step(BPF_RET | BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32, 0, 0),
        step(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let install = move || {
        let program = sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
        // SAFETY: plain system calls; the program lives until the second one returns, and the kernel copies it.
        let outcome = unsafe {
            match libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) {
                0 => libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program),
                failed => failed,
            }
        };
        if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: between fork and exec the closure makes system calls and nothing else.
    unsafe { command.pre_exec(install) };
}

/// Lets the child lock so many bytes of memory, and takes root from it, whom the limit does not bind.
pub(crate) fn with_little_locked_memory(command: &mut Command, bytes: u64) {
    // SAFETY: the call has no arguments and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    let lower = move || {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: the limit outlives the call.
        match unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec the closure makes one system call and nothing else.
    unsafe { command.pre_exec(lower) };
}
