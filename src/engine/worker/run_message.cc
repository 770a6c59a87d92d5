#include "engine/worker/run_message.h"

#include <algorithm>
#include <cstring>

#include "engine/handles.h"
#include "engine/worker/packet_socket.h"
#include "engine/worker/shared_memory.h"

namespace supernova::engine::worker {
namespace {

enum : uint64_t { kResponseRecord = 0, kRefusalRecord = 1 };

// Every lent output has a place of its own, also an empty one: it is told by its address.
size_t place_size(size_t byte_size) { return aligned(std::max<size_t>(byte_size, 1)); }

size_t capacity_of(const sn_buffer& buffer) {
  return buffer.capacity != 0 ? buffer.capacity : buffer.byte_size;
}

std::span<const int64_t> dims_of(const sn_tensor& tensor) {
  return {tensor.dims, static_cast<size_t>(tensor.dims != nullptr ? std::max(tensor.rank, 0) : 0)};
}

template <typename Visit>
void for_each_input(const sn_run& run, Visit visit) {
  size_t offset = 0;
  for (size_t i = 0; i < run.input_count; ++i) {
    const sn_tensor& input = *element(run.inputs, i);
    visit(input, offset);
    offset += place_size(input.buffer.byte_size);
  }
}

size_t size_of_inputs(const sn_run& run) {
  size_t size = 0;
  for_each_input(run, [&](const sn_tensor& input, size_t offset) {
    size = offset + place_size(input.buffer.byte_size);
  });
  return size;
}

void write_tensor(Writer& out, const sn_tensor& tensor) {
  out.text_or_null(tensor.name);
  out.number(static_cast<uint64_t>(tensor.dtype));
  out.numbers(dims_of(tensor));
}

sn_tensor read_tensor(Reader& in) {
  sn_tensor tensor{};
  tensor.size = sizeof(tensor);
  tensor.name = in.text_or_null();
  tensor.dtype = in.small_number();
  const auto dims = in.numbers();
  tensor.dims = dims.data();
  tensor.rank = static_cast<int32_t>(dims.size());
  tensor.buffer.size = sizeof(tensor.buffer);
  tensor.buffer.device.size = sizeof(tensor.buffer.device);
  return tensor;
}

uint64_t mixed(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15U;
  return hash ^ (hash >> 29U);
}

uint64_t mixed(uint64_t hash, const void* data, size_t size) {
  const char* at = static_cast<const char*>(data);
  for (; size >= 8; size -= 8, at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, at, 8);
    hash = mixed(hash, word);
  }
  uint64_t rest = 0;
  if (size > 0) std::memcpy(&rest, at, size);
  return mixed(mixed(hash, rest), size);
}

}  // namespace

base::Result<size_t> write_request(const sn_run& run, uint64_t instance, uint64_t state,
                                   std::string& out) {
  Writer writer(out);
  writer.number(instance);
  writer.number(state);
  writer.number(run.signature);
  writer.number(run.deadline_ns);
  const size_t parameters = run.parameters != nullptr ? run.parameters->count : 0;
  writer.number(parameters);
  for (size_t i = 0; i < parameters; ++i) {
    writer.text_or_null(run.parameters->items[i].key);
    writer.text_or_null(run.parameters->items[i].value);
  }
  writer.number(run.input_count);
  bool on_device = false;
  for_each_input(run, [&](const sn_tensor& input, size_t offset) {
    write_tensor(writer, input);
    writer.number(input.buffer.byte_size);
    writer.number(offset);
    on_device = on_device || (input.buffer.data == nullptr && input.buffer.byte_size > 0);
  });
  if (on_device) {
    return absl::UnimplementedError("a worker takes tensors in host memory only");
  }
  size_t offset = size_of_inputs(run);
  writer.number(run.output_count);
  for (size_t i = 0; i < run.output_count; ++i) {
    const sn_tensor& output = *element(run.outputs, i);
    const bool lent = output.buffer.data != nullptr;
    write_tensor(writer, output);
    writer.number(lent ? 1 : 0);
    writer.number(output.buffer.byte_size);
    writer.number(lent ? capacity_of(output.buffer) : 0);
    writer.number(offset);
    if (lent) offset += place_size(capacity_of(output.buffer));
  }
  return offset;
}

