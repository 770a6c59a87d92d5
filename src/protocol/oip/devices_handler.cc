#include "device/device.h"
#include "protocol/oip/handlers.h"

namespace supernova::protocol::oip {

// Answered on another thread where somebody has to look: that takes seconds when a driver hangs.
void devices(Call call) {
  const std::string* const caching = call.request.header("cache-control");
  const bool anew = caching != nullptr && caching->find("no-cache") != std::string::npos;
  call.service.devices(call.caller, anew,
                       [respond = std::move(call.respond)](
                           const base::Result<device::DeviceList::Snapshot>& found) mutable {
                         respond(found.ok() ? json_reply(device::devices_json(**found))
                                            : error_reply(found.status()));
                       });
}

}  // namespace supernova::protocol::oip
