// What the wrapper classes of engine.h hold, and the small conversions between their values and the
// structs of the C ABI. For the files of this folder only.
#pragma once

#include <supernova/engine.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "engine/engine.h"

namespace supernova::engine {

// The engine table, the engine object and the library they came from; closes them in reverse.
struct EngineHandle {
  ~EngineHandle();
  void* library = nullptr;
  sn_engine_api api{};
  sn_host host{};
  sn_engine* engine = nullptr;
  std::string name;
  std::string version;
  std::vector<std::string> formats;
  int max_concurrency = 1;
  bool can_cancel = false;
};

struct ModelHandle {
  ~ModelHandle();
  std::shared_ptr<EngineHandle> engine;
  Artefact artefact;  // its bytes stay valid until the model is closed
  sn_model* model = nullptr;
  std::vector<Signature> signatures;
};

// A struct of the other side's compilation as ours: what lies beyond its size is zero.
template <typename T>
T read_struct(const T* from) {
  T to{};
  std::memcpy(&to, from, std::min(from->size, sizeof(T)));
  return to;
}

// Element `index` of an array of structs of the other side's compilation.
template <typename T>
const T* element(const T* first, size_t index) {
  const size_t stride = first->size != 0 ? first->size : sizeof(T);
  return reinterpret_cast<const T*>(reinterpret_cast<const char*>(first) + index * stride);
}

// Options in ABI form; refers to the map it was made from.
class OptionList {
 public:
  explicit OptionList(const Options& options);
  OptionList(const OptionList&) = delete;
  OptionList& operator=(const OptionList&) = delete;
  const sn_options* get() const { return &list_; }

 private:
  std::vector<sn_option> items_;
  sn_options list_{};
};

// Where an engine writes why it failed. Only what is needed of it is initialised: it is on the
// stack of every run.
class ErrorSlot {
 public:
  ErrorSlot() {
    error_.size = sizeof(error_);
    error_.code = SN_OK;
    error_.message[0] = '\0';
  }
  sn_error* get() { return &error_; }
  base::Status check(int32_t code, std::string_view what, std::string_view function);

 private:
  sn_error error_;
};

base::Status to_status(int32_t code, std::string_view message);
sn_artefact to_abi(const Artefact& artefact);
Verdict read_verdict(const sn_verdict& from);

}  // namespace supernova::engine