void copy_inputs(const sn_run& run, std::byte* data) {
  for_each_input(run, [&](const sn_tensor& input, size_t offset) {
    if (input.buffer.byte_size > 0) {
      std::memcpy(data + offset, input.buffer.data, input.buffer.byte_size);
    }
  });
}

size_t lent_offset(const sn_run& run, size_t index) {
  size_t offset = size_of_inputs(run);
  for (size_t i = 0; i < index; ++i) {
    const sn_buffer& buffer = element(run.outputs, i)->buffer;
    if (buffer.data != nullptr) offset += place_size(capacity_of(buffer));
  }
  return offset;
}

uint64_t digest_of_request(const sn_run& run) {
  uint64_t hash = mixed(1, run.signature);
  for_each_input(run, [&](const sn_tensor& input, size_t) {
    if (input.name != nullptr) hash = mixed(hash, input.name, std::strlen(input.name));
    hash = mixed(hash, static_cast<uint64_t>(input.dtype));
    hash = mixed(hash, input.dims, dims_of(input).size_bytes());
    hash = mixed(hash, input.buffer.data, input.buffer.data ? input.buffer.byte_size : 0);
  });
  return hash;
}

bool read_response(std::string_view body, ResponseRecord& response) {
  Reader in(body);
  response.refused = in.number() == kRefusalRecord;
  response.code = in.small_number();
  response.message = in.text();
  response.final = in.number() != 0;
  const size_t count = in.count(56);
  for (size_t i = 0; i < count; ++i) {
    OutputRecord& output = response.outputs.emplace_back();
    output.name = in.text_or_null();
    output.dtype = in.small_number();
    output.dims = in.numbers();
    output.place = static_cast<OutputPlace>(in.number());
    output.byte_size = in.number();
    output.where = in.number();
    if (std::any_of(output.dims.begin(), output.dims.end(), [](int64_t d) { return d < 0; })) {
      in.fail();
    }
  }
  return in.complete();
}

bool RequestView::read(std::string_view request, std::byte* data, size_t data_size) {
  Reader in(request);
  instance = in.number();
  state = in.number();
  run.size = sizeof(run);
  run.signature = static_cast<uint32_t>(in.number());
  run.deadline_ns = in.number();
  parameters_.resize(in.count(16));
  for (sn_option& parameter : parameters_) {
    parameter.key = in.text_or_null();
    parameter.value = in.text_or_null();
  }
  list_.size = sizeof(list_);
  list_.items = parameters_.data();
  list_.count = parameters_.size();
  run.parameters = parameters_.empty() ? nullptr : &list_;
  return read_inputs(in, data, data_size) && read_outputs(in, data, data_size) && in.complete();
}

bool RequestView::read_inputs(Reader& in, std::byte* data, size_t data_size) {
  const size_t count = in.count(40);
  inputs_.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    sn_tensor& tensor = inputs_.emplace_back(read_tensor(in));
    tensor.buffer.byte_size = in.number();
    const uint64_t offset = in.number();
    if (offset > data_size || tensor.buffer.byte_size > data_size - offset) return false;
    tensor.buffer.data = data + offset;
  }
  run.inputs = inputs_.data();
  run.input_count = count;
  return in.ok();
}

bool RequestView::read_outputs(Reader& in, std::byte* data, size_t data_size) {
  const size_t count = in.count(56);
  outputs_.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    sn_tensor& tensor = outputs_.emplace_back(read_tensor(in));
    const bool lent = in.number() != 0;
    tensor.buffer.byte_size = in.number();
    tensor.buffer.capacity = in.number();
    const uint64_t offset = in.number();
    if (!lent) continue;
    if (offset > data_size || tensor.buffer.capacity > data_size - offset) return false;
    tensor.buffer.data = data + offset;
  }
  run.outputs = outputs_.data();
  run.output_count = count;
  return in.ok();
}

