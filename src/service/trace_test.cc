#include "service/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "tensor/bytes.h"

namespace supernova::service {
namespace {

using std::chrono::microseconds;
using tensor::Buffer;
using tensor::DataType;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kSampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const std::string kUnsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

template <typename T>
tensor::Tensor make_tensor(std::string name, DataType type, const std::vector<T>& values) {
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()),
                               values.size() * sizeof(T));
  return {std::move(name), type, {1, static_cast<int64_t>(values.size())}, Buffer::copy_of(bytes)};
}

// What a sink was given; waits in write() while `gate` is held.
class KeepingSink : public telemetry::SpanSink {
 public:
  base::Status write(const std::vector<telemetry::Span>& spans) override {
    std::lock_guard lock(*gate);
    kept->insert(kept->end(), spans.begin(), spans.end());
    return fails ? absl::UnavailableError("away") : base::Status();
  }
  std::shared_ptr<std::vector<telemetry::Span>> kept =
      std::make_shared<std::vector<telemetry::Span>>();
  std::shared_ptr<std::mutex> gate = std::make_shared<std::mutex>();
  bool fails = false;
};

class TracerTest : public testing::Test {
 protected:
  TracerTest() : folder_(testing::TempDir() + "trace_" + std::to_string(getpid())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~TracerTest() override { std::filesystem::remove_all(folder_); }

  std::string file() const { return folder_ + "/trace.json"; }

  void start(const std::vector<std::string>& arguments,
             std::unique_ptr<telemetry::SpanSink> sink = nullptr) {
    auto config = parse_trace_config(arguments);
    ASSERT_TRUE(config.ok()) << config.status();
    auto made = Tracer::create(*config, std::move(sink));
    ASSERT_TRUE(made.ok()) << made.status();
    tracer_ = *std::move(made);
  }

  // A request and its answer, as the service sees them; the trace context on the way in between.
  std::string request(const std::string& context = "", bool fails = false) {
    tensor::Request request;
    request.model_name = "m";
    request.id = "r\"1";
    request.trace_context = context;
    request.inputs.push_back(make_tensor<float>("x", DataType::kFp32, {1.5F, -2}));
    const auto arrived = tensor::Timing::Point(microseconds(1'000'000));
    bool done = false;
    auto completion = tracer_->trace(request, arrived, [&](auto) { done = true; });
    if (fails) {
      completion(absl::InternalError("broken"));
    } else {
      tensor::Response response;
      response.model_version = "3";
      response.outputs.push_back(make_tensor<int8_t>("y", DataType::kInt8, {-7, 100}));
      auto& timing = response.timing;
      timing.queued = arrived + microseconds(1);
      timing.started = arrived + microseconds(2);
      timing.compute_start = arrived + microseconds(3);
      timing.compute_end = arrived + microseconds(4);
      timing.finished = arrived + microseconds(5);
      completion(std::move(response));
    }
    EXPECT_TRUE(done);
    return request.trace_context;
  }

  static std::string content(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  // Elements of a JSON array in a file; -1 when it isn't one.
  static int entries(const std::string& path) {
    simdjson::dom::parser parser;
    simdjson::dom::array array;
    if (parser.parse(content(path)).get(array) != simdjson::SUCCESS) return -1;
    return static_cast<int>(array.size());
  }

  std::string folder_;
  std::unique_ptr<Tracer> tracer_;
};

TEST_F(TracerTest, WritesWhatTritonsToolsRead) {
  start({"triton,file=" + file(), "level=TIMESTAMPS", "rate=1"});
  request();
  tracer_->flush();
  const std::string text = content(file());
  EXPECT_THAT(text, HasSubstr(R"([
{"id":1,"model_name":"m","model_version":3,"request_id":"r\"1","timestamps":[)"
                              R"({"name":"REQUEST_START","ns":1000000000},)"
                              R"({"name":"QUEUE_START","ns":1000001000},)"
                              R"({"name":"COMPUTE_START","ns":1000002000},)"
                              R"({"name":"COMPUTE_INPUT_END","ns":1000003000},)"
                              R"({"name":"COMPUTE_OUTPUT_START","ns":1000004000},)"
                              R"({"name":"COMPUTE_END","ns":1000005000},)"
                              R"({"name":"REQUEST_END","ns":)"));
  EXPECT_EQ(entries(file()), 1);
  request();
  tracer_->flush();
  EXPECT_EQ(entries(file()), 2);
  EXPECT_EQ(tracer_->written(), 2U);
}

TEST_F(TracerTest, TensorsComeWithTheirValues) {
  start({"triton,file=" + file(), "level=TENSORS", "rate=1"});
  request();
  tracer_->flush();
  const std::string text = content(file());
  EXPECT_EQ(entries(file()), 3);
  EXPECT_THAT(text, HasSubstr(R"({"id":1,"activity":"TENSOR_QUEUE_INPUT","tensor":)"
                              R"({"name":"x","data":"1.5,-2","shape":"1,2","dtype":"FP32"}})"));
  EXPECT_THAT(text, HasSubstr(R"("activity":"TENSOR_BACKEND_OUTPUT","tensor":)"
                              R"({"name":"y","data":"-7,100","shape":"1,2","dtype":"INT8"}})"));
  EXPECT_THAT(text, testing::Not(HasSubstr("timestamps")));
}

TEST_F(TracerTest, AFailedRequestIsTracedAsFarAsItGot) {
  start({"triton,file=" + file(), "level=TIMESTAMPS", "rate=1"});
  request("", true);
  tracer_->flush();
  EXPECT_THAT(content(file()),
              HasSubstr(R"("model_version":-1,"request_id":"r\"1","error":"broken")"
                        R"(,"timestamps":[{"name":"REQUEST_START",)"));
  EXPECT_EQ(entries(file()), 1);
}

TEST_F(TracerTest, LogFrequencyMakesNumberedFiles) {
  start({"triton,file=" + file(), "triton,log-frequency=2", "level=TIMESTAMPS", "rate=1"});
  for (int i = 0; i < 5; ++i) request();
  tracer_->flush();
  EXPECT_EQ(entries(file() + ".0"), 2);
  EXPECT_EQ(entries(file() + ".1"), 2);
  EXPECT_EQ(entries(file() + ".2"), 1);
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(TracerTest, TheLastOfCountFinishesTheFile) {
  start({"triton,file=" + file(), "level=TIMESTAMPS", "rate=1", "count=2"});
  for (int i = 0; i < 5; ++i) request();
  tracer_->flush();
  EXPECT_EQ(entries(file() + ".0"), 2);
  EXPECT_EQ(tracer_->settings("").count, "0");
  TraceUpdate more;
  more.count = "1";
  ASSERT_TRUE(tracer_->update("", more).ok());
  request();
  request();
  tracer_->flush();
  EXPECT_EQ(entries(file() + ".1"), 1);
}

TEST_F(TracerTest, OffUntilItIsTurnedOn) {
  start({"triton,file=" + file(), "rate=1"});
  EXPECT_EQ(request(kSampled), kSampled);  // passed on as it came
  TraceUpdate on;
  on.level = std::vector<std::string>{"TIMESTAMPS"};
  const auto settings = tracer_->update("m", on);
  ASSERT_TRUE(settings.ok());
  EXPECT_THAT(settings->level, ElementsAre("TIMESTAMPS"));
  request();
  tracer_->flush();
  EXPECT_EQ(entries(file()), 1);
}

TEST_F(TracerTest, TheFileIsNotForTheNetworkToChoose) {
  start({"triton,file=" + file(), "level=TIMESTAMPS"});
  TraceUpdate update;
  update.file = "/etc/passwd";
  EXPECT_EQ(tracer_->update("", update).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(tracer_->settings("").file, file());
}

TEST_F(TracerTest, AFileThatCannotBeWrittenIsCounted) {
  start({"triton,file=" + folder_ + "/none/trace.json", "level=TIMESTAMPS", "rate=1"});
  request();
  request();
  tracer_->flush();
  EXPECT_EQ(tracer_->dropped(), 2U);
  EXPECT_EQ(tracer_->written(), 0U);
}

TEST_F(TracerTest, ContextsThatAreNotValidAreIgnored) {
  start({"triton,file=" + file(), "level=TIMESTAMPS", "rate=1000"});
  EXPECT_EQ(request("00-xyz"), "");
  EXPECT_EQ(request(kSampled), kSampled);
}

TEST_F(TracerTest, SpansJoinTheCallersTrace) {
  auto sink = std::make_unique<KeepingSink>();
  const auto kept = sink->kept;
  start({"mode=opentelemetry", "level=TIMESTAMPS", "rate=0"}, std::move(sink));
  EXPECT_EQ(request(), "");                      // rate 0: nobody asked
  EXPECT_EQ(request(kUnsampled), kUnsampled);    // the caller does not want it
  const std::string onward = request(kSampled);  // regardless of the rate
  tracer_->flush();
  ASSERT_EQ(kept->size(), 3U);
  const auto caller = *telemetry::parse_traceparent(kSampled);
  const telemetry::Span& root = kept->front();
  EXPECT_EQ(root.name, "infer m");
  EXPECT_TRUE(root.server);
  EXPECT_EQ(telemetry::format_traceparent(root.context), onward);
  EXPECT_LT(std::chrono::abs(root.start - std::chrono::system_clock::time_point(
                                              microseconds(1'000'000) + wall_clock_offset())),
            std::chrono::seconds(1));
  for (const telemetry::Span& span : *kept) {
    EXPECT_EQ(span.context.trace_id, caller.trace_id);
    EXPECT_EQ(span.parent_id, &span == &root ? caller.span_id : root.context.span_id);
  }
  EXPECT_EQ((*kept)[1].name, "queue");
  EXPECT_EQ((*kept)[2].name, "compute");
  EXPECT_EQ((*kept)[2].duration, microseconds(3));
}

TEST_F(TracerTest, AFailedRequestIsAFailedSpan) {
  auto sink = std::make_unique<KeepingSink>();
  const auto kept = sink->kept;
  start({"mode=opentelemetry", "level=TIMESTAMPS", "rate=1"}, std::move(sink));
  request("", true);
  tracer_->flush();
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_EQ(kept->front().error, "broken");
  EXPECT_EQ(kept->front().parent_id, telemetry::SpanId{});
}

// A sink that stands still holds up no request: what doesn't fit is dropped and counted.
TEST_F(TracerTest, ASlowSinkLosesTracesNotRequests) {
  auto sink = std::make_unique<KeepingSink>();
  const auto gate = sink->gate;
  start({"mode=opentelemetry", "level=TIMESTAMPS", "rate=1"}, std::move(sink));
  {
    std::lock_guard closed(*gate);
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([this] {
        for (int n = 0; n < 2000; ++n) request();
      });
    }
    for (std::thread& client : clients) client.join();
    EXPECT_GT(tracer_->dropped(), 0U);
  }
  tracer_->flush();
  EXPECT_EQ(tracer_->written() + tracer_->dropped(), 8000U);
}

TEST_F(TracerTest, ASinkThatFailsIsCountedAndDoesNotHoldUpTheEnd) {
  auto sink = std::make_unique<KeepingSink>();
  sink->fails = true;
  start({"mode=opentelemetry", "level=TIMESTAMPS", "rate=1"}, std::move(sink));
  for (int i = 0; i < 10; ++i) request();
  tracer_->flush();
  EXPECT_EQ(tracer_->dropped(), 10U);
  tracer_.reset();
}

TEST(Tracer, NeedsTheSinkOfItsMode) {
  TraceConfig config;
  EXPECT_FALSE(Tracer::create(config, std::make_unique<KeepingSink>()).ok());
  config.settings.mode = "opentelemetry";
  EXPECT_FALSE(Tracer::create(config, nullptr).ok());
}

std::string shown(const tensor::Tensor& tensor) {
  TraceRecord record;
  record.choice.level = kTraceTensors;
  record.inputs.push_back(tensor);
  const std::string json = trace_json(record);
  const size_t at = json.find("\"data\":") + 7;
  return json.substr(at, json.find(",\"shape\"") - at);
}

TEST(TraceRecord, ShowsEveryType) {
  EXPECT_EQ(
      shown(make_tensor<uint16_t>("h", DataType::kFp16, {0x3c00, 0xc000, 0x0001, 0x7c00, 0x8000})),
      "\"1,-2,5.9604645e-08,inf,-0\"");
  EXPECT_EQ(shown(make_tensor<uint16_t>("b", DataType::kBf16, {0x3fc0})), "\"1.5\"");
  EXPECT_EQ(shown(make_tensor<uint8_t>("t", DataType::kBool, {1, 0})), "\"true,false\"");
  EXPECT_EQ(shown(make_tensor<uint64_t>("u", DataType::kUint64, {UINT64_MAX})),
            "\"18446744073709551615\"");
  const std::vector<std::string> strings{"a\"b", "\xff"};
  EXPECT_EQ(shown({"s", DataType::kBytes, {2}, tensor::pack_bytes(strings)}),
            "\"a\\\"b,\xEF\xBF\xBD\"");
}

TEST(TraceRecord, HugeTensorsAreCutOff) {
  const std::string text =
      shown(make_tensor<int32_t>("x", DataType::kInt32, std::vector<int32_t>(3'000'000, 12345)));
  EXPECT_LT(text.size(), (1U << 20) + 100);
  EXPECT_EQ(text.substr(text.size() - 4), "...\"");
}

}  // namespace
}  // namespace supernova::service
