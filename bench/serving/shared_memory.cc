#include "shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "load/http_socket.h"

namespace supernova::bench {
namespace {

constexpr size_t kPage = 4096;

std::string post(const std::string& path, const std::string& json) {
  return base::str_cat("POST ", path,
                       " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       "Content-Length: ",
                       json.size(), "\r\n\r\n", json);
}

std::string place(size_t offset, size_t size) {
  return base::str_cat(R"("parameters":{"shared_memory_region":"bench","shared_memory_offset":)",
                       offset, R"(,"shared_memory_byte_size":)", size, "}}");
}

}  // namespace

SharedRegion::~SharedRegion() {
  if (memory_ != nullptr) munmap(memory_, size_);
  if (!key_.empty()) shm_unlink(key_.c_str());
}

base::Status SharedRegion::make(const Target& target, const std::vector<tensor::Tensor>& inputs,
                                const std::vector<tensor::Tensor>& outputs) {
  std::string json = R"({"inputs":[)";
  size_t offset = 0;
  for (const tensor::Tensor& input : inputs) {
    if (&input != &inputs.front()) json += ',';
    json += base::str_cat(R"({"name":")", input.name, R"(","datatype":")",
                          tensor::data_type_name(input.data_type), R"(","shape":)",
                          tensor::shape_to_string(input.shape), ",",
                          place(offset, input.buffer.size()));
    offset += input.buffer.size();
  }
  json += R"(],"outputs":[)";
  outputs_at_ = (offset + kPage - 1) / kPage * kPage;
  for (const tensor::Tensor& output : outputs) {
    if (&output != &outputs.front()) json += ',';
    json += base::str_cat(R"({"name":")", output.name, R"(",)",
                          place(outputs_at_ + outputs_size_, output.buffer.size()));
    outputs_size_ += output.buffer.size();
  }
  json += "]}";
  request_ = post(base::str_cat("/v2/models/", target.model, "/infer"), json);

  size_ = outputs_at_ + outputs_size_;
  key_ = base::str_cat("/supernova-bench-", getpid(), "-", target.model);
  const int file = shm_open(key_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, static_cast<off_t>(size_)) != 0) {
    return absl::InternalError("can't make a region of shared memory");
  }
  void* const mapped = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (mapped == MAP_FAILED) return absl::InternalError("can't map a region of shared memory");
  memory_ = static_cast<char*>(mapped);
  offset = 0;
  for (const tensor::Tensor& input : inputs) {
    std::memcpy(memory_ + offset, input.buffer.data(), input.buffer.size());
    offset += input.buffer.size();
  }
  return {};
}

base::Status SharedRegion::introduce(const Target& server) const {
  SN_ASSIGN(const HttpReply reply,
            exchange_http(server, post("/v2/systemsharedmemory/region/bench/register",
                                       base::str_cat(R"({"key":")", key_,
                                                     R"(","offset":0,"byte_size":)", size_, "}"))));
  if (reply.status() == 200) return {};
  return absl::InternalError(
      base::str_cat("the region is not taken: ", reply.status(), " ", reply.body()));
}

std::string SharedRegion::outputs() const { return {memory_ + outputs_at_, outputs_size_}; }

}  // namespace supernova::bench
