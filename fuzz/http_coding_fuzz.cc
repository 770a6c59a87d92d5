// A compressed request body is hostile input: any bytes, cut anywhere, give a body within the
// bounds or an error; what has been decoded survives the way back. The first byte of the input
// picks the coding and the size of the pieces, the rest is the body.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/http/request_body.h"

namespace {

using namespace supernova::protocol::http;

constexpr uint64_t kMaxBytes = 1 << 20;

bool decode(std::string_view data, Coding coding, size_t piece, std::string& out) {
  MemoryBudget budget(kMaxBytes + (1 << 18));
  {
    RequestBody body(kMaxBytes, budget);
    body.begin(data.size(), std::nullopt, coding);
    while (!data.empty()) {
      if (body.append(data.substr(0, piece)) != RequestBody::Refusal::kNone) return false;
      if (body.size() > kMaxBytes) std::abort();
      data.remove_prefix(std::min(piece, data.size()));
    }
    if (body.finish() != RequestBody::Refusal::kNone) return false;
    const auto whole = body.take();
    out = whole.view();
  }
  if (budget.in_use() != 0) std::abort();
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Coding coding = data[0] % 2 == 0 ? Coding::kGzip : Coding::kDeflate;
  const size_t piece = size_t{1} << (data[0] / 2 % 12);
  const std::string_view content(reinterpret_cast<const char*>(data + 1), size - 1);
  // As an Accept-Encoding field any text is good for something.
  (void)acceptable_coding(content.substr(0, 200));

  std::string decoded;
  if (!decode(content, coding, piece, decoded)) return 0;
  Encoder encoder(coding);
  std::string again;
  if (!encoder.encode(decoded, again) || !encoder.finish(again)) std::abort();
  std::string twice;
  if (!decode(again, coding, 4096, twice) || twice != decoded) std::abort();
  return 0;
}
