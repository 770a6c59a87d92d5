// The dialect from request to reply, over a real service with an engine made up here: its model
// hands inputs through to outputs.
#include "protocol/oip/oip_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <future>

#include "support/fake_engine.h"

namespace supernova::protocol::oip {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const sn_model_info* fake_model_info(sn_model*) {
  static const int64_t any[] = {-1, -1};
  static const sn_tensor_info inputs[] = {
      {sizeof(sn_tensor_info), "INPUT0", SN_FP32, 2, any, nullptr, 0, 0},
      {sizeof(sn_tensor_info), "TEXT", SN_BYTES, 1, any, nullptr, 1, 0}};
  static const sn_tensor_info outputs[] = {
      {sizeof(sn_tensor_info), "OUTPUT0", SN_FP32, 2, any, nullptr, 0, 0},
      {sizeof(sn_tensor_info), "TEXT_OUT", SN_BYTES, 1, any, nullptr, 0, 0}};
  static const sn_signature signature = {sizeof(signature), "", inputs, 2, outputs, 2};
  static const sn_model_info info = {sizeof(info), &signature, 1};
  return &info;
}

int32_t fake_run(sn_instance*, const sn_run* run, sn_error*) {
  std::vector<sn_tensor> outputs;
  for (size_t i = 0; i < run->output_count; ++i) {
    const bool is_text = std::strcmp(run->outputs[i].name, "TEXT_OUT") == 0;
    for (size_t k = 0; k < run->input_count; ++k) {
      if ((std::strcmp(run->inputs[k].name, "TEXT") == 0) != is_text) continue;
      outputs.push_back(run->inputs[k]);
      outputs.back().name = run->outputs[i].name;
    }
  }
  const sn_response response = {sizeof(response), outputs.data(), outputs.size(), nullptr, 1};
  run->on_response(run->ctx, &response);
  return SN_OK;
}

const sn_engine_api* fake_entry(uint32_t) {
  static const sn_engine_api api = testing_support::fake_engine_table(&fake_model_info, &fake_run);
  return &api;
}

class NoImporter : public tensor::ArtefactProvider {
 public:
  bool recognises(const std::string&) const override { return false; }
  base::Result<tensor::ImportedModel> provide(const std::string&, const tensor::Options&) override {
    return absl::UnimplementedError("no importer");
  }
};

class OipHandlerTest : public testing::Test {
 protected:
  OipHandlerTest() : models_(provider_, catalogue_), service_(models_), handler_(service_) {
    catalogue_.add_builtin("fake", &fake_entry);
    model::LoadOptions options;
    options.engine = "fake";
    model::VersionSource source;
    source.name = "a b";
    source.version = 3;
    source.path = "/models/a b/model.fake";
    EXPECT_TRUE(models_.load(source, options).ok());
    service_.set_ready(true);
  }
  ~OipHandlerTest() override { models_.drain(); }

  http::HttpResponse call(std::string method, std::string target, std::string_view body = "",
                          std::vector<std::pair<std::string, std::string>> headers = {}) {
    http::HttpRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.headers = std::move(headers);
    request.body = tensor::Buffer::copy_of(body);
    std::promise<http::HttpResponse> promise;
    handler_.handle(std::move(request),
                    [&](http::HttpResponse response) { promise.set_value(std::move(response)); });
    return promise.get_future().get();
  }

  NoImporter provider_;
  engine::Catalogue catalogue_;
  model::ModelManager models_;
  service::Service service_;
  OipHandler handler_;
};

TEST_F(OipHandlerTest, Health) {
  for (const char* path : {"/v2/health/live", "/v2/health/ready?x=y", "/v2/models/a%20b/ready",
                           "/v2/models/a%20b/versions/3/ready"}) {
    const auto response = call("GET", path);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_EQ(response.body, "");
  }
  service_.set_ready(false);
  EXPECT_EQ(call("GET", "/v2/health/live").status, 200);
  const auto response = call("GET", "/v2/health/ready");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "");
}

