#include "setup.h"

#include <cstdio>
#include <fstream>

#include "load/http_socket.h"
#include "load/request.h"

namespace supernova::bench {
namespace {

base::Result<Target> target_of(const Process& process, bool grpc) {
  return parse_target(grpc ? base::str_cat("grpc://", process.grpc())
                           : base::str_cat("http://", process.http()));
}

bool is_grpc(Path path) { return path == Path::kGrpc || path == Path::kGrpcEcho; }

}  // namespace

Programs Programs::beside(const std::string& folder) {
  return {folder + "/supernova", folder + "/supernova-bench-floor",
          folder + "/supernova-bench-grpc-echo", folder + "/../lib/libsupernova-bench-count.so"};
}

void Programs::find_ports() {
  std::string help;
  if (FILE* const output = popen(base::str_cat("'", server, "' serve --help").c_str(), "r")) {
    char part[4096];
    while (const size_t got = fread(part, 1, sizeof(part), output)) help.append(part, got);
    pclose(output);
  }
  server_ports.clear();
  for (const char* flag : {"--http-port", "--grpc-port", "--metrics-port"}) {
    if (help.find(flag) == std::string::npos) continue;
    server_ports.insert(server_ports.end(), {flag, "0"});
  }
}

std::string_view path_name(Path path) {
  switch (path) {
    case Path::kInProcess:
      return "in-process, bare";
    case Path::kEngine:
      return "in-process, engine";
    case Path::kFloor:
      return "floor, binary";
    case Path::kRestBinary:
      return "REST binary";
    case Path::kRestShared:
      return "REST shared memory";
    case Path::kRestJson:
      return "REST JSON";
    case Path::kGrpcEcho:
      return "empty gRPC";
    case Path::kGrpc:
      return "gRPC";
  }
  return "";
}

base::Status write_file(const std::string& path, const std::string& content) {
  if (std::ofstream(path, std::ios::binary) << content) return {};
  return absl::InternalError(base::str_cat("can't write ", path));
}

base::Result<Requests> Requests::make(const BenchModel& model,
                                      const std::vector<tensor::Tensor>& in) {
  Target target;
  target.host = "localhost";
  target.port = "80";
  target.model = model.name;
  Requests requests;
  SN_ASSIGN(requests.binary, http_infer_request(target, in, Encoding::kBinary));
  SN_ASSIGN(requests.json, http_infer_request(target, in, Encoding::kJson));
  requests.grpc = grpc_infer_request(target, in);
  return requests;
}

std::vector<std::string> command_of(const Programs& programs, Path path, const std::string& file,
                                    const BenchModel& model) {
  if (path == Path::kFloor) return {programs.floor, file};
  if (path == Path::kGrpcEcho) return {programs.grpc_echo, std::to_string(model.output_bytes + 64)};
  std::vector<std::string> words{programs.server, "--log-level", "error", "serve", file};
  words.insert(words.end(), programs.server_ports.begin(), programs.server_ports.end());
  if (path == Path::kRestShared) words.push_back("--allow-client-shm");
  return words;
}

base::Result<Process*> Stage::process(Path path) {
  std::optional<Process>& child = path == Path::kFloor        ? floor_
                                  : path == Path::kGrpcEcho   ? echo_
                                  : path == Path::kRestShared ? shared_server_
                                                              : server_;
  if (!child) {
    SN_ASSIGN(Process started,
              Process::start(command_of(programs_, path, file_, model_), core_, variables_));
    child.emplace(std::move(started));
    if (path == Path::kRestShared) {
      if (region_ == nullptr) return absl::InternalError("there is no shared memory");
      SN_ASSIGN(const Target target, target_of(*child, false));
      SN_TRY(region_->introduce(target));
    }
  }
  return &*child;
}

base::Result<Outcome> Stage::load(Path path, const Requests& requests, const Plan& plan) {
  SN_ASSIGN(const Process* const child, process(path));
  SN_ASSIGN(const Target target, target_of(*child, is_grpc(path)));
  const std::string& http = path == Path::kRestJson     ? requests.json
                            : path == Path::kRestShared ? region_->request()
                                                        : requests.binary;
  auto outcome =
      is_grpc(path) ? load_grpc(target, requests.grpc, plan) : load_http(target, http, plan);
  if (outcome.ok() && outcome->errors > 0) {
    return absl::InternalError(
        base::str_cat(path_name(path), ": ", outcome->errors,
                      " requests failed: ", outcome->messages.begin()->first));
  }
  return outcome;
}

base::Status check_shared(const std::string& expected, Stage& stage, const SharedRegion& region) {
  SN_ASSIGN(const Process* const child, stage.process(Path::kRestShared));
  SN_ASSIGN(const Target target, target_of(*child, false));
  SN_ASSIGN(const HttpReply reply, exchange_http(target, region.request()));
  if (reply.status() != 200) {
    return absl::InternalError(base::str_cat(path_name(Path::kRestShared), ": ", reply.status(),
                                             " ", error_text(reply.body())));
  }
  if (region.outputs() == expected) return {};
  return absl::InternalError("shared memory: the outputs differ from the runtime's");
}

base::Status check_same(const std::string& expected, Stage& stage, Path path,
                        const Requests& requests) {
  SN_ASSIGN(const Process* const child, stage.process(path));
  SN_ASSIGN(const Target target, target_of(*child, false));
  SN_ASSIGN(const HttpReply reply, exchange_http(target, requests.binary));
  if (reply.status() != 200) {
    return absl::InternalError(
        base::str_cat(path_name(path), ": ", reply.status(), " ", error_text(reply.body())));
  }
  size_t json = 0;
  if (!base::parse_whole(reply.field("inference-header-content-length"), json) ||
      json > reply.body().size() || reply.body().substr(json) != expected) {
    return absl::InternalError(
        base::str_cat(path_name(path), ": its outputs differ from the runtime's"));
  }
  return {};
}

}  // namespace supernova::bench
