//! Runs a program as on a kernel that does not know some requests (ioctl): `refuse FIRST LAST PROGRAM ARGS…`, where FIRST and LAST
//! are type and number of requests in hexadecimal digits: `b405 b407` for version 2 of the interface to GPIO lines, which Linux
//! 5.10 has brought, `64bc 64bc` for atomic mode setting.

use std::env;
use std::error::Error;
use std::ffi::OsString;
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
const USAGE: &str = "give requests and a program: refuse FIRST LAST PROGRAM ARGS…";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [first, last, program, arguments @ ..] = arguments.as_slice() else {
        return Err(USAGE.into());
    };
    let request =
        |digits: &OsString| u32::from_str_radix(digits.to_str().ok_or(USAGE)?, 16).map_err(|_| USAGE);
    refuse(request(first)?, request(last)?)?;
    Err(Command::new(program).args(arguments).exec().into())
}

/// Such requests fail from now on, here and in what this process becomes (kernel:
/// Documentation/userspace-api/seccomp_filter.rst).
fn refuse(first: u32, last: u32) -> io::Result<()> {
    let step = |code: u32, k: u32, jt: u8, jf: u8| sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        step(BPF_LD | BPF_W | BPF_ABS, CALL, 0, 0),
        step(BPF_JMP | BPF_JEQ | BPF_K, libc::SYS_ioctl as u32, 0, 5),
        step(BPF_LD | BPF_W | BPF_ABS, REQUEST, 0, 0),
        step(BPF_ALU | BPF_AND | BPF_K, 0xffff, 0, 0),
        step(BPF_JMP | BPF_JGE | BPF_K, first, 0, 2),
        step(BPF_JMP | BPF_JGT | BPF_K, last, 1, 0),
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