TEST_F(OipHandlerTest, Metadata) {
  const auto server = call("GET", "/v2");
  EXPECT_EQ(server.content_type, "application/json");
  EXPECT_THAT(server.body, AllOf(HasSubstr(R"({"name":"supernova","version":")"),
                                 HasSubstr(R"("extensions":[)"), HasSubstr("binary_tensor_data")));
  EXPECT_EQ(call("GET", "/v2/models/a%20b").body,
            R"({"name":"a b","versions":["3"],"platform":"fake_fake","inputs":[)"
            R"({"name":"INPUT0","datatype":"FP32","shape":[-1,-1]},)"
            R"({"name":"TEXT","datatype":"BYTES","shape":[-1]}],"outputs":[)"
            R"({"name":"OUTPUT0","datatype":"FP32","shape":[-1,-1]},)"
            R"({"name":"TEXT_OUT","datatype":"BYTES","shape":[-1]}]})");
  EXPECT_THAT(
      call("GET", "/v2/models/a%20b/versions/3/config").body,
      AllOf(HasSubstr(R"("max_batch_size":0,"input":[{"name":"INPUT0","data_type":"TYPE_FP32",)"
                      R"("format":"FORMAT_NONE","dims":[-1,-1],)"),
            HasSubstr(R"("data_type":"TYPE_STRING")"), HasSubstr(R"("optional":true)"),
            HasSubstr(R"("kind":"KIND_CPU","count":1)"),
            HasSubstr(R"("default_model_filename":"model.fake")")));
}

TEST_F(OipHandlerTest, Paths) {
  struct Case {
    const char* method;
    const char* path;
    int status;
    const char* message;
  };
  const Case cases[] = {
      {"GET", "/", 404, "Not Found"},
      {"GET", "/v2/", 404, "Not Found"},
      {"GET", "/v2/health", 404, "Not Found"},
      {"GET", "/v2/models", 404, "Not Found"},
      {"GET", "/v2/models/", 404, "Not Found"},
      {"GET", "/v2/models/a%20b/", 404, "Not Found"},
      {"GET", "/v2/models/a%20b/versions", 404, "Not Found"},
      {"GET", "/v2/models/a%20b/versions/x", 404, "Not Found"},
      {"GET", "/v2/models/a%20b/versions/3/ready/x", 404, "Not Found"},
      {"GET", "/v2/models/a%20b/other", 404, "Not Found"},
      {"GET", "/V2", 404, "Not Found"},
      {"POST", "/v2", 405, "Method Not Allowed"},
      {"GET", "/v2/models/a%20b/infer", 405, "Method Not Allowed"},
      {"DELETE", "/v2/models/a%20b", 405, "Method Not Allowed"},
      {"GET", "/v2/models/a%2", 400, "hexadecimal"},
      {"GET", "/v2/models/a%zz", 400, "hexadecimal"},
      {"GET", "/v2/models/a%00", 400, "control character"},
      {"GET", "/v2/models/a%2Fb", 400, "'/'"},
      {"GET", "/v2/models/%ff", 400, "UTF-8"},
      {"GET", "/v2/models/..", 400, "Request for unknown model: '..' is not found"},
      {"GET", "/v2/models/other/config", 400, "Request for unknown model: 'other' is not found"},
      {"GET", "/v2/models/other/ready", 400, "Request for unknown model: 'other' is not found"},
      {"GET", "/v2/models/a%20b/versions/7", 404,
       "Request for unknown model: 'a b' version 7 is not found"},
      {"POST", "/v2/models/other/infer", 400, "Request for unknown model: 'other' is not found"},
  };
  for (const Case& one : cases) {
    const auto response = call(one.method, one.path);
    EXPECT_EQ(response.status, one.status) << one.method << " " << one.path;
    EXPECT_THAT(response.body, AllOf(HasSubstr("{\"error\":\""), HasSubstr(one.message)))
        << one.path;
    EXPECT_EQ(response.content_type, "application/json");
    if (one.status == 405) {
      ASSERT_EQ(response.headers.size(), 1u);
      EXPECT_EQ(response.headers[0].first, "Allow");
    }
  }
}

