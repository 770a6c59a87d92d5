// A scrape of a real service with a made-up engine, read back as a scraper does.
#include "protocol/metrics/metrics_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "support/fake_engine.h"
#include "support/fake_manager.h"
#include "support/http_request.h"

namespace supernova::protocol::metrics {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const sn_model_info* model_info(sn_model*) {
  static const int64_t any[] = {-1};
  static const sn_tensor_info input = {sizeof(sn_tensor_info), "x", SN_FP32, 1, any, nullptr, 0, 0};
  static const sn_tensor_info output = {
      sizeof(sn_tensor_info), "y", SN_FP32, 1, any, nullptr, 0, 0};
  static const sn_signature signature = {sizeof(signature), "", &input, 1, &output, 1};
  static const sn_model_info info = {sizeof(info), &signature, 1};
  return &info;
}

// Fails for empty inputs.
int32_t run(sn_instance*, const sn_run* run, sn_error* error) {
  if (run->inputs[0].dims[0] == 0) {
    std::strcpy(error->message, "nothing to do");
    return SN_INTERNAL;
  }
  sn_tensor output = run->inputs[0];
  output.name = "y";
  const sn_response response = {sizeof(response), &output, 1, nullptr, 1};
  run->on_response(run->ctx, &response);
  return SN_OK;
}

const sn_engine_api* entry(uint32_t) {
  static const sn_engine_api api = testing_support::fake_engine_table(&model_info, &run);
  return &api;
}

class MetricsHandlerTest : public testing::Test {
 protected:
  MetricsHandlerTest() : service_(models_), handler_(service_) { service_.set_ready(true); }

  void load(const std::string& name, const std::string& engine = "fake") {
    EXPECT_EQ(fake_.load(name, 3, engine).ok(), engine == "fake");
  }

  bool infer(const std::string& model, int64_t count, const std::string& input = "x") {
    tensor::Request request;
    request.model_name = model;
    request.inputs.push_back(
        {input,
         tensor::DataType::kFp32,
         {count},
         tensor::Buffer::allocate(static_cast<size_t>(count) * sizeof(float))});
    std::promise<bool> ok;
    service_.infer({}, std::move(request), [&](const auto& result) { ok.set_value(result.ok()); });
    return ok.get_future().get();
  }

  http::HttpResponse call(std::string target, std::string method = "GET") {
    http::HttpRequest request = testing_support::http_request(
        {.method = std::move(method), .target = std::move(target), .headers = {}});
    std::promise<http::HttpResponse> promise;
    handler_.handle(std::move(request),
                    [&](http::HttpResponse response) { promise.set_value(std::move(response)); });
    return promise.get_future().get();
  }

  // Series by their text; every line is checked on the way.
  std::map<std::string, double> scrape() {
    static const std::regex line_form(
        R"re(([a-z_][a-z0-9_]*)(\{([a-z_]+="([^"\\]|\\["\\n])*",?)*\})? (\S+))re");
    std::map<std::string, double> series;
    std::set<std::string> families;
    std::string family;
    std::istringstream text(call("/metrics").body);
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("# TYPE ")) {
        family = line.substr(7, line.find(' ', 7) - 7);
        EXPECT_TRUE(families.insert(family).second) << family << " comes twice";
      }
      if (line.starts_with('#')) continue;
      std::smatch parts;
      if (!std::regex_match(line, parts, line_form)) {
        ADD_FAILURE() << "not of the text format: " << line;
        continue;
      }
      EXPECT_THAT(parts[1].str(), StartsWith(family)) << line;
      const auto [at, is_new] =
          series.emplace(parts[1].str() + parts[2].str(), std::stod(parts[5].str()));
      EXPECT_TRUE(is_new) << "comes twice: " << line;
    }
    return series;
  }

  testing_support::FakeManager fake_{&entry};
  model::ModelManager& models_ = fake_.models();
  service::Service service_;
  MetricsHandler handler_;
};

