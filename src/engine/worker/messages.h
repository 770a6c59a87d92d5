// What server and worker say to each other over the socket, and the structs of the ABI as bytes.
// The objects that are read keep what their pointers point to; they can't be moved.
#pragma once

#include <supernova/engine.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "engine/worker/wire.h"

namespace supernova::engine::worker {

// The worker's descriptors.
inline constexpr int kSocketFile = 3;
inline constexpr int kBoardFile = 4;

enum MessageType : uint32_t {
  // From the server, answered by kReply with the same id.
  kStart = 1,     // StartOrder
  kCanRun,        // [artefact] device options -> verdict
  kCompile,       // artefact device options -> nothing, after kSinkFile messages
  kModelOpen,     // key artefact options -> model info
  kModelClose,    // key
  kInstanceOpen,  // model, key, device, options
  kInstanceClose,
  kInstanceInfo,  // key -> verdict
  kStateOpen,     // instance, key
  kStateClose,
  // From the server, without an answer.
  kCancel = 100,  // id: the run
  kSegment,       // index size, a file: memory for runs
  kDropSegment,   // index
  kSinkAnswer,    // id: the call; code: how the sink took the last file
  // From the worker.
  kReply = 200,  // code, then a message or what the call gives
  kLog,          // level text
  kSinkFile,     // id: the call; name size, a file
  kRunDone,      // id: the run; its final response is in its slot
  kResponse,     // id: the run; final, a response that is in no slot, files
};

// Added to what opens or compiles: at low priority, since it has used up memory before.
inline constexpr uint32_t kCarefully = uint32_t{1} << 31U;

void write_error(Writer& out, int32_t code, std::string_view message);

using OptionPairs = std::vector<std::pair<std::string, std::string>>;
OptionPairs read_options(const sn_options* options);
void write(Writer& out, const OptionPairs& options);
OptionPairs read_options(Reader& in);

// OptionPairs as the ABI has them; refers to them.
class AbiOptions {
 public:
  explicit AbiOptions(const OptionPairs& options);
  AbiOptions(const AbiOptions&) = delete;
  AbiOptions& operator=(const AbiOptions&) = delete;
  const sn_options* get() const { return &list_; }

 private:
  std::vector<sn_option> items_;
  sn_options list_{};
};

// Of what is said here and of board.h; server and worker must be of one build.
inline constexpr uint64_t kProtocol = 2;

struct StartOrder {
  std::string engine;   // built in, or
  std::string library;  // a file
  OptionPairs options;  // the engine's
  int32_t thread_budget = 0;
  int32_t log_level = 0;
  uint64_t memory_byte_size = 0;
};
void write(Writer& out, const StartOrder& order);
StartOrder read_start(Reader& in);

// A device of its own.
struct Device {
  Device() = default;
  explicit Device(const sn_device& device);
  sn_device abi() const;

  int32_t kind = 0;
  int32_t ordinal = 0;
  bool has_id = false;
  std::string id;
  uint32_t vendor_id = 0;
  uint32_t product_id = 0;
};
void write(Writer& out, const Device& device);
Device read_device(Reader& in);

// All of an artefact but its bytes, which travel as a file.
struct ArtefactHead {
  std::string format;
  std::string path;
  std::string digest;
  bool has_data = false;
  uint64_t data_size = 0;
};
ArtefactHead head_of(const sn_artefact& artefact);
void write(Writer& out, const ArtefactHead& artefact);
ArtefactHead read_artefact(Reader& in);

void write(Writer& out, const sn_engine_info& info);
class EngineInfo {
 public:
  explicit EngineInfo(std::string body);
  bool ok() const { return ok_; }
  const sn_engine_info& get() const { return info_; }

 private:
  std::string body_;
  std::vector<const char*> formats_;
  sn_engine_info info_{};
  bool ok_ = false;
};

void write(Writer& out, const sn_verdict& verdict);
class Verdict {
 public:
  explicit Verdict(std::string body);
  bool ok() const { return ok_; }
  // Fills what the caller's struct has room for.
  void copy_to(sn_verdict& verdict) const;
  // The reason of SN_CAN_NOT_RUN.
  std::optional<std::string> why_not() const;

 private:
  std::string body_;
  std::vector<sn_node_placement> placement_;
  sn_verdict verdict_{};
  bool ok_ = false;
};

void write(Writer& out, const sn_model_info& info);
class ModelInfo {
 public:
  explicit ModelInfo(std::string body);
  bool ok() const { return ok_; }
  const sn_model_info& get() const { return info_; }

 private:
  sn_signature read_signature(Reader& in);
  std::pair<const sn_tensor_info*, size_t> read_tensors(Reader& in);

  std::string body_;
  std::deque<std::vector<sn_tensor_info>> tensors_;
  std::deque<std::vector<const char*>> dim_names_;
  std::vector<sn_signature> signatures_;
  sn_model_info info_{};
  bool ok_ = false;
};

}  // namespace supernova::engine::worker
