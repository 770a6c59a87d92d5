#include "protocol/grpc/request_codec.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include "protocol/grpc/contents.h"
#include "protocol/grpc/request_wire.h"

namespace supernova::protocol::grpc {
namespace {

using inference::ModelInferRequest;
using tensor::Buffer;
using tensor::DataType;
using tensor::Tensor;

using InputMessage = ModelInferRequest::InferInputTensor;
using OutputMessage = ModelInferRequest::InferRequestedOutputTensor;

base::Status invalid(const std::string& message) { return absl::InvalidArgumentError(message); }

// What is not on the usual way is protobuf's, and counts among what the request holds.
base::Status parse_rest(std::string_view bytes, RequestMemory::Hold& hold,
                        google::protobuf::Message& into) {
  if (!into.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return invalid(base::str_cat("the call's message has no ", into.GetTypeName()));
  }
  return hold.add(into.SpaceUsedLong());
}

// Reads the inputs of one message in their order.
class InputReader {
 public:
  InputReader(const std::shared_ptr<ReceivedRequest>& received, RequestParts& parts,
              const SharedMemoryPart& shared_memory)
      : received_(received), parts_(parts), shared_memory_(shared_memory) {}

  base::Result<std::vector<Tensor>> read() {
    std::vector<Tensor> inputs;
    inputs.reserve(parts_.inputs.size());
    for (const std::string_view from : parts_.inputs) {
      InputHead head;
      SN_TRY(read_head(from, head));
      if (is_known(head.name, inputs)) {
        return invalid(base::str_cat("input '", head.name, "' is given twice"));
      }
      auto input = read_one(head, from);
      if (!input.ok()) {
        return base::annotate(input.status(), base::str_cat("input '", head.name, "'"));
      }
      inputs.push_back(*std::move(input));
    }
    if (!parts_.raw.empty() && parts_.raw.size() != next_raw_) {
      return invalid(base::str_cat("raw_input_contents has ", parts_.raw.size(),
                                   " entries, but there are ", next_raw_,
                                   " inputs that are not in shared memory; send one for each"));
    }
    return inputs;
  }
  // Whether an input uses the message's bytes.
  bool shares() const { return shares_; }

 private:
  bool is_known(std::string_view name, const std::vector<Tensor>& inputs) {
    constexpr size_t kFew = 16;
    if (parts_.inputs.size() > kFew) return !names_.insert(name).second;
    return std::any_of(inputs.begin(), inputs.end(),
                       [&](const Tensor& input) { return input.name == name; });
  }

  base::Result<Tensor> read_one(InputHead& head, std::string_view from) {
    Tensor input;
    input.name = head.name;
    const auto type = tensor::data_type_from_name(head.datatype);
    if (!type) return invalid(base::str_cat("unknown datatype '", head.datatype, "'"));
    input.data_type = *type;
    input.shape = std::move(head.shape);
    SN_TRY(tensor::element_count(input.shape).status());
    InputMessage rest;
    if (head.has_more) {
      SN_TRY(parse_rest(from, received_->hold, rest));
      SN_ASSIGN(auto region, read_region(rest.parameters(), shared_memory_));
      if (region) {
        if (rest.has_contents()) {
          return invalid("'contents' must not be set for an input in shared memory");
        }
        input.buffer = *std::move(region);
        return input;
      }
    }
    if (parts_.raw.empty()) {
      SN_ASSIGN(Buffer buffer, read_typed(rest, input));
      input.buffer = keep(std::move(buffer));
      return input;
    }
    if (rest.has_contents()) {
      return invalid("'contents' must not be set when raw_input_contents is used");
    }
    if (next_raw_ >= parts_.raw.size()) {
      return invalid(base::str_cat("raw_input_contents has only ", parts_.raw.size(),
                                   " entries; send one for each input"));
    }
    SN_ASSIGN(input.buffer, place(parts_.raw[next_raw_++], input.data_type));
    return input;
  }

  static base::Result<Buffer> read_typed(const InputMessage& from, const Tensor& input) {
    if (from.has_contents()) return read_contents(from.contents(), input.data_type, input.shape);
    SN_ASSIGN(const int64_t count, tensor::element_count(input.shape));
    if (count > 0) return invalid("no data: set 'contents', or raw_input_contents for every input");
    return Buffer::allocate(0);
  }

  base::Result<Buffer> place(RequestParts::Raw& raw, DataType type) {
    if (raw.gathered.data() != nullptr) return keep(std::move(raw.gathered));
    const std::string_view bytes = raw.bytes;
    if (bytes.size() <= received_->small.size() - small_used_) {
      std::byte* const to = received_->small.data() + small_used_;
      if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
      constexpr size_t kAlignment = 16;
      small_used_ += (bytes.size() + kAlignment - 1) / kAlignment * kAlignment;
      return share(to, bytes.size());
    }
    const size_t alignment = std::max<size_t>(tensor::element_size(type), 1);
    if (reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0) {
      shares_ = true;
      // Nobody writes to it: a buffer is read-only once it is shared.
      return share(const_cast<char*>(bytes.data()), bytes.size());
    }
    Buffer copy = Buffer::copy_of(bytes);
    if (copy.data() == nullptr) {
      return absl::ResourceExhaustedError(base::str_cat("no memory for ", bytes.size(), " bytes"));
    }
    return keep(std::move(copy));
  }

