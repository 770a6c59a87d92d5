// The dialect from request to reply, over a real service.
#include "protocol/oip/oip_handler.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/rest_server.h"

namespace supernova::protocol::oip {
namespace {

using testing::AllOf;
using testing::HasSubstr;

using OipHandlerTest = testing_support::RestServer;

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

TEST_F(OipHandlerTest, HealthInJsonForThoseWhoAcceptIt) {
  for (const char* accept : {"*/*", "text/html, application/json;q=0.5"}) {
    const Headers headers{{"accept", accept}};
    EXPECT_EQ(call("GET", "/v2/health/live", "", headers).body, R"({"live":true})");
    EXPECT_EQ(call("GET", "/v2/health/ready", "", headers).body, R"({"ready":true})");
    EXPECT_EQ(call("GET", "/v2/models/a%20b/ready", "", headers).body,
              R"({"name":"a b","ready":true})");
  }
  EXPECT_EQ(call("GET", "/v2/health/live", "", {{"accept", "text/plain"}}).body, "");
  service_.set_ready(false);
  const auto response = call("GET", "/v2/health/ready", "", {{"accept", "*/*"}});
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, R"({"ready":false})");
  EXPECT_EQ(response.content_type, "application/json");
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
            HasSubstr(R"("count":1,"gpus":[],"kind":"KIND_CPU")"), HasSubstr(R"("backend":"fake")"),
            HasSubstr(R"("default_model_filename":"model.fake")")));
}

TEST_F(OipHandlerTest, Placement) {
  for (const char* path : {"/v2/models/a%20b/placement", "/v2/models/a%20b/versions/3/placement"}) {
    const auto response = call("GET", path);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.content_type, "application/json");
    EXPECT_THAT(
        response.body,
        AllOf(HasSubstr(R"({"name":"a b","version":"3","state":"ready","engine":"fake")"),
              HasSubstr(R"("device":"cpu","whole":true)"), HasSubstr(R"("fallback_nodes":0)")));
  }
  EXPECT_EQ(call("GET", "/v2/models/a%20b/versions/4/placement").status, 404);
  // Why a model is nowhere is worth an answer, too.
  EXPECT_FALSE(fake_.load("lost", 1, "nobody").ok());
  const auto failed = call("GET", "/v2/models/lost/placement");
  EXPECT_EQ(failed.status, 200);
  EXPECT_THAT(failed.body, AllOf(HasSubstr(R"("state":"failed")"),
                                 HasSubstr("no engine 'nobody' here; there is: fake")));
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
      {"POST", "/v2/models", 405, "Method Not Allowed"},
      {"POST", "/v2/models/stats", 405, "Method Not Allowed"},
      {"GET", "/v2/models/a%20b/versions/3/trace/setting", 404, "Not Found"},
      {"GET", "/v2/repository/index", 405, "Method Not Allowed"},
      {"GET", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", 404, "Not Found"},
      {"PUT", "/v2/logging", 405, "Method Not Allowed"},
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
      {R"({"inputs":[],"outputs":[{"name":"O","parameters":{"classification":-1}}]})", 400,
       "classification"},
      {R"({"inputs":[{"name":"INPUT0","shape":[1,1],"datatype":"FP32","parameters":)"
       R"({"shared_memory_region":"r","shared_memory_byte_size":4}}]})",
       501, "--allow-client-shm"},
      {R"({"parameters":{"timeout":"soon"},"inputs":[]})", 400, "'timeout'"},
      {R"({"parameters":{"timeout":-1},"inputs":[]})", 400, "'timeout'"},
      {R"({"parameters":{"priority":0.5},"inputs":[]})", 400, "'priority'"},
  };
  for (const Case& one : cases) {
    const auto response = call("POST", "/v2/models/a%20b/infer", one.body);
    EXPECT_EQ(response.status, one.status) << one.body;
    EXPECT_THAT(response.body, HasSubstr(one.message)) << one.body;
  }
}

TEST_F(OipHandlerTest, ParametersOfSequencesPassThroughAndLargeTimeoutsAreForEver) {
  const auto response = call(
      "POST", "/v2/models/a%20b/infer",
      R"({"parameters":{"sequence_id":"s","sequence_start":true,"timeout":18446744073709551615,)"
      R"("priority":3},"inputs":[{"name":"INPUT0","shape":[1,1],"datatype":"FP32","data":[1]}],)"
      R"("outputs":[{"name":"OUTPUT0"}]})");
  EXPECT_EQ(response.status, 200) << response.body;
}

TEST_F(OipHandlerTest, ATimeoutThatIsOverWhenTheRequestIsTakenFromTheQueue) {
  const auto response = call(
      "POST", "/v2/models/a%20b/infer",
      R"({"parameters":{"timeout":1},"inputs":[{"name":"INPUT0","shape":[1,1],"datatype":"FP32",)"
      R"("data":[1]}]})");
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr("Request timeout expired"));
}