constexpr std::string_view kJson =
    R"({"id":"7","inputs":[{"name":"INPUT0","shape":[1,2],"datatype":"FP32","data":[1,2.5]}],)"
    R"("outputs":[{"name":"OUTPUT0"}]})";

TEST_F(OipHandlerTest, InfersInJson) {
  const auto response = call("POST", "/v2/models/a%20b/infer", kJson);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body,
            R"({"id":"7","model_name":"a b","model_version":"3","outputs":[)"
            R"({"name":"OUTPUT0","datatype":"FP32","shape":[1,2],"data":[1,2.5]}]})");
}

TEST_F(OipHandlerTest, InfersInBinary) {
  const std::string json =
      R"({"inputs":[{"name":"INPUT0","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}},)"
      R"({"name":"TEXT","shape":[1],"datatype":"BYTES","data":["hi"]}],)"
      R"("parameters":{"binary_data_output":true}})";
  const auto response = call("POST", "/v2/models/a%20b/versions/3/infer", json + "12345678",
                             {{"inference-header-content-length", std::to_string(json.size())}});
  EXPECT_EQ(response.status, 200) << response.body;
  ASSERT_EQ(response.buffers.size(), 2u);
  EXPECT_EQ(response.buffers[0].view(), "12345678");
  EXPECT_EQ(response.buffers[1].view(), std::string_view("\2\0\0\0hi", 6));
}

TEST_F(OipHandlerTest, RefusedRequests) {
  struct Case {
    std::string body;
    int status;
    const char* message;
  };
  const Case cases[] = {
      {"{", 400, "expected"},
      {R"({"id":"r7","inputs":[]})", 400, "[request id: r7] "},
      {R"({"inputs":[{"name":"NO","shape":[1],"datatype":"FP32","data":[1]}]})", 400, "'NO'"},
      {R"({"inputs":[{"name":"INPUT0","shape":[1],"datatype":"FP32","data":[1]}]})", 400,
       "unexpected shape for input 'INPUT0'"},
      {R"({"inputs":[{"name":"INPUT0","shape":[1,1],"datatype":"FP64","data":[1]}]})", 400,
       "data-type is 'FP64'"},
      {R"({"inputs":[],"outputs":[{"name":"O","parameters":{"classification":1}}]})", 501,
       "classification"},
      {R"({"parameters":{"timeout":"soon"},"inputs":[]})", 400, "'timeout'"},
  };
  for (const Case& one : cases) {
    const auto response = call("POST", "/v2/models/a%20b/infer", one.body);
    EXPECT_EQ(response.status, one.status) << one.body;
    EXPECT_THAT(response.body, HasSubstr(one.message)) << one.body;
  }
}

TEST(HttpStatus, FollowsTheProtocol) {
  using Code = absl::StatusCode;
  for (const auto& [code, status] : {std::pair{Code::kInvalidArgument, 400},
                                     {Code::kUnknown, 400},
                                     {Code::kAlreadyExists, 400},
                                     {Code::kCancelled, 400},
                                     {Code::kNotFound, 404},
                                     {Code::kUnavailable, 503},
                                     {Code::kDeadlineExceeded, 503},
                                     {Code::kResourceExhausted, 503},
                                     {Code::kUnimplemented, 501},
                                     {Code::kInternal, 500},
                                     {Code::kPermissionDenied, 403},
                                     {Code::kUnauthenticated, 401}}) {
    EXPECT_EQ(http_status(code), status);
  }
}

}  // namespace
}  // namespace supernova::protocol::oip
