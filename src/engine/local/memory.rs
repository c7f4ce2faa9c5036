//! Memory that was let go.

/// Gives free pages back to the system. The allocator keeps those between what is still in use, and after a
/// pass there are many: the pieces of lists that are tables now.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "a call into the C library that takes a number")]
        // SAFETY: `malloc_trim` may be called at any time, by any thread.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}
