// Whether this is built with a sanitizer that has its own allocator and signal handlers and takes
// the whole address space: SUPERNOVA_SANITIZED is 1 then, else 0.
#pragma once

// Builds for TSan undefine its macro (cmake/options.cmake); what it stands for libstdc++ knows.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(_GLIBCXX_TSAN)
#define SUPERNOVA_SANITIZED 1
#else
#define SUPERNOVA_SANITIZED 0
#endif
