#include "protocol/http/coding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "protocol/http/request_body.h"

namespace supernova::protocol::http {
namespace {

using testing::HasSubstr;
using Refusal = RequestBody::Refusal;

constexpr int kGzip = 15 + 16;
constexpr int kZlib = 15;
constexpr int kRaw = -15;

// By zlib itself, not by the code under test.
std::string compress(std::string_view text, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string some_text(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * i) >> 7);
  return text;
}

struct Decoded {
  Refusal refusal = Refusal::kNone;
  std::string body;
  std::string error;
};

Decoded decode(std::string_view data, Coding coding, size_t piece = 7,
               uint64_t max_bytes = 1 << 30) {
  MemoryBudget budget(uint64_t{1} << 40);
  RequestBody body(max_bytes, budget);
  body.begin(0, std::nullopt, coding);
  Decoded out;
  while (!data.empty() && out.refusal == Refusal::kNone) {
    out.refusal = body.append(data.substr(0, piece));
    data.remove_prefix(std::min(piece, data.size()));
  }
  if (out.refusal == Refusal::kNone) out.refusal = body.finish();
  out.error = body.error();
  if (out.refusal == Refusal::kNone) out.body = body.take().view();
  return out;
}

TEST(Decoder, AllFormsInPiecesOfAnySize) {
  for (const size_t size : {0, 1, 1000, 16 * 1024, 300'000}) {
    const std::string text = some_text(size);
    for (const size_t piece : {1, 2, 7, 4096, 1 << 20}) {
      if (size > 100'000 && piece < 7) continue;
      EXPECT_TRUE(decode(compress(text, kGzip), Coding::kGzip, piece).body == text) << size;
      EXPECT_TRUE(decode(compress(text, kZlib), Coding::kDeflate, piece).body == text) << size;
      EXPECT_TRUE(decode(compress(text, kRaw), Coding::kDeflate, piece).body == text) << size;
    }
  }
}

TEST(Decoder, AGzipFileMayBeSeveral) {
  EXPECT_EQ(decode(compress("one ", kGzip) + compress("two", kGzip), Coding::kGzip).body,
            "one two");
}

TEST(Decoder, DamagedDataIsRefused) {
  const std::string gzip = compress(some_text(5000), kGzip);
  const std::string zlib = compress(some_text(5000), kZlib);
  const std::string raw = compress(some_text(5000), kRaw);
  for (const auto& [data, coding] : {std::pair{gzip + "garbage", Coding::kGzip},
                                     {zlib + "g", Coding::kDeflate},
                                     {raw + "garbage", Coding::kDeflate},
                                     {zlib, Coding::kGzip},
                                     {"", Coding::kGzip},
                                     {"", Coding::kDeflate},
                                     {"x", Coding::kDeflate},
                                     {"no gzip at all", Coding::kGzip},
                                     {gzip + gzip.substr(0, 30), Coding::kGzip}}) {
    for (const size_t piece : {1, 1 << 20}) {
      const Decoded decoded = decode(data, coding, piece);
      EXPECT_EQ(decoded.refusal, Refusal::kBroken) << data.size();
      EXPECT_NE(decoded.error, "");
    }
  }
  // Cut anywhere.
  for (const std::string& whole : {gzip, zlib, raw}) {
    const Coding coding = whole == gzip ? Coding::kGzip : Coding::kDeflate;
    for (size_t size = 0; size < whole.size(); size += 1 + size / 8) {
      EXPECT_EQ(decode(whole.substr(0, size), coding).refusal, Refusal::kBroken) << size;
    }
  }
  std::string flipped = gzip;
  flipped[flipped.size() - 6] ^= 1;  // in the checksum
  EXPECT_THAT(decode(flipped, Coding::kGzip).error, HasSubstr("valid gzip"));
}

TEST(Decoder, TheLimitCountsDecodedBytes) {
  const std::string text(100'000, 'x');
  for (const int form : {kGzip, kZlib, kRaw}) {
    const Coding coding = form == kGzip ? Coding::kGzip : Coding::kDeflate;
    EXPECT_EQ(decode(compress(text, form), coding, 7, 99'999).refusal, Refusal::kTooLarge);
    EXPECT_EQ(decode(compress(text, form), coding, 7, 100'000).body, text);
    EXPECT_EQ(decode(compress(text, form), coding, 1 << 20, 99'999).refusal, Refusal::kTooLarge);
  }
}

TEST(RequestBody, ABombCostsNoMoreThanItHasProduced) {
  const std::string bomb = compress(std::string(64 << 20, '\0'), kGzip);
  ASSERT_LT(bomb.size(), 100'000u);
  MemoryBudget budget(8 << 20);
  {
    RequestBody body(1 << 30, budget);
    body.begin(0, std::nullopt, Coding::kGzip);
    EXPECT_EQ(body.append(bomb), Refusal::kBusy);
    EXPECT_LE(body.size(), (size_t{8} << 20) + (256 << 10));
    EXPECT_LE(budget.in_use(), budget.limit());
  }
  EXPECT_EQ(budget.in_use(), 0u);
}

TEST(RequestBody, TheBudgetIsSharedAndGivenBack) {
  MemoryBudget budget(1000);
  RequestBody first(1 << 20, budget);
  RequestBody second(1 << 20, budget);
  first.begin(0, std::nullopt, Coding::kIdentity);
  EXPECT_EQ(first.append(std::string(700, 'a')), Refusal::kNone);
  const tensor::Buffer taken = first.take();
  second.begin(0, 700, Coding::kIdentity);
  ASSERT_EQ(second.prepare(), Refusal::kNone);  // announced is not yet arrived
  EXPECT_EQ(second.commit(700), Refusal::kBusy);
  first.release();
  second.begin(0, std::nullopt, Coding::kIdentity);
  EXPECT_EQ(second.append(std::string(700, 'b')), Refusal::kNone);
  second.clear();
  EXPECT_EQ(budget.in_use(), 0u);
  EXPECT_EQ(taken.view(), std::string(700, 'a'));
}

TEST(AcceptableCoding, FollowsTheWeights) {
  for (const auto& [field, coding] : {
           std::pair{"", Coding::kIdentity},
           {"gzip", Coding::kGzip},
           {"GZip", Coding::kGzip},
           {"x-gzip", Coding::kGzip},
           {"deflate", Coding::kDeflate},
           {"gzip, deflate", Coding::kGzip},
           {"deflate, gzip", Coding::kGzip},
           {"gzip, deflate, br, zstd", Coding::kGzip},
           {"gzip;q=0.5, deflate;q=0.8", Coding::kDeflate},
           {"gzip ; q=0.5 , deflate ; Q=0.499", Coding::kGzip},
           {"gzip;q=0", Coding::kIdentity},
           {"gzip;q=0.000, deflate;q=0.001", Coding::kDeflate},
           {"*", Coding::kGzip},
           {"*;q=0", Coding::kIdentity},
           {"gzip;q=0, *", Coding::kDeflate},
           {"gzip, *;q=0", Coding::kGzip},
           {"identity", Coding::kIdentity},
           {"identity, gzip;q=0.5", Coding::kIdentity},
           {"identity;q=0.5, gzip;q=0.5", Coding::kGzip},
           {"identity;q=0, br", Coding::kIdentity},
           {"br", Coding::kIdentity},
           {"gzip;q=2", Coding::kIdentity},
           {"gzip;q=x", Coding::kIdentity},
           {"gzip;q=0.1234", Coding::kIdentity},
           {"gzip;q=", Coding::kIdentity},
           {",,;q=1,", Coding::kIdentity},
           {"gzip;q=1.000", Coding::kGzip},
           {"gzip;level=9", Coding::kGzip},
       }) {
    EXPECT_EQ(acceptable_coding(field), coding) << field;
  }
}

TEST(ContentCoding, KnowsOneAtATime) {
  const auto coding = [](std::vector<std::string> fields) {
    HttpHead request;
    for (std::string& field : fields) request.headers.emplace_back("content-encoding", field);
    return content_coding(request);
  };
  EXPECT_EQ(coding({}), Coding::kIdentity);
  EXPECT_EQ(coding({""}), Coding::kIdentity);
  EXPECT_EQ(coding({"identity"}), Coding::kIdentity);
  EXPECT_EQ(coding({" GZIP "}), Coding::kGzip);
  EXPECT_EQ(coding({"x-gzip"}), Coding::kGzip);
  EXPECT_EQ(coding({"deflate"}), Coding::kDeflate);
  EXPECT_EQ(coding({"identity, gzip"}), Coding::kGzip);
  EXPECT_EQ(coding({"br"}), std::nullopt);
  EXPECT_EQ(coding({"gzip, deflate"}), std::nullopt);
  EXPECT_EQ(coding({"gzip", "gzip"}), std::nullopt);
  EXPECT_EQ(coding({"gzip", "br"}), std::nullopt);
}

TEST(Encoder, BothFormsComeBackAsTheyWere) {
  for (const size_t size : {1, 1000, 300'000}) {
    const std::string text = some_text(size);
    for (const Coding coding : {Coding::kGzip, Coding::kDeflate}) {
      Encoder encoder(coding);
      std::string out;
      ASSERT_TRUE(encoder.encode(std::string_view(text).substr(0, size / 2), out));
      ASSERT_TRUE(encoder.encode(std::string_view(text).substr(size / 2), out));
      ASSERT_TRUE(encoder.finish(out));
      EXPECT_TRUE(decode(out, coding, 1 << 20).body == text);
      // A zlib stream, not raw deflate, which strict clients refuse.
      if (coding == Coding::kDeflate) {
        EXPECT_EQ(out[0], '\x78');
      }
    }
  }
}

}  // namespace
}  // namespace supernova::protocol::http
