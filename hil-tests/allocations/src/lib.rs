//! Counts the allocations of each thread, of Rust and of C, by standing in front of glibc's allocator. For tests.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

thread_local! {
    // Neither made nor dropped at run time: the allocator may not allocate.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// How many allocations `work` makes on this thread.
pub fn during<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = so_far();
    let result = work();
    (so_far() - before, result)
}

/// How many allocations this thread has made.
pub fn so_far() -> u64 {
    COUNT.get()
}

fn add_one() {
    COUNT.set(COUNT.get() + 1);
}

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(memory: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
}

/// # Safety
/// As malloc(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    add_one();
    // SAFETY: the caller's promise is handed on.
    unsafe { __libc_malloc(size) }
}

/// # Safety
/// As calloc(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    add_one();
    // SAFETY: the caller's promise is handed on.
    unsafe { __libc_calloc(count, size) }
}

/// # Safety
/// As realloc(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(memory: *mut c_void, size: usize) -> *mut c_void {
    add_one();
    // SAFETY: the caller's promise is handed on.
    unsafe { __libc_realloc(memory, size) }
}

/// # Safety
/// As posix_memalign(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(memory: *mut *mut c_void, alignment: usize, size: usize) -> c_int {
    add_one();
    // SAFETY: the caller's promise is handed on; the result has room at `memory`.
    unsafe { *memory = __libc_memalign(alignment, size) };
    // SAFETY: it was just written.
    if unsafe { *memory }.is_null() { libc::ENOMEM } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    #[test]
    fn rust_and_c_are_counted() {
        let (count, _block) = super::during(|| black_box(Box::new(7)));
        assert_eq!(count, 1);
        // SAFETY: a copy of a string.
        let (count, copy) = super::during(|| unsafe { black_box(libc::strdup(c"a copy".as_ptr())) });
        assert_eq!(count, 1);
        // SAFETY: it is the copy's only end.
        unsafe { libc::free(copy.cast()) };
    }
}
