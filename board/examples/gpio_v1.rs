//! Runs a program as on a kernel before 5.10, which has version 1 of the interface to GPIO lines only: `gpio_v1 PROGRAM ARGS…`

use std::env;
use std::error::Error;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W,
    SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, sock_filter, sock_fprog,
};

/// In `struct seccomp_data`: the number of the call, and the lower half of its second argument.
const CALL: u32 = 0;
const REQUEST: u32 = 24;
/// Type and number of the requests that version 2 has brought, from GPIO_V2_GET_LINEINFO_IOCTL to GPIO_V2_GET_LINE_IOCTL.
const FIRST: u32 = 0xb405;
const LAST: u32 = 0xb407;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let (program, arguments) = arguments.split_first().ok_or("give a program: gpio_v1 PROGRAM ARGS…")?;
    hide_version_2()?;
    Err(Command::new(program).args(arguments).exec().into())
}

/// Such requests fail from now on, here and in what this process becomes (kernel:
/// Documentation/userspace-api/seccomp_filter.rst).
fn hide_version_2() -> io::Result<()> {
    let step = |code: u32, k: u32, jt: u8, jf: u8| sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        step(BPF_LD | BPF_W | BPF_ABS, CALL, 0, 0),
        step(BPF_JMP | BPF_JEQ | BPF_K, libc::SYS_ioctl as u32, 0, 5),
        step(BPF_LD | BPF_W | BPF_ABS, REQUEST, 0, 0),
        step(BPF_ALU | BPF_AND | BPF_K, 0xffff, 0, 0),
        step(BPF_JMP | BPF_JGE | BPF_K, FIRST, 0, 2),
        step(BPF_JMP | BPF_JGT | BPF_K, LAST, 1, 0),
        step(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | libc::EINVAL as u32, 0, 0),
        step(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the first takes numbers only; the second reads the program and its filter, which live through the call.
    let is_done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    if is_done { Ok(()) } else { Err(io::Error::last_os_error()) }
}