std::byte* Room::take(size_t size) {
  const size_t place = aligned(size);
  if (data_ == nullptr || place > size_ - used_) return nullptr;
  std::byte* const taken = data_ + used_;
  used_ += place;
  return taken;
}

namespace {

// Which of the lent outputs lies at that address; run.output_count where none does.
size_t lent_index(const sn_run& run, const void* data) {
  size_t i = 0;
  while (i < run.output_count && run.outputs[i].buffer.data != data) ++i;
  return i;
}

// What is lent may be written again after a response that is not the final one.
base::Status write_output(const sn_tensor& output, const sn_run& run, bool final, Room& room,
                          Writer& writer, std::vector<base::File>& files) {
  write_tensor(writer, output);
  const size_t size = output.buffer.byte_size;
  auto place = OutputPlace::kNowhere;
  uint64_t where = 0;
  const size_t lent = output.buffer.data != nullptr && final ? lent_index(run, output.buffer.data)
                                                             : run.output_count;
  if (lent < run.output_count) {
    place = OutputPlace::kLent;
    where = lent;
  } else if (output.buffer.data != nullptr && size > 0) {
    if (std::byte* const to = room.take(size)) {
      std::memcpy(to, output.buffer.data, size);
      place = OutputPlace::kRoom;
      where = room.offset_of(to);
    } else {
      if (files.size() == PacketSocket::kMaxFiles) {
        return absl::ResourceExhaustedError("too many large outputs");
      }
      SN_ASSIGN(base::File file,
                sealed_copy("supernova-output",
                            {static_cast<const std::byte*>(output.buffer.data), size}));
      place = OutputPlace::kFile;
      where = files.size();
      files.push_back(std::move(file));
    }
  } else if (size > 0) {
    return absl::UnimplementedError(
        base::str_cat("the engine returned output '", output.name != nullptr ? output.name : "",
                      "' in device memory, which a worker can't pass on"));
  }
  writer.number(static_cast<uint64_t>(place));
  writer.number(size);
  writer.number(where);
  return {};
}

void write_head(Writer& writer, uint64_t kind, int32_t code, std::string_view message, bool final) {
  writer.number(kind);
  writer.number(static_cast<uint64_t>(code));
  writer.text(message);
  writer.number(final ? 1 : 0);
}

}  // namespace

std::string_view text_of(const sn_error& error) {
  const size_t most = std::min(sizeof(error.message), error.size - offsetof(sn_error, message));
  return {error.message, strnlen(error.message, most)};
}

base::Status write_response(const sn_response& response, const sn_run& run, Room& room,
                            std::string& out, std::vector<base::File>& files) {
  Writer writer(out);
  int32_t code = SN_OK;
  std::string_view message;
  if (response.error != nullptr) {
    code = response.error->code != SN_OK ? response.error->code : int32_t{SN_UNKNOWN};
    message = text_of(*response.error);
  }
  write_head(writer, kResponseRecord, code, message, response.final != 0);
  writer.number(response.output_count);
  base::Status status;
  for (size_t i = 0; i < response.output_count; ++i) {
    const sn_tensor output = read_struct(element(response.outputs, i));
    if (status.ok()) status = write_output(output, run, response.final != 0, room, writer, files);
    if (output.buffer.release != nullptr) output.buffer.release(output.buffer.owner);
  }
  return status;
}

void write_refusal(int32_t code, std::string_view message, std::string& out) {
  Writer writer(out);
  write_head(writer, kRefusalRecord, code, message, true);
  writer.number(0);
}

void write_failure(int32_t code, std::string_view message, std::string& out) {
  Writer writer(out);
  write_head(writer, kResponseRecord, code, message, true);
  writer.number(0);
}

}  // namespace supernova::engine::worker