TEST_F(OipHandlerTest, ListsModels) {
  EXPECT_EQ(call("GET", "/v2/models").body, R"({"models":["a b"]})");
}

TEST_F(OipHandlerTest, Statistics) {
  ASSERT_EQ(call("POST", "/v2/models/a%20b/infer", kJson).status, 200);
  for (const char* path :
       {"/v2/models/stats", "/v2/models/a%20b/stats", "/v2/models/a%20b/versions/3/stats"}) {
    const std::string body = call("GET", path).body;
    EXPECT_THAT(body, HasSubstr(R"({"model_stats":[{"name":"a b","version":"3",)")) << path;
    EXPECT_THAT(body, HasSubstr(R"("success":{"count":1,)"));
    for (const char* key : {"fail", "queue", "compute_input", "compute_infer", "compute_output",
                            "cache_hit", "cache_miss"}) {
      EXPECT_THAT(body, HasSubstr(base::str_cat("\"", key, "\":{\"count\":")));
    }
    EXPECT_THAT(body, HasSubstr(R"("response_stats":{})"));
  }
  EXPECT_EQ(call("GET", "/v2/models/other/stats").status, 400);
}

TEST_F(OipHandlerTest, Repository) {
  for (const char* body : {"", "{}", R"({"ready":true})"}) {
    EXPECT_EQ(call("POST", "/v2/repository/index", body).body,
              R"([{"name":"a b","version":"3","state":"READY"}])")
        << body;
  }
  EXPECT_EQ(call("POST", "/v2/repository/index", R"({"ready":1})").status, 400);
  for (const char* path : {"/v2/repository/r/index", "/v2/repository/r/models/m/load",
                           "/v2/repository/r/models/m/unload"}) {
    const auto response = call("POST", path, "{}");
    EXPECT_EQ(response.status, 501);
    EXPECT_THAT(response.body, HasSubstr("'repository_name' specification is not supported"));
  }
  // Without explicit control; tritonclient's bodies.
  EXPECT_EQ(call("POST", "/v2/repository/models/m/load", "{}").status, 503);
  EXPECT_EQ(call("POST", "/v2/repository/models/m/unload",
                 R"({"parameters":{"unload_dependents":false}})")
                .status,
            503);
  EXPECT_EQ(call("POST", "/v2/repository/models/m/load", "[]").status, 400);
}

TEST_F(OipHandlerTest, GeneratesForModelsThatAnswerOnce) {
  const char* const body = R"({"id":"g","TEXT":"hi","INPUT0":[1,2],"max_tokens":5})";
  const std::string expected =
      R"({"id":"g","model_name":"a b","model_version":"3","OUTPUT0":[1,2],"TEXT_OUT":"hi"})";
  const auto response = call("POST", "/v2/models/a%20b/generate", body);
  EXPECT_EQ(response.body, expected);
  EXPECT_EQ(response.content_type, "application/json");
  const auto stream = call("POST", "/v2/models/a%20b/versions/3/generate_stream", body);
  EXPECT_EQ(stream.body, "data: " + expected + "\n\n");
  EXPECT_EQ(stream.content_type, "text/event-stream");
  EXPECT_EQ(call("POST", "/v2/models/a%20b/generate", R"({"TEXT":1})").status, 400);
  EXPECT_EQ(call("POST", "/v2/models/other/generate_stream", body).status, 400);
}

TEST_F(OipHandlerTest, BadSettingsAreRefusedBeforeTheServiceIsAsked) {
  for (const auto& [path, body] : {
           std::pair{"/v2/trace/setting", R"({"trace_mode":"opentelemetry"})"},
           {"/v2/trace/setting", R"({"trace_level":[1]})"},
           {"/v2/trace/setting", R"({"trace_rate":true})"},
           {"/v2/models/a%20b/trace/setting", "[]"},
           {"/v2/logging", R"({"log_info":{}})"},
           {"/v2/logging", R"({"log_info":true,"log_info":true})"},
           {"/v2/logging", "{} {}"},
           {"/v2/systemsharedmemory/region/r/register", R"({"key":"/k"})"},
           {"/v2/systemsharedmemory/region/r/register", R"({"byte_size":1})"},
           {"/v2/systemsharedmemory/region/r/register", R"({"key":"/k","byte_size":-1})"},
           {"/v2/systemsharedmemory/region/r/register",
            R"({"key":"/k","byte_size":18446744073709551616})"},
           {"/v2/systemsharedmemory/region/r/register", R"({"key":1,"byte_size":1})"},
           {"/v2/systemsharedmemory/region/%00/unregister", ""},
       }) {
    EXPECT_EQ(call("POST", path, body).status, 400) << path << " " << body;
  }
}

