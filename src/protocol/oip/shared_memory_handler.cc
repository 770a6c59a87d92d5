#include "protocol/oip/handlers.h"
#include "protocol/oip/json_object.h"
#include "protocol/oip/metadata.h"

namespace supernova::protocol::oip {
namespace {

base::Result<service::SharedMemoryRegion> decode_region(const Call& call) {
  service::SharedMemoryRegion region;
  region.name = call.path.region;
  bool has_key = false;
  bool has_size = false;
  constexpr std::string_view kWhat = "the registration";
  const auto member = [&](JsonReader& reader, const std::string& key) -> base::Status {
    std::string_view ignored;
    if (key == "key") {
      SN_ASSIGN(region.key, read_text(reader, key, kWhat));
      has_key = true;
    } else if (key == "offset") {
      SN_ASSIGN(region.offset, read_size(reader, key, kWhat));
    } else if (key == "byte_size") {
      SN_ASSIGN(region.byte_size, read_size(reader, key, kWhat));
      has_size = true;
    } else {
      reader.skip_value(ignored);
    }
    return {};
  };
  SN_TRY(read_json_text(call.request.body.view(), kWhat, member));
  if (has_key && has_size) return region;
  return absl::InvalidArgumentError(base::str_cat("'", has_key ? "byte_size" : "key",
                                                  "' is missing in the registration of region '",
                                                  region.name, "'"));
}

// CUDA memory is opened to clients by the same switch as system memory, and nothing is ever
// registered in it.
base::Status no_cuda(const Call& call) {
  return call.service.shared_memory(call.caller, "").status();
}

}  // namespace

void system_memory_status(Call call) {
  call.respond(
      json_or_error(call.service.shared_memory(call.caller, call.path.region), shared_memory_json));
}

void system_memory_register(Call call) {
  const auto region = decode_region(call);
  call.respond(done_reply(region.ok() ? call.service.register_shared_memory(call.caller, *region)
                                      : region.status()));
}

void system_memory_unregister(Call call) {
  call.respond(done_reply(call.service.unregister_shared_memory(call.caller, call.path.region)));
}

void cuda_memory_status(Call call) {
  base::Status status = no_cuda(call);
  if (status.ok() && !call.path.region.empty()) {
    status = absl::NotFoundError(
        base::str_cat("Unable to find cuda shared memory region: '", call.path.region, "'"));
  }
  call.respond(status.ok() ? json_reply("[]") : error_reply(status));
}

void cuda_memory_register(Call call) {
  const base::Status status = no_cuda(call);
  call.respond(error_reply(
      status.ok() ? absl::UnimplementedError("CUDA shared memory is not supported: no engine here "
                                             "takes tensors in a GPU's memory; use system shared "
                                             "memory")
                  : status));
}

// Unregistering what isn't registered succeeds: clients do so at their start.
void cuda_memory_unregister(Call call) { call.respond(done_reply(no_cuda(call))); }

}  // namespace supernova::protocol::oip
