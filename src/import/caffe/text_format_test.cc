#include "import/caffe/text_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "import/caffe/params.h"

namespace supernova::import::caffe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto parsed = parse_text(text);
  return parsed.ok() ? "parsed" : std::string(base::message(parsed.status()));
}

TEST(CaffeText, ReadsEveryFormOfField) {
  const auto text = parse_text(R"(
    # a comment
    name: "a\"b" 'c\x41\101\n'  # adjacent pieces
    number: -1.5e-3f, flag: true; word: MAX
    message { inner: 1 } angled < inner: 2 > colon: { inner: 3 }
    list: [1, 2,3] messages: [{ inner: 4 }, { inner: 5 }] empty: []
    [extension.name]: 7
  )");
  ASSERT_TRUE(text.ok()) << text.status();
  base::Status status;
  const Params params(text->get(), "", status);
  EXPECT_EQ(params.text("name"), "a\"bcAA\n");
  EXPECT_NEAR(params.number("number", 0), -0.0015, 1e-9);
  EXPECT_TRUE(params.flag("flag", false));
  EXPECT_EQ(params.choice("word", {"MIN", "MAX"}, "MIN"), "MAX");
  EXPECT_EQ(params.message("message").integer("inner", 0), 1);
  EXPECT_EQ(params.message("angled").integer("inner", 0), 2);
  EXPECT_EQ(params.message("colon").integer("inner", 0), 3);
  EXPECT_THAT(params.integers("list"), ElementsAre(1, 2, 3));
  EXPECT_EQ(params.messages("messages").size(), 2);
  EXPECT_FALSE(params.has("empty"));
  EXPECT_EQ(params.integer("[extension.name]", 0), 7);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(CaffeText, NumbersInEveryBase) {
  EXPECT_EQ(parse_integer("0x1F"), 31);
  EXPECT_EQ(parse_integer("017"), 15);
  EXPECT_EQ(parse_integer("-12"), -12);
  EXPECT_EQ(parse_integer("1.5"), std::nullopt);
  EXPECT_EQ(parse_integer("99999999999999999999"), std::nullopt);
  EXPECT_EQ(parse_integer(""), std::nullopt);
  EXPECT_EQ(parse_integer("--1"), std::nullopt);
}

TEST(CaffeText, ErrorsSayWhere) {
  EXPECT_EQ(error_of("layer {\n  name: \"a\"\n  type \"b\"\n}"),
            "3:8: expected ':' or '{', not '\"b\"'");
  EXPECT_EQ(error_of("layer {\n"), "2:1: the text ends before '}'");
  EXPECT_EQ(error_of("a: \"x\n\""), "1:6: a string ends before its closing quote");
  EXPECT_EQ(error_of("a: \"x"), "1:6: the text ends inside a string");
  EXPECT_EQ(error_of("a: }"), "1:4: expected a value, not '}'");
  EXPECT_EQ(error_of("a: [1 2]"), "1:7: expected ',' or ']', not '2]'");
  EXPECT_EQ(error_of("}"), "1:1: expected a field's name, not '}'");
  EXPECT_EQ(error_of("a {>"), "1:4: expected a field's name, not '>'");
  EXPECT_EQ(error_of("a:"), "1:3: the text ends where a value should be");
}

TEST(CaffeText, DepthAndSizeAreBounded) {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "a{";
  EXPECT_THAT(error_of(deep), HasSubstr("nested too deeply"));
  EXPECT_THAT(error_of(std::string(kMaxText + 1, ' ')), HasSubstr("4194304 at most"));
}

TEST(CaffeText, EveryPrefixIsAnErrorOrAWhole) {
  const std::string text = "layer { name: \"a\\x\" p: -1 q: [1, <a: 1>] } # end";
  for (size_t size = 0; size <= text.size(); ++size) {
    (void)parse_text(text.substr(0, size));
  }
}

TEST(CaffeParams, WhatCannotBeReadIsSaidOnceWithItsPlace) {
  const auto text = parse_text("p {\n a: 1.5\n b: { }\n c: MIN\n d: yes shape { dim: -7 } }");
  ASSERT_TRUE(text.ok());
  const auto complaint = [&](const auto& read) {
    base::Status status;
    read(Params(text->get(), "", status).message("p"));
    return std::string(base::message(status));
  };
  EXPECT_EQ(complaint([](const Params& p) { (void)p.integer("a", 0); }),
            "p.a at 2:5 is '1.5', not a whole number");
  EXPECT_EQ(complaint([](const Params& p) { (void)p.number("b", 0); }),
            "p.b at 3:5 is a message, not a number");
  EXPECT_EQ(complaint([](const Params& p) {
              (void)p.choice("c", {"A", "B"}, "A");
            }),
            "p.c at 4:5 is 'MIN', not one of A, B");
  EXPECT_EQ(complaint([](const Params& p) { (void)p.flag("d", false); }),
            "p.d at 5:5 is 'yes', not true or false");
  EXPECT_EQ(complaint([](const Params& p) { (void)p.message("shape").shape(); }),
            "shape.dim at 5:22 is '-7', not a possible size");
  EXPECT_EQ(complaint([](const Params& p) { (void)p.message("a"); }),
            "p.a at 2:5 is '1.5', not a message");
}

}  // namespace
}  // namespace supernova::import::caffe
