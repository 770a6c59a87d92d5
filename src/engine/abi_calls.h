// What the function table of every engine of this program needs: errors and options across the ABI,
// and no exception out of it.
#pragma once

#include <supernova/engine.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>

#include "base/status.h"
#include "tensor/artefact.h"

namespace supernova::engine {

// An error struct, where there is one, gets the message, cut to the room there is.
inline void fill_error(sn_error* error, int32_t code, std::string_view message) {
  if (error == nullptr || error->size <= offsetof(sn_error, message)) return;
  const size_t room = error->size - offsetof(sn_error, message) - 1;
  const size_t length = std::min(room, message.size());
  error->code = code;
  std::memcpy(error->message, message.data(), length);
  error->message[length] = '\0';
}

// Fills the error; returns the code.
inline int32_t fail(const base::Status& status, sn_error* error) {
  const auto code = static_cast<int32_t>(status.code());
  fill_error(error, code, base::message(status));
  return code;
}

// Runs `body`, which returns a Status.
template <typename Body>
int32_t guarded(sn_error* error, Body body) noexcept {
  try {
    const base::Status status = body();
    return status.ok() ? int32_t{SN_OK} : fail(status, error);
  } catch (const std::bad_alloc&) {
    return fail(absl::ResourceExhaustedError("out of memory"), error);
  } catch (const std::exception& e) {
    return fail(absl::InternalError(e.what()), error);
  }
}

// Whether the host has cancelled the run, or is about to. `run` is of this program's compilation or
// newer.
inline bool is_cancelled(const sn_run& run) {
  return run.cancelled != nullptr && __atomic_load_n(run.cancelled, __ATOMIC_SEQ_CST) != 0;
}

// The last of several values of one key counts.
inline tensor::Options options_map(const sn_options* options) {
  tensor::Options map;
  for (size_t i = 0; options != nullptr && i < options->count; ++i) {
    map[options->items[i].key] = options->items[i].value;
  }
  return map;
}

}  // namespace supernova::engine
