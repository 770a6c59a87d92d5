#include "protocol/metrics/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>

#include "protocol/metrics/cache_metrics.h"
#include "protocol/metrics/latency_window.h"
#include "protocol/metrics/model_metrics.h"
#include "protocol/metrics/worker_metrics.h"

namespace supernova::protocol::metrics {
namespace {

TEST(Exposition, WritesTheTextFormat) {
  Exposition out;
  out.family("a_total", MetricType::kCounter, "What a is");
  out.sample({}, uint64_t{18446744073709551615U});
  out.sample({{"x", "1"}, {"y", "a\\b\"c\nd"}}, 0.25);
  out.family("b", MetricType::kSummary, "B");
  out.part("", {}, {"quantile", "0.5"}, std::numeric_limits<double>::quiet_NaN());
  out.part("_sum", {{"x", "1"}}, {}, std::numeric_limits<double>::infinity());
  EXPECT_EQ(out.take(),
            "# HELP a_total What a is\n# TYPE a_total counter\na_total 18446744073709551615\n"
            "a_total{x=\"1\",y=\"a\\\\b\\\"c\\nd\"} 0.25\n"
            "# HELP b B\n# TYPE b summary\nb{quantile=\"0.5\"} NaN\nb_sum{x=\"1\"} +Inf\n");
}

TEST(WorkerMetrics, SayWhatTheWorkersDo) {
  using testing::AllOf;
  using testing::HasSubstr;
  using testing::Not;
  const auto worker = std::make_shared<engine::worker::WorkerRecord>("vendor@cpu");
  worker->set_state(engine::worker::WorkerState::kReady);
  worker->set_pid(::getpid());
  worker->count_restart();
  worker->count_end(engine::worker::EndCause::kOutOfMemory);
  worker->count_retried_run();
  Exposition out;
  write_worker_metrics({worker}, out);
  EXPECT_THAT(
      out.take(),
      AllOf(HasSubstr("supernova_worker_state{worker=\"vendor@cpu\",state=\"ready\"} 1\n"),
            HasSubstr("supernova_worker_state{worker=\"vendor@cpu\",state=\"waiting\"} 0\n"),
            HasSubstr("supernova_worker_restarts_total{worker=\"vendor@cpu\"} 1\n"),
            HasSubstr("ends_total{worker=\"vendor@cpu\",cause=\"out_of_memory\"} 1\n"),
            HasSubstr("ends_total{worker=\"vendor@cpu\",cause=\"crashed\"} 0\n"),
            HasSubstr("supernova_worker_retried_runs_total{worker=\"vendor@cpu\"} 1\n"),
            HasSubstr("memory_bytes{worker=\"vendor@cpu\",role=\"active\"} "),
            Not(HasSubstr("role=\"active\"} 0\n")), Not(HasSubstr("spare"))));
  Exposition none;
  write_worker_metrics({}, none);
  EXPECT_EQ(none.take(), "");
}

TEST(Exposition, LabelNamesAreMadeLegal) {
  EXPECT_EQ(label_name("team"), "team");
  EXPECT_EQ(label_name("my.team-2"), "my_team_2");
  EXPECT_EQ(label_name("2nd"), "_nd");
  EXPECT_EQ(label_name(""), "_");
}

TEST(ModelLabels, TagsDoNotHideLabels) {
  const Labels labels =
      model_labels("m", 2, {{"a-b", "1"}, {"a.b", "2"}, {"model", "3"}, {"__x", "4"}});
  EXPECT_EQ(labels, (Labels{{"model", "m"},
                            {"version", "2"},
                            {"tag___x", "4"},
                            {"a_b", "1"},
                            {"tag_a_b", "2"},
                            {"tag_model", "3"}}));
}

TEST(CacheMetrics, AreThoseOfTheWholeCache) {
  schedule::ResponseCache::Figures figures;
  figures.hits = 3;
  figures.misses = 4;
  figures.evictions = 5;
  figures.entries = 6;
  figures.bytes = 256;
  figures.max_bytes = 1024;
  figures.lookups = std::chrono::microseconds(8);
  figures.insertions = std::chrono::microseconds(9);
  Exposition out;
  write_cache_metrics(figures, out);
  const std::string text = out.take();
  for (const char* line :
       {"nv_cache_num_lookups 7", "nv_cache_num_hits 3", "nv_cache_num_misses 4",
        "nv_cache_num_evictions 5", "nv_cache_num_entries 6", "nv_cache_lookup_duration 8",
        "nv_cache_insertion_duration 9", "nv_cache_util 0.25", "supernova_cache_bytes 256",
        "supernova_cache_max_bytes 1024"}) {
    EXPECT_NE(text.find("\n" + std::string(line) + "\n"), std::string::npos) << line;
  }
}

class LatencyWindowTest : public testing::Test {
 protected:
  // A scrape at `second`, when `count` requests of `ns` each came in since the scrape before.
  uint64_t scrape(int second, int count, uint64_t ns = 1000) {
    for (int i = 0; i < count; ++i) total_.request.add(ns);
    last_ = window_.recent("m", total_, at(second));
    return last_.request.count();
  }
  static LatencyWindow::Point at(int second) {
    return LatencyWindow::Point(std::chrono::seconds(second));
  }
  LatencyWindow window_;
  model::Latencies total_;
  model::Latencies last_;
};

TEST_F(LatencyWindowTest, ForgetsWhatIsOlderThanAMinuteOrSo) {
  EXPECT_EQ(scrape(1000, 5), 5U);
  EXPECT_EQ(scrape(1010, 7, 1'000'000), 7U);
  EXPECT_NEAR(last_.request.quantile(0), 1'000'000, 16'000);
  EXPECT_EQ(scrape(1040, 1), 8U);
  EXPECT_EQ(scrape(1065, 1), 9U);
  // The scrape at 1040 is now old enough to count from.
  EXPECT_EQ(scrape(1100, 2), 3U);
  EXPECT_EQ(scrape(5000, 0), 0U);
}

TEST_F(LatencyWindowTest, StartsAnewWithACounterThatDoes) {
  scrape(1000, 50);
  total_ = {};
  EXPECT_EQ(scrape(1010, 3), 3U);
  window_.forget_before(at(1011));
  EXPECT_EQ(scrape(1020, 1), 4U);
}

}  // namespace
}  // namespace supernova::protocol::metrics
