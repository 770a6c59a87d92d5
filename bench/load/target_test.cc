#include "load/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "load/request.h"
#include "tensor/bytes.h"

namespace supernova::bench {
namespace {

using tensor::DataType;
using testing::HasSubstr;

TEST(Target, ReadsUrls) {
  const auto full = parse_target("http://host:81/gate/v2/models/a%20b/versions/3/infer");
  ASSERT_TRUE(full.ok());
  EXPECT_FALSE(full->grpc);
  EXPECT_EQ(full->address(), "host:81");
  EXPECT_EQ(full->prefix, "/gate");
  EXPECT_EQ(full->model, "a b");
  EXPECT_EQ(full->version, "3");
  EXPECT_EQ(model_path(*full), "/v2/models/a%20b/versions/3");

  for (const char* url : {"http://h", "http://h/", "http://h/v2", "http://h:8000/v2/"}) {
    const auto target = parse_target(url);
    ASSERT_TRUE(target.ok()) << url;
    EXPECT_EQ(target->url(), "http://h:8000");
    EXPECT_EQ(target->model, "");
  }
  const auto grpc = parse_target("grpc://[::1]:9/m");
  ASSERT_TRUE(grpc.ok());
  EXPECT_TRUE(grpc->grpc);
  EXPECT_EQ(grpc->host, "::1");
  EXPECT_EQ(grpc->address(), "[::1]:9");
  EXPECT_EQ(grpc->model, "m");
  EXPECT_EQ(parse_target("grpc://h")->port, "8001");
}

TEST(Target, RefusesOthersWithTheRemedy) {
  for (const auto& [url, text] : std::vector<std::pair<const char*, const char*>>{
           {"https://h/", "https is not supported"},
           {"ftp://h/", "unknown scheme 'ftp'"},
           {"h:8000", "no scheme"},
           {"http://", "no host"},
           {"http://h:x/", "no such port"},
           {"http://h:70000/", "no such port"},
           {"http://h:0/", "no such port"},
           {"http://a:b@h/", "--header"},
           {"http://[::1/", "no ']'"},
           {"http://h/?x", "'?'"},
           {"http://h/v2/models/a/b", "no path of a model"}}) {
    const auto target = parse_target(url);
    ASSERT_FALSE(target.ok()) << url;
    EXPECT_THAT(std::string(base::message(target.status())), HasSubstr(text));
    EXPECT_THAT(std::string(base::message(target.status())), HasSubstr("http://HOST:PORT"));
  }
}

tensor::Tensor floats(std::vector<float> values) {
  tensor::Tensor tensor{"x", DataType::kFp32, {static_cast<int64_t>(values.size())}, {}};
  tensor.buffer = tensor::Buffer::copy_of(
      std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * 4));
  return tensor;
}

TEST(Request, JsonCarriesEveryElement) {
  Target target = *parse_target("http://h/v2/models/m");
  target.headers.emplace_back("authorization", "Bearer t");
  const auto request = http_infer_request(target, {floats({0.1F, -2, 3e30F})}, Encoding::kJson);
  ASSERT_TRUE(request.ok());
  EXPECT_THAT(*request, HasSubstr("POST /v2/models/m/infer HTTP/1.1\r\nHost: h:8000\r\n"));
  EXPECT_THAT(*request, HasSubstr("authorization: Bearer t\r\n"));
  EXPECT_THAT(
      *request,
      HasSubstr(
          R"({"inputs":[{"name":"x","datatype":"FP32","shape":[3],"data":[0.1,-2,3e+30]}]})"));

  tensor::Tensor text{"s", DataType::kBytes, {2}, {}};
  text.buffer = tensor::pack_bytes(std::vector<std::string>{"a\"b", ""});
  EXPECT_THAT(*http_infer_request(target, {text}, Encoding::kJson), HasSubstr(R"(["a\"b",""])"));
}

TEST(Request, JsonRefusesWhatItCantCarry) {
  const Target target = *parse_target("http://h/v2/models/m");
  EXPECT_FALSE(http_infer_request(target, {floats({NAN})}, Encoding::kJson).ok());
  tensor::Tensor half{"x", DataType::kFp16, {1}, tensor::Buffer::copy_of("ab")};
  const auto refused = http_infer_request(target, {half}, Encoding::kJson);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(base::message(refused.status())), HasSubstr("input 'x'"));
  EXPECT_TRUE(http_infer_request(target, {half}, Encoding::kBinary).ok());
}

TEST(Request, BinaryPutsTensorsBehindTheJson) {
  const Target target = *parse_target("http://h/v2/models/m");
  const auto request = http_infer_request(target, {floats({1, 2})}, Encoding::kBinary);
  ASSERT_TRUE(request.ok());
  const size_t head = request->find("\r\n\r\n") + 4;
  const size_t length = request->size() - head;
  EXPECT_THAT(*request, HasSubstr(base::str_cat("\r\nContent-Length: ", length, "\r\n")));
  EXPECT_THAT(*request,
              HasSubstr(base::str_cat("Inference-Header-Content-Length: ", length - 8, "\r\n")));
}

TEST(Request, ErrorsAreShort) {
  EXPECT_EQ(error_text(R"({"error":"no\nsuch model"})"), "no such model");
  EXPECT_EQ(error_text("<html>\r\nmore"), "<html>");
  EXPECT_EQ(error_text(""), "");
  EXPECT_LE(error_text(std::string(1000, 'x')).size(), 200U);
}

}  // namespace
}  // namespace supernova::bench
