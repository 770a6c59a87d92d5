#include "protocol/oip/load_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::protocol::oip {
namespace {

using testing::HasSubstr;

TEST(LoadRequest, NothingIsAPlainLoad) {
  for (const char* text : {"", " \n", "{}", R"({"parameters":{}})"}) {
    const auto request = decode_load_request(text);
    ASSERT_TRUE(request.ok()) << request.status();
    EXPECT_EQ(request->config, "");
    EXPECT_TRUE(request->files.empty());
  }
}

TEST(LoadRequest, ConfigAndFiles) {
  const auto request = decode_load_request(
      R"({"parameters":{"file:1/model.onnx":"aGk=","config":"{\"backend\":\"onnxruntime\"}",)"
      R"("file:labels.txt":""}})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->config, R"({"backend":"onnxruntime"})");
  ASSERT_EQ(request->files.size(), 2u);
  EXPECT_EQ(request->files[0].path, "1/model.onnx");
  EXPECT_EQ(request->files[0].content.view(), "hi");
  EXPECT_EQ(request->files[1].path, "labels.txt");
  EXPECT_EQ(request->files[1].content.size(), 0u);
}

TEST(LoadRequest, Refused) {
  for (const auto& [text, message] :
       {std::pair{"[]", "must be an object"},
        {R"({"other":1})", "unknown key 'other'"},
        {R"({"parameters":{"other":1}})", "unknown key 'other'"},
        {R"({"parameters":{"config":{}}})", "'config' of 'parameters' must be a string"},
        {R"({"parameters":{"file:1/m":"aGk="}})", "need the parameter 'config'"},
        {R"({"parameters":{"config":"{}","file:1/m":"aGk"}})", "'file:1/m' is not base64"},
        {R"({"parameters":{"config":"{}","file:1/m":"aG k="}})", "is not base64"},
        {R"({"parameters":{"config":"{}","file:1/m":5}})", "must be a string"},
        {R"({"parameters":{"config":"{}","file:":""}})", "inside the model's folder"},
        {R"({"parameters":{"config":"{}","file:/etc/passwd":""}})", "inside the model's folder"},
        {R"({"parameters":{"config":"{}","file:1/../../m":""}})", "inside the model's folder"},
        {R"({"parameters":{"config":"{}","file:1//m":""}})", "inside the model's folder"},
        {R"({"parameters":{"config":"{}","file:1/":""}})", "inside the model's folder"},
        {R"({"parameters":{"config":"{}","file:1/a\u0000b":""}})", "inside the model's folder"},
        {R"({"parameters":{"config":"{}","file:a":"","file:a":""}})", "'file:a' twice"},
        {R"({"parameters":{}} x)", "unexpected text"}}) {
    EXPECT_THAT(decode_load_request(text).status().ToString(), HasSubstr(message)) << text;
  }
}

TEST(UnloadRequest, SaysWhetherDependentsGoToo) {
  EXPECT_EQ(decode_unload_request("").value(), false);
  EXPECT_EQ(decode_unload_request(R"({"parameters":{"unload_dependents":true}})").value(), true);
  EXPECT_FALSE(decode_unload_request(R"({"parameters":{"unload_dependents":"true"}})").ok());
  EXPECT_FALSE(decode_unload_request(R"({"parameters":{"other":true}})").ok());
}

}  // namespace
}  // namespace supernova::protocol::oip
