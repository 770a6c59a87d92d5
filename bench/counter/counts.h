/* What the counter (count.c) keeps in the file that SUPERNOVA_BENCH_COUNTS names: 64-bit numbers,
   in this order, that only grow. Another process maps or reads the file at any time. */
#pragma once

#include <stdint.h>

enum {
  SN_COUNT_ALLOCATIONS, /* malloc, calloc, realloc and the aligned ones; C++'s new comes down to
                           them */
  SN_COUNT_ALLOCATED_BYTES,
  SN_COUNT_READ,    /* read, readv, recv, recvfrom, recvmsg */
  SN_COUNT_WRITE,   /* write, writev, send, sendto, sendmsg */
  SN_COUNT_WAIT,    /* epoll_wait and its kin, poll, ppoll, select */
  SN_COUNT_CONTROL, /* epoll_ctl */
  SN_COUNT_SOCKET,  /* accept, accept4, close, shutdown, setsockopt */
  SN_COUNT_OTHER,   /* calls through syscall(): futex mostly */
  SN_COUNT_KINDS
};

#define SN_COUNT_FILE "SUPERNOVA_BENCH_COUNTS"
