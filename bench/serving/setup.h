// One model with everything that answers for it: the server, the floor program, the gRPC echo, the
// runtime in this process; and the requests that go to them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "import/importer.h"
#include "load/in_process.h"
#include "load/load.h"
#include "models.h"
#include "process.h"
#include "shared_memory.h"

namespace supernova::bench {

struct Programs {
  std::string server;
  std::string floor;
  std::string grpc_echo;
  std::string counter;                    // the library that is loaded first
  std::vector<std::string> server_ports;  // flags that leave every port to the system

  static Programs beside(const std::string& folder);
  // Asks the server which ports it has.
  void find_ports();
};

enum class Path {
  kInProcess,
  kEngine,
  kFloor,
  kRestBinary,
  kRestShared,
  kRestJson,
  kGrpcEcho,
  kGrpc
};
std::string_view path_name(Path path);

struct Requests {
  std::string binary;
  std::string json;
  std::string grpc;

  static base::Result<Requests> make(const BenchModel& model,
                                     const std::vector<tensor::Tensor>& in);
};

base::Status write_file(const std::string& path, const std::string& content);

// The arguments that start the program which answers on `path`; the echo answers with as many bytes
// as the model's outputs have, and some for what is around them.
std::vector<std::string> command_of(const Programs& programs, Path path, const std::string& file,
                                    const BenchModel& model);

// The children, each of them only when first asked for.
class Stage {
 public:
  Stage(const Programs& programs, const BenchModel& model, std::string file, int core,
        std::map<std::string, std::string> variables)
      : programs_(programs),
        model_(model),
        file_(std::move(file)),
        core_(core),
        variables_(std::move(variables)) {}

  // The child that answers on `path`.
  base::Result<Process*> process(Path path);
  // What the server for kRestShared is introduced to when it starts.
  void use(const SharedRegion& region) { region_ = &region; }
  base::Result<Outcome> load(Path path, const Requests& requests, const Plan& plan);

 private:
  const Programs& programs_;
  const BenchModel& model_;
  std::string file_;
  int core_;
  std::map<std::string, std::string> variables_;
  const SharedRegion* region_ = nullptr;
  std::optional<Process> server_;
  std::optional<Process> shared_server_;  // lets clients use shared memory
  std::optional<Process> floor_;
  std::optional<Process> echo_;
};

// The server and the floor must give the bytes that the runtime gives here, or their speed means
// nothing.
base::Status check_shared(const std::string& expected, Stage& stage, const SharedRegion& region);
base::Status check_same(const std::string& expected, Stage& stage, Path path,
                        const Requests& requests);

}  // namespace supernova::bench
