// The C++ side of supernova/engine.h: an Engine opens models, a Model opens Sessions, a Session
// runs requests. Each keeps what it was made from alive. Thread-safe unless said otherwise.
#pragma once

#include <supernova/engine.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/stop.h"
#include "tensor/artefact.h"
#include "tensor/request.h"

namespace supernova::engine {

using tensor::Artefact;
using tensor::Options;

struct Signature {
  std::string name;
  std::vector<tensor::TensorInfo> inputs;
  std::vector<tensor::TensorInfo> outputs;
};

struct NodePlacement {
  std::string node;
  std::string op;
  std::string where;
  std::string reason;
};

struct Verdict {
  sn_compatibility compatibility = SN_CAN_RUN;
  int score = 0;
  std::string reason;
  std::vector<NodePlacement> placement;
  uint64_t expected_latency_ns = 0;
  uint64_t host_memory_bytes = 0;
  uint64_t device_memory_bytes = 0;
};

struct EngineHandle;  // engine table, engine object and the library they came from
struct ModelHandle;

// One opened model on one device.
class Session {
 public:
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Runs a request that matches the signature (the service checks). `done` is called exactly once,
  // on this or another thread, with the outputs in the order asked for. Exceeding max_concurrency()
  // overlapping runs is the caller's error. Outputs whose shape is known beforehand (all
  // sizes declared, or named like a dimension of an input) lie in memory allocated here, the others
  // in the engine's own memory until the last holder of the response lets go. `stop`, where given,
  // ends the run early; it outlives the run and every call of its own.
  void run(const tensor::Request& request, tensor::Completion done, Stop* stop = nullptr);

  const Signature& signature() const;
  int max_concurrency() const;
  base::Result<Verdict> info() const;
  // UNAVAILABLE with the reason while it can't run: its device is lost, its worker does not come
  // up, it is quarantined. Cheap.
  base::Status health() const;

 private:
  friend class Model;
  Session() = default;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A model with what its sessions share (weights).
class Model {
 public:
  const std::vector<Signature>& signatures() const;
  base::Result<std::unique_ptr<Session>> open_session(const sn_device& device,
                                                      const Options& options);

 private:
  friend class Engine;
  std::shared_ptr<ModelHandle> handle_;
};

class Engine {
 public:
  // From a table in this program. Options go to the engine; errors call it `what`. It is called
  // `name` from here on, as it calls itself if that is empty.
  static base::Result<std::unique_ptr<Engine>> open(sn_engine_entry_fn entry,
                                                    const Options& options,
                                                    std::string_view what = "built-in engine",
                                                    std::string name = {});
  // From a shared library that exports supernova_engine_entry.
  static base::Result<std::unique_ptr<Engine>> open_library(const std::string& path,
                                                            const Options& options,
                                                            std::string name = {});

  const std::string& name() const;
  const std::string& version() const;
  const std::vector<std::string>& formats() const;
  bool accepts_format(std::string_view format) const;
  // Whether it says that it ends runs early; those of others come to their end all the same.
  bool can_cancel() const;

  base::Result<Verdict> can_run(const Artefact& artefact, const sn_device& device,
                                const Options& options);
  // Whether it drives that device at all; where not, the reason says what is missing. Cheap.
  base::Result<Verdict> can_drive(const sn_device& device, const Options& options);
  base::Result<std::unique_ptr<Model>> open_model(const Artefact& artefact, const Options& options);

  // Whether it compiles ahead of time at all.
  bool can_compile() const;
  // Takes a file that was made, by its relative name; an error ends the compilation.
  using Sink = std::function<base::Status(std::string_view, std::span<const std::byte>)>;
  // Makes of the artefact what this engine opens faster on that device, as files. A lone file
  // called <anything>.<format> is an artefact of that format. UNIMPLEMENTED without can_compile().
  base::Status compile(const Artefact& artefact, const sn_device& device, const Options& options,
                       const Sink& sink);

 private:
  friend class Catalogue;
  base::Result<Verdict> ask(const sn_artefact* artefact, const sn_device& device,
                            const Options& options);
  std::shared_ptr<EngineHandle> handle_;
};

}  // namespace supernova::engine