  Buffer share(void* bytes, size_t size) const {
    return Buffer::adopt(bytes, size, [held = received_] {});
  }

  // Memory of its own counts as the request's for as long.
  Buffer keep(Buffer buffer) {
    const Buffer& kept = received_->copies.emplace_back(std::move(buffer));
    return share(const_cast<std::byte*>(kept.data()), kept.size());
  }

  const std::shared_ptr<ReceivedRequest>& received_;
  RequestParts& parts_;
  const SharedMemoryPart& shared_memory_;
  std::set<std::string_view> names_;
  size_t next_raw_ = 0;
  size_t small_used_ = 0;
  bool shares_ = false;
};

base::Result<tensor::RequestedOutput> read_output(const OutputMessage& from,
                                                  const SharedMemoryPart& shared_memory) {
  tensor::RequestedOutput output(from.name());
  SN_ASSIGN(const auto classes, read_whole(from.parameters(), "classification"));
  if (classes.value_or(0) > std::numeric_limits<uint32_t>::max()) {
    return invalid(base::str_cat("parameter 'classification' is ", *classes,
                                 ", more classes than any model has"));
  }
  output.classification = static_cast<uint32_t>(classes.value_or(0));
  SN_ASSIGN(auto region, read_region(from.parameters(), shared_memory));
  if (region && output.classification > 0) {
    return invalid("an output asked for as classification can't go to shared memory");
  }
  if (region) output.destination = *std::move(region);
  return output;
}

base::Status read_outputs(const RequestParts& parts, const SharedMemoryPart& shared_memory,
                          RequestMemory::Hold& hold,
                          std::vector<tensor::RequestedOutput>& outputs) {
  outputs.reserve(parts.outputs.size());
  for (const std::string_view from : parts.outputs) {
    OutputHead head;
    SN_TRY(read_head(from, head));
    if (!head.has_more) {
      outputs.emplace_back(std::string(head.name));
      continue;
    }
    OutputMessage rest;
    SN_TRY(parse_rest(from, hold, rest));
    auto wanted = read_output(rest, shared_memory);
    if (!wanted.ok()) {
      return base::annotate(wanted.status(), base::str_cat("output '", head.name, "'"));
    }
    outputs.push_back(*std::move(wanted));
  }
  return {};
}

base::Status read_map(const RequestParts& parts, RequestMemory::Hold& hold,
                      tensor::Parameters& parameters) {
  if (parts.parameters.empty()) return {};
  ModelInferRequest rest;
  SN_TRY(parse_rest(parts.parameters, hold, rest));
  SN_TRY(check_known_parameters(rest.parameters()));
  SN_ASSIGN(parameters, read_parameters(rest.parameters()));
  return {};
}

}  // namespace

base::Result<tensor::Request> decode_request(const std::shared_ptr<ReceivedRequest>& received,
                                             const SharedMemoryPart& shared_memory) {
  // Of an input or output: its object, texts and shape. A few bytes of the message may make one.
  constexpr uint64_t kEach = 512;
  SN_TRY(received->hold.add(sizeof(ReceivedRequest) + received->message.size()));
  RequestParts parts;
  SN_TRY(split_request(received->message, parts));
  SN_TRY(
      received->hold.add(kEach * (parts.inputs.size() + parts.outputs.size() + parts.raw.size())));

  tensor::Request request;
  request.model_name = parts.model_name;
  request.model_version = parts.model_version;
  request.id = parts.id;
  SN_TRY(read_map(parts, received->hold, request.parameters));
  InputReader inputs(received, parts, shared_memory);
  SN_ASSIGN(request.inputs, inputs.read());
  SN_TRY(read_outputs(parts, shared_memory, received->hold, request.outputs));
  // Whoever waits long should not keep gRPC's blocks, where the bytes of many calls lie together.
  if (!inputs.shares()) received->message.reset();
  return request;
}

std::string id_of(const Message& message) {
  RequestParts parts;
  (void)split_request(message, parts);
  return std::string(parts.id);
}

std::vector<Buffer> destinations_of(const tensor::Request& request) {
  std::vector<Buffer> destinations;
  for (size_t i = 0; i < request.outputs.size(); ++i) {
    if (request.outputs[i].destination.data() == nullptr) continue;
    destinations.resize(request.outputs.size());
    destinations[i] = request.outputs[i].destination;
  }
  return destinations;
}

}  // namespace supernova::protocol::grpc
