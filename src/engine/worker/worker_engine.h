// An engine of another process, behind the same ABI: the table that `worker_engine_entry` gives
// drives a `supernova-worker` over a Unix socket and shared memory, starts it anew when it dies,
// and opens again what was open. What the host sees of a crash is at most an error of one run.
//
// Options of engine_open:
//   worker.engine            the built-in engine to host, or
//   worker.library           the engine library to host (dlopen, in the worker only)
//   worker.program           default: supernova-worker beside this program's file
//   worker.name              of the worker in metrics (default: the name of what it hosts)
//   worker.environment       NAME=VALUE, separated by newlines, added to the worker's environment
//   worker.memory_byte_size  limit of the worker's own memory, 0 = none
//   worker.load_timeout_ms   for opening and compiling (default 300000)
//   worker.run_timeout_ms    for one run (default 0 = none)
//   worker.spare             "1" (default) keeps a second worker started and waiting
// All others go to the hosted engine.
//
// A run is answered at its deadline, whatever the engine does. instance_info fails while no worker
// has taken runs for longer than a moment.
//
// Crashes: a run in flight is tried once more on the next worker, unless it belongs to a sequence.
// A worker that somebody else killed is only started anew. A crash while a model is opened, or tied
// to the content of one request, or repeated by one model, is remembered (quarantine.h) and
// answered with its reason instead of being tried again. What used up the memory is tried again at
// low priority.
#pragma once

#include <supernova/engine.h>

namespace supernova::engine::worker {

const sn_engine_api* worker_engine_entry(uint32_t host_abi_version);

}  // namespace supernova::engine::worker
