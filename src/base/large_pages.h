// Puts memory that is in use on pages of 2 MiB (transparent huge pages). Running a model goes over
// megabytes of weights and of intermediate results again and again; on pages of 4 KiB, finding
// where they lie takes a few percent of that time, in a virtual machine most.
#pragma once

#include <cstddef>

namespace supernova::base {

// Collapses the process's own memory where nearly all of a large page is resident already, so that
// little is added to what the process takes; the content stays. To be called when what is to be
// used for long has been loaded; takes some 0.3 ms for each page, 2 GiB at most a call. Returns
// the bytes that lie on large pages afterwards, of those looked at; 0 where the kernel can't
// (before Linux 6.1) or its administrator has ruled it out. Safe from any thread, whatever others
// do with their memory meanwhile.
size_t use_large_pages();

}  // namespace supernova::base
