#include <gtest/gtest.h>

#include <limits>

#include "base/base64.h"
#include "base/build_id.h"
#include "base/json_writer.h"
#include "base/sha256.h"
#include "base/status.h"
#include "base/text.h"

namespace supernova::base {
namespace {

std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// Whatever linked this test gave it one.
TEST(BuildId, IsHexadecimal) {
  EXPECT_GE(build_id().size(), 16U);
  EXPECT_EQ(build_id().find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST(Base64, ThereAndBack) {
  for (const auto& [bytes, text] : {std::pair<std::string, const char*>{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foobar", "Zm9vYmFy"},
                                    {std::string("\xff\xfe\0", 3), "//4A"}}) {
    std::string encoded;
    append_base64(encoded, bytes);
    EXPECT_EQ(encoded, text);
    std::string decoded;
    EXPECT_TRUE(decode_base64(text, decoded)) << text;
    EXPECT_EQ(decoded, bytes);
  }
}

TEST(Base64, RefusesWhatIsNotCanonical) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "====", "=g==", "Z===", "Zh==", "Zm9=",
                           "Zm 9", "Zm9v\n", "Zm9-", "Zg==Zg==", "Z\x80\x80="}) {
    std::string decoded;
    EXPECT_FALSE(decode_base64(text, decoded)) << text;
  }
}

TEST(JsonWriter, EscapesWhatJsonForbids) {
  EXPECT_EQ(json("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(json(std::string_view("\0\n\x1f", 3)), R"("\u0000\u000a\u001f")");
  EXPECT_EQ(json("z\xC3\xBC"), "\"z\xC3\xBC\"");
}

TEST(JsonWriter, ReplacesInvalidUtf8) {
  EXPECT_EQ(json("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
  EXPECT_EQ(json("\xC3"), "\"\xEF\xBF\xBD\"");
}

TEST(JsonWriter, ShortestFloatsReadBack) {
  std::string out;
  append_json_number(out, 0.1f);
  EXPECT_EQ(out, "0.1");
  out.clear();
  append_json_number(out, 16777217.0);
  EXPECT_EQ(out, "16777217");
  out.clear();
  append_json_number(out, std::numeric_limits<int64_t>::min());
  EXPECT_EQ(out, "-9223372036854775808");
  out.clear();
  append_json_number(out, -0.0f);
  EXPECT_EQ(out, "-0.0");
}

TEST(Utf8, RefusesOverlongSurrogatesAndBeyondUnicode) {
  EXPECT_TRUE(is_valid_utf8("\xF4\x8F\xBF\xBF"));
  for (const char* bad : {"\xC0\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"}) {
    EXPECT_FALSE(is_valid_utf8(bad)) << bad;
  }
}

TEST(Text, ParsesWholeNumbersStrictly) {
  int number = 0;
  EXPECT_TRUE(parse_whole("42", number));
  EXPECT_EQ(number, 42);
  for (const char* bad : {"", "-1", "+1", "1x", " 1", "99999999999"}) {
    EXPECT_FALSE(parse_whole(bad, number)) << bad;
  }
}

TEST(StatusTest, AnnotateKeepsCodeAndNamesContext) {
  const Status status = annotate(absl::NotFoundError("gone"), "model 'm'");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(message(status), "model 'm': gone");
  EXPECT_TRUE(annotate(Status(), "x").ok());
}

// The first example of FIPS 180-4, in pieces.
TEST(Sha256, SumsPiecesAsOneText) {
  Sha256Sum sum;
  sum.add("a", 1);
  sum.add("", 0);
  sum.add("bc", 2);
  const auto digest = sum.finish();
  ASSERT_TRUE(digest.has_value());
  EXPECT_EQ((*digest)[0], 0xBA);
  EXPECT_EQ((*digest)[1], 0x78);
  EXPECT_EQ((*digest)[31], 0xAD);
}

}  // namespace
}  // namespace supernova::base