TEST_F(MetricsHandlerTest, AnswersAsTritonsPortDoes) {
  const auto response = call("/metrics/?x=y");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(response.body, HasSubstr("# TYPE nv_inference_request_success counter\n"));
  EXPECT_EQ(call("/metrics", "HEAD").status, 200);
  for (const char* other : {"/", "/metricsx", "/v2"}) {
    EXPECT_EQ(call(other).status, 200) << other;
    EXPECT_EQ(call(other).body, "") << other;
  }
  EXPECT_EQ(call("/metrics", "POST").status, 405);
}

TEST_F(MetricsHandlerTest, CountsWhatHappens) {
  load("m");
  EXPECT_TRUE(infer("m", 4));
  EXPECT_TRUE(infer("m", 2));
  EXPECT_FALSE(infer("m", 0));
  EXPECT_FALSE(infer("m", 1, "wrong"));
  auto series = scrape();
  const std::string labels = R"({model="m",version="3"})";
  EXPECT_EQ(series.at("nv_inference_request_success" + labels), 2);
  EXPECT_EQ(series.at("nv_inference_count" + labels), 2);
  EXPECT_EQ(series.at("nv_inference_exec_count" + labels), 2);
  const auto failures = [&](const std::string& reason) {
    return series.at("nv_inference_request_failure{model=\"m\",version=\"3\",reason=\"" + reason +
                     "\"}");
  };
  EXPECT_EQ(failures("BACKEND"), 1);
  EXPECT_EQ(failures("OTHER"), 1);
  EXPECT_EQ(failures("REJECTED"), 0);
  EXPECT_EQ(failures("CANCELED"), 0);
  EXPECT_EQ(series.at("nv_inference_pending_request_count" + labels), 0);
  EXPECT_EQ(series.at("supernova_model_fallback_nodes" + labels), 0);
  EXPECT_EQ(series.at("supernova_model_moved_requests_total" + labels), 0);
  const auto instances = [&](const std::string& state) {
    return series.at("supernova_model_instances{model=\"m\",version=\"3\",device=\"cpu\",state=\"" +
                     state + "\"}");
  };
  EXPECT_EQ(instances("ready"), 1);
  EXPECT_EQ(instances("lost"), 0);
  EXPECT_EQ(series.at("nv_inference_request_summary_us_count" + labels), 2);
  EXPECT_GT(series.at("nv_inference_request_summary_us_sum" + labels), 0);
  EXPECT_GT(series.at(R"(nv_inference_queue_summary_us{model="m",version="3",quantile="0.5"})"), 0);
  EXPECT_EQ(
      series.at(R"(supernova_request_duration_seconds_bucket{model="m",version="3",le="+Inf"})"),
      2);
  EXPECT_EQ(series.at("supernova_model_versions{state=\"ready\"}"), 1);
  EXPECT_EQ(series.at("supernova_ready"), 1);
  EXPECT_GT(series.at("process_resident_memory_bytes"), 0);
  EXPECT_GT(series.at("nv_cpu_memory_total_bytes"), series.at("nv_cpu_memory_used_bytes"));
  EXPECT_LE(series.at("nv_cpu_utilization"), 1);

  EXPECT_TRUE(infer("m", 1));
  EXPECT_EQ(scrape().at("nv_inference_request_success" + labels), 3);
}

TEST_F(MetricsHandlerTest, BucketsAddUp) {
  load("m");
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(infer("m", 1));
  double last = 0;
  double last_limit = 0;
  int buckets = 0;
  std::istringstream text(call("/metrics").body);
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with("supernova_request_duration_seconds_bucket")) continue;
    const size_t at = line.find("le=\"") + 4;
    const double limit = std::stod(line.substr(at));  // reads "+Inf" too
    const double count = std::stod(line.substr(line.find("} ") + 2));
    EXPECT_GT(limit, last_limit);
    EXPECT_GE(count, last);
    last = count;
    last_limit = limit;
    ++buckets;
  }
  EXPECT_GT(buckets, 20);
  EXPECT_EQ(last, 20);
}

