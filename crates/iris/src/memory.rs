//! The allocator of the process.
//!
//! A message is some dozens of small allocations that one thread makes and another frees, and what a flush frees
//! has to go back to the system: jemalloc does both, each at a fraction of the C library's price.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Freed pages go back within a second, by a thread of the allocator's own, also when nothing else runs. Few
/// arenas: each keeps pages that the others cannot use. Huge pages: a message touches dozens of cache lines all over
/// the memory tables, and with small pages finding them costs as much as reading them.
///
/// Read by jemalloc before `main`, under this name; `_RJEM_MALLOC_CONF` in the environment overrides it.
#[expect(unsafe_code, reason = "the name that jemalloc looks for; nothing else has it")]
// SAFETY: jemalloc declares the symbol as `const char *` and reads a string that ends with a zero; this is a pointer to
// one that lives as long as the process, and no other definition of the name exists.
#[unsafe(export_name = "_rjem_malloc_conf")]
static MALLOC_CONF: Option<&'static u8> =
    c"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:4,thp:always,metadata_thp:auto"
        .to_bytes_with_nul()
        .first();
