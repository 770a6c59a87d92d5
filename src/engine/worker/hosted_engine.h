// The worker's side: the engine that lives here, and what was opened on it by the server's keys.
// Thread-safe as the ABI is: one call at a time for each object.
#pragma once

#include <supernova/engine.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "engine/worker/messages.h"
#include "engine/worker/shared_memory.h"

namespace supernova::engine::worker {

struct BuiltinEngine {
  const char* name;
  sn_engine_entry_fn entry;
};

class HostedEngine {
 public:
  // What an engine may ask of its host; it must outlive this.
  explicit HostedEngine(const sn_host* host) : host_(host) {}
  HostedEngine(const HostedEngine&) = delete;
  HostedEngine& operator=(const HostedEngine&) = delete;

  // Each reads what its message says and writes the reply.
  base::Status start(const StartOrder& order, std::span<const BuiltinEngine> builtin, Writer& out);
  base::Status can_run(Reader& in, std::vector<base::File>& files, Writer& out);
  using Sink = std::function<int32_t(std::string_view name, std::span<const std::byte> content)>;
  base::Status compile(Reader& in, std::vector<base::File>& files, const Sink& sink);
  base::Status open_model(Reader& in, std::vector<base::File>& files, Writer& out);
  // Once its instances are closed.
  base::Status close_model(Reader& in);
  base::Status open_instance(Reader& in);
  // Nothing finds it any more when `wait` is called; it is closed after that.
  using Wait = std::function<void(uint64_t key)>;
  base::Status close_instance(Reader& in, const Wait& wait);
  base::Status instance_info(Reader& in, Writer& out);
  base::Status open_state(Reader& in);
  base::Status close_state(Reader& in, const Wait& wait);

  const sn_engine_api& api() const { return api_; }
  // Null = there is none.
  sn_instance* instance(uint64_t key) const;
  sn_state* state(uint64_t key) const;
  // The engine too, where nothing is open on it.
  void close();

 private:
  struct OpenModel {
    SharedMemory data;  // the artefact's bytes
    ArtefactHead head;
    OptionPairs options;
    sn_model* model = nullptr;
    int instances = 0;  // open, or being opened or closed
  };
  // An artefact as it came: the ABI's view of head and data.
  static base::Result<sn_artefact> receive(const ArtefactHead& head, std::vector<base::File>& files,
                                           SharedMemory& data);
  base::Status read_table(sn_engine_entry_fn entry, const std::string& what);
  template <typename T>
  T* find(const std::map<uint64_t, T*>& objects, uint64_t key) const;
  void drop_instance_of(uint64_t model);
  template <typename T>
  T* take(std::map<uint64_t, T*>& objects, uint64_t key);

  const sn_host* host_;
  sn_engine_api api_{};
  sn_engine* engine_ = nullptr;
  mutable std::mutex mutex_;
  std::condition_variable dropped_;
  std::map<uint64_t, std::unique_ptr<OpenModel>> models_;
  std::map<uint64_t, sn_instance*> instances_;
  std::map<uint64_t, uint64_t> models_of_;  // of the instances
  std::map<uint64_t, sn_state*> states_;
};

}  // namespace supernova::engine::worker