TEST_F(MetricsHandlerTest, LoadFactsAreThoseOfTheLastLoad) {
  load("m");
  load("broken", "none");
  const std::string memory = R"(supernova_model_memory_bytes{model="m",version="3"})";
  auto version = *models_.find("m", "");
  version->statistics().record_load({1'500'000'000, 12345});
  auto series = scrape();
  EXPECT_EQ(series.at(memory), 12345);
  EXPECT_EQ(series.at(R"(nv_model_load_duration_secs{model="m",version="3"})"), 1.5);
  EXPECT_EQ(series.at("supernova_model_versions{state=\"failed\"}"), 1);
  EXPECT_EQ(series.at(R"(nv_inference_request_success{model="broken",version="3"})"), 0);
}

TEST_F(MetricsHandlerTest, NamesFromOutsideCannotForgeLines) {
  load("a\"} 1\nb\\");
  EXPECT_EQ(scrape().at(R"(nv_inference_count{model="a\"} 1\nb\\",version="3"})"), 0);
}

TEST_F(MetricsHandlerTest, PartsAddTheirOwn) {
  handler_.add_collector([](Exposition& out) {
    out.family("supernova_http_connections", MetricType::kGauge, "Open connections");
    out.sample({}, uint64_t{7});
  });
  EXPECT_EQ(scrape().at("supernova_http_connections"), 7);
}

TEST_F(MetricsHandlerTest, TracesGoThroughTheServiceAndAreCounted) {
  load("m");
  EXPECT_EQ(service_.trace_settings({}, "").status().code(), absl::StatusCode::kUnavailable);
  const std::string file = testing::TempDir() + "metrics_trace_" + std::to_string(getpid());
  auto tracer = service::Tracer::create(
      *service::parse_trace_config({"triton,file=" + file, "level=TIMESTAMPS", "rate=1"}), nullptr);
  ASSERT_TRUE(tracer.ok());
  service_.set_tracer(tracer->get());
  EXPECT_TRUE(infer("m", 1));
  EXPECT_FALSE(infer("none", 1));
  (*tracer)->flush();
  auto series = scrape();
  EXPECT_EQ(series.at("supernova_traces_written_total"), 2);
  EXPECT_EQ(series.at("supernova_traces_dropped_total"), 0);
  std::ifstream stream(file);
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  size_t at = 0;
  for (const char* name : {"REQUEST_START", "QUEUE_START", "COMPUTE_START", "COMPUTE_INPUT_END",
                           "COMPUTE_OUTPUT_START", "COMPUTE_END", "REQUEST_END"}) {
    at = text.find(name, at);
    EXPECT_NE(at, std::string::npos) << name << " in " << text;
  }
  std::filesystem::remove(file);

  const auto unknown = service_.trace_settings({}, "none");
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::message(unknown.status()), "Request for unknown model : none");
  service::TraceUpdate update;
  update.rate = "5";
  EXPECT_EQ(service_.update_trace_settings({}, "m", update)->rate, "5");
  EXPECT_EQ(service_.trace_settings({}, "")->rate, "1");
  service_.set_tracer(nullptr);
}

class Closed : public service::AccessControl {
 public:
  base::Result<service::Caller> admit(service::Transport, service::Api api,
                                      const service::Credentials& credentials) const override {
    EXPECT_EQ(api, service::Api::kMetrics);
    if (credentials.authorization == "Bearer right") return service::Caller{"scraper", nullptr};
    if (credentials.api_key == "known") return absl::PermissionDeniedError("not for you");
    return absl::UnauthenticatedError("who are you?");
  }
};

TEST_F(MetricsHandlerTest, AsksWhoIsThere) {
  const Closed closed;
  service_.set_access_control(&closed);
  const auto status = [&](std::string name, std::string value) {
    http::HttpRequest request = testing_support::http_request(
        {.method = "GET", .target = "/metrics", .headers = {{std::move(name), std::move(value)}}});
    int status = 0;
    handler_.handle(std::move(request), [&](const http::HttpResponse& r) { status = r.status; });
    return status;
  };
  EXPECT_EQ(status("authorization", "Bearer right"), 200);
  EXPECT_EQ(status("x-api-key", "known"), 403);
  EXPECT_EQ(status("accept", "*/*"), 401);
  service_.set_access_control(nullptr);
}

}  // namespace
}  // namespace supernova::protocol::metrics