TEST_F(OipHandlerTest, SharedMemoryIsOffByDefault) {
  EXPECT_EQ(call("GET", "/v2/systemsharedmemory/status").status, 501);
  EXPECT_EQ(call("POST", "/v2/systemsharedmemory/unregister").status, 501);
  EXPECT_EQ(call("POST", "/v2/systemsharedmemory/region/r/register",
                 R"({"key":"/k","byte_size":18446744073709551615})")
                .status,
            501);
  EXPECT_EQ(call("GET", "/v2/cudasharedmemory/region/r/status").status, 501);
  EXPECT_EQ(call("POST", "/v2/cudasharedmemory/unregister").status, 501);
  EXPECT_EQ(call("POST", "/v2/cudasharedmemory/region/r/register", "{}").status, 501);
}

// An object of POSIX shared memory, gone with this.
class SharedObject {
 public:
  SharedObject() : key_(base::str_cat("/supernova_rest_test_", getpid())) {
    const int file = shm_open(key_.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
    EXPECT_GE(file, 0);
    EXPECT_EQ(ftruncate(file, kSize), 0);
    data_ = static_cast<float*>(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    close(file);
  }
  ~SharedObject() {
    munmap(data_, kSize);
    shm_unlink(key_.c_str());
  }
  static constexpr size_t kSize = 64;
  const std::string& key() const { return key_; }
  float* data() const { return data_; }

 private:
  const std::string key_;
  float* data_ = nullptr;
};

TEST_F(OipHandlerTest, InfersThroughSharedMemory) {
  service::SharedMemory memory;
  service_.set_shared_memory(&memory);
  const SharedObject object;
  const std::string base = "/v2/systemsharedmemory";
  const std::string body = base::str_cat(R"({"key":")", object.key(), R"(","byte_size":64})");
  const auto registered = call("POST", base + "/region/r/register", body);
  EXPECT_EQ(registered.status, 200) << registered.body;
  EXPECT_EQ(registered.body, "");
  EXPECT_EQ(call("POST", base + "/region/r/register", body).status, 400);  // taken
  EXPECT_EQ(
      call("GET", base + "/status").body,
      base::str_cat(R"([{"name":"r","key":")", object.key(), R"(","offset":0,"byte_size":64}])"));

  object.data()[2] = 4.5F;
  const auto response = call(
      "POST", "/v2/models/a%20b/infer",
      R"({"inputs":[{"name":"INPUT0","shape":[1,1],"datatype":"FP32","parameters":)"
      R"({"shared_memory_region":"r","shared_memory_offset":8,"shared_memory_byte_size":4}}],)"
      R"("outputs":[{"name":"OUTPUT0","parameters":)"
      R"({"shared_memory_region":"r","shared_memory_offset":32,"shared_memory_byte_size":32}}]})");
  EXPECT_EQ(response.body, R"({"model_name":"a b","model_version":"3","outputs":[)"
                           R"({"name":"OUTPUT0","datatype":"FP32","shape":[1,1]}]})");
  EXPECT_EQ(object.data()[8], 4.5F);

  // With shared memory allowed, clients may clean up what CUDA regions there might be.
  EXPECT_EQ(call("GET", "/v2/cudasharedmemory/status").body, "[]");
  EXPECT_EQ(call("GET", "/v2/cudasharedmemory/region/r/status").status, 404);
  EXPECT_EQ(call("POST", "/v2/cudasharedmemory/unregister").status, 200);
  EXPECT_EQ(call("POST", "/v2/cudasharedmemory/region/r/register", "{}").status, 501);
  EXPECT_EQ(call("GET", base + "/region/q/status").status, 404);
  EXPECT_EQ(call("POST", base + "/unregister").status, 200);
  EXPECT_EQ(call("GET", base + "/status").body, "[]");
  service_.set_shared_memory(nullptr);
}

TEST_F(OipHandlerTest, Classifies) {
  const auto response =
      call("POST", "/v2/models/a%20b/infer",
           R"({"inputs":[{"name":"INPUT0","shape":[1,3],"datatype":"FP32","data":[1,3,2]}],)"
           R"("outputs":[{"name":"OUTPUT0","parameters":{"classification":2}}]})");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_THAT(response.body,
              AllOf(HasSubstr(R"("datatype":"BYTES")"), HasSubstr(R"("3.000000:1","2.000000:2")")));
}

// Knows one caller and restricts one API.
class OneCaller : public service::AccessControl {
 public:
  base::Result<service::Caller> admit(service::Transport, service::Api api,
                                      const service::Credentials& credentials) const override {
    if (api == service::Api::kLogging && credentials.header("x-admin") == nullptr) {
      return absl::PermissionDeniedError("This API is restricted, expecting header 'x-admin'");
    }
    if (credentials.authorization == "Bearer t" || credentials.api_key == "k") {
      return service::Caller{"somebody", nullptr};
    }
    return absl::UnauthenticatedError("no credentials");
  }
};

TEST_F(OipHandlerTest, AsksWhoIsCallingOnEveryRoute) {
  const OneCaller access;
  service_.set_access_control(&access);
  const auto refused = call("GET", "/v2");
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.headers, testing::Contains(testing::Pair("WWW-Authenticate", "Bearer")));
  EXPECT_EQ(call("GET", "/v2/health/live").status, 401);
  EXPECT_EQ(call("GET", "/openapi.json").status, 401);
  EXPECT_EQ(call("POST", "/v2/models/a%20b/infer", kJson).status, 401);
  EXPECT_EQ(call("GET", "/nowhere").status, 404);
  EXPECT_EQ(call("GET", "/v2", "", {{"authorization", "Bearer t"}}).status, 200);
  EXPECT_EQ(call("POST", "/v2/models/a%20b/infer", kJson, {{"x-api-key", "k"}}).status, 200);
  const auto restricted = call("GET", "/v2/logging", "", {{"x-api-key", "k"}});
  EXPECT_EQ(restricted.status, 403);
  EXPECT_EQ(restricted.body, R"({"error":"This API is restricted, expecting header 'x-admin'"})");
  service_.set_access_control(nullptr);
}

TEST_F(OipHandlerTest, OpenApiNamesEveryPathOnceAndEverySchemaItUses) {
  const std::string document = call("GET", "/openapi.json").body;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  ASSERT_EQ(parser.parse(document).get(root), simdjson::SUCCESS) << document;
  for (const char* path : {"/v2/models/{model}/versions/{version}/infer", "/v2/models/stats",
                           "/v2/repository/{repository}/index", "/v2/logging"}) {
    simdjson::dom::element item;
    EXPECT_EQ(root["paths"][path].get(item), simdjson::SUCCESS) << path;
  }
  size_t references = 0;
  constexpr std::string_view kReference = "{\"$ref\":\"#";
  std::string compact = simdjson::minify(root);
  for (size_t at = compact.find(kReference); at != std::string::npos;
       at = compact.find(kReference, at + 1)) {
    const size_t from = at + kReference.size();
    const std::string pointer = compact.substr(from, compact.find('"', from) - from);
    simdjson::dom::element found;
    EXPECT_EQ(root.at_pointer(pointer).get(found), simdjson::SUCCESS) << pointer;
    ++references;
  }
  EXPECT_GT(references, 100u);
}

base::Status forward_one(const http::HttpRequest& request, tensor::Parameters& parameters) {
  const std::string* const value = request.header("x-wait");
  if (value != nullptr && value->empty()) return absl::InvalidArgumentError("x-wait is empty");
  if (value != nullptr) parameters["timeout"] = *value;
  return {};
}

class ForwardingTest : public testing_support::RestServer {
 protected:
  ForwardingTest() : RestServer({{}, &forward_one}) {}
};

TEST_F(ForwardingTest, HeadersBecomeParameters) {
  const char* const path = "/v2/models/a%20b/infer";
  EXPECT_EQ(call("POST", path, kJson).status, 200);
  // Seen through the check of a parameter that has a meaning.
  const auto seen = call("POST", path, kJson, {{"x-wait", "soon"}});
  EXPECT_EQ(seen.status, 400);
  EXPECT_THAT(seen.body, HasSubstr("'timeout'"));
  for (const char* target : {path, "/v2/models/a%20b/generate"}) {
    const auto refused = call("POST", target, kJson, {{"x-wait", ""}});
    EXPECT_EQ(refused.status, 400);
  }
  EXPECT_THAT(call("POST", path, kJson, {{"x-wait", ""}}).body, HasSubstr("x-wait is empty"));
}

TEST(ForwardHeaders, AreThoseOfTheOperatorsPattern) {
  EXPECT_FALSE(forward_headers({}));
  const auto chosen = service::HeaderForward::compile("X-(A|timeout).*|timeout", "--pattern");
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  const ForwardHeaders forward = forward_headers(*chosen);
  const http::HttpRequest request = testing_support::http_request(
      {.method = "", .target = "", .headers = {{"x-a", "1"}, {"x-b", "2"}, {"x-ab", "3"}}});
  tensor::Parameters parameters;
  ASSERT_TRUE(forward(request, parameters).ok());
  EXPECT_THAT(parameters,
              testing::ElementsAre(testing::Pair("x-a", tensor::Parameter(std::string("1"))),
                                   testing::Pair("x-ab", tensor::Parameter(std::string("3")))));
  const http::HttpRequest reserved =
      testing_support::http_request({.method = "", .target = "", .headers = {{"timeout", "1"}}});
  EXPECT_FALSE(forward(reserved, parameters).ok());
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
