// That a transcript can fail: what is compared, and how.
#include "compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <inference.pb.h>

namespace supernova::transcripts {
namespace {

using ::testing::HasSubstr;

TEST(TranscriptParserTest, ReadsExchanges) {
  const auto transcript = parse_transcript(
      "# about\n@server --a b\n\n== first\nPOST /x\nName: v: w\n\n{\"a\":1}\n\n--> 200\n\n"
      "== second\nGRPC M\n--> OK\nignore: a.b\n\nx: 1\n");
  ASSERT_TRUE(transcript.ok()) << transcript.status();
  EXPECT_EQ(transcript->server_arguments, (std::vector<std::string>{"--a", "b"}));
  ASSERT_EQ(transcript->exchanges.size(), 2u);
  const Exchange& first = transcript->exchanges[0];
  EXPECT_EQ(first.title, "first");
  EXPECT_EQ(first.line, 4);
  EXPECT_EQ(first.request.header("name"), "v: w");
  EXPECT_EQ(first.request.body, "{\"a\":1}");
  EXPECT_EQ(first.reply.words, std::vector<std::string>{"200"});
  EXPECT_EQ(first.reply.body, "");
  EXPECT_EQ(transcript->exchanges[1].reply.header("ignore"), "a.b");
  EXPECT_EQ(transcript->exchanges[1].reply.body, "x: 1");
}

TEST(TranscriptParserTest, SaysWhereItIsBroken) {
  for (const auto& [text, what] : std::vector<std::pair<std::string, std::string>>{
           {"what\n", "line 1"},
           {"== t\nGET /x\n", "the reply"},
           {"== t\nGET /x\nnoheader\n--> 200\n", "line 3"},
           {"# nothing\n", "no exchange"}}) {
    EXPECT_THAT(std::string(base::message(parse_transcript(text).status())), HasSubstr(what));
  }
}

TEST(CompareTest, Json) {
  EXPECT_EQ(compare_json(R"({"a":[1,"{{number}}"],"b":"{{any}}"})", R"({"b":null,"a":[1.0,7]})"),
            "");
  EXPECT_THAT(compare_json(R"({"a":1})", R"({"a":2})"), HasSubstr("/a: expected 1, got 2"));
  EXPECT_THAT(compare_json(R"({"a":1})", R"({"a":1,"b":2})"), HasSubstr("/b: not expected"));
  EXPECT_EQ(compare_json(R"({"a":1,"{{more}}":0})", R"({"a":1,"b":2})"), "");
  EXPECT_THAT(compare_json(R"({"a":1})", "{}"), HasSubstr("/a: missing"));
  EXPECT_THAT(compare_json("[1,2]", "[2,1]"), HasSubstr("/0: expected 1"));
  EXPECT_THAT(compare_json("[1]", "[1,1]"), HasSubstr("1 elements"));
  EXPECT_EQ(compare_json(R"(["{{some}}",2])", "[1,2,3]"), "");
  EXPECT_THAT(compare_json(R"(["{{some}}",4])", "[1,2,3]"), HasSubstr("among the elements"));
  EXPECT_EQ(compare_json(R"("{{contains: b}}")", R"("abc")"), "");
  EXPECT_NE(compare_json(R"("{{contains: d}}")", R"("abc")"), "");
  EXPECT_NE(compare_json(R"("{{string}}")", "1"), "");
  EXPECT_NE(compare_json(R"({"a":true})", R"({"a":1})"), "");
  EXPECT_THAT(compare_json("{}", "<html>"), HasSubstr("no JSON"));
}

TEST(CompareTest, RestReplies) {
  const RestReply reply{
      200,
      {{"content-type", "application/octet-stream"}, {"inference-header-content-length", "7"}},
      "{\"a\":1}\x01\x02"};
  const auto compare = [&](const std::string& text) {
    const auto transcript = parse_transcript("== t\nGET /\n" + text);
    return compare_rest(transcript->exchanges[0].reply, reply);
  };
  EXPECT_EQ(compare("--> 200\ncontent-type: application/octet-stream\nx: {{none}}\n\n"
                    "json: {\"a\":1}\nhex: 01 02\n"),
            "");
  EXPECT_THAT(compare("--> 400\n\n{{any}}\n"), HasSubstr("status"));
  EXPECT_THAT(compare("--> 200\ncontent-type: text/plain\n\n{{any}}\n"), HasSubstr("header"));
  EXPECT_THAT(compare("--> 200\nx: y\n\n{{any}}\n"), HasSubstr("got none"));
  EXPECT_THAT(compare("--> 200\n\njson: {\"a\":1}\nhex: 01 03\n"), HasSubstr("01 02"));
  EXPECT_THAT(compare("--> 200\n"), HasSubstr("expected nothing"));
}

TEST(CompareTest, Messages) {
  inference::ModelInferResponse expected;
  expected.set_id("1");
  expected.add_outputs()->set_name("a");
  inference::ModelInferResponse actual = expected;
  Part options;
  EXPECT_EQ(compare_messages(options, expected, actual), "");
  actual.mutable_outputs(0)->set_datatype("FP32");
  EXPECT_THAT(compare_messages(options, expected, actual), HasSubstr("FP32"));
  options.headers = {{"partial", "yes"}};
  EXPECT_EQ(compare_messages(options, expected, actual), "");
  options.headers = {{"ignore", "id outputs.datatype"}};
  EXPECT_EQ(compare_messages(options, expected, actual), "");
  actual.mutable_outputs(0)->set_name("b");
  EXPECT_NE(compare_messages(options, expected, actual), "");
}

}  // namespace
}  // namespace supernova::transcripts
