// JSON of what the service says, where the handler's test does not reach it.
#include "protocol/oip/metadata.h"

#include <gtest/gtest.h>

namespace supernova::protocol::oip {
namespace {

TEST(Metadata, IndexEntriesLeaveOutWhatIsNotKnown) {
  EXPECT_EQ(repository_index_json({}), "[]");
  EXPECT_EQ(
      repository_index_json({{"never", "", "", ""}, {"m", "1", "UNAVAILABLE", "said \"no\""}}),
      R"([{"name":"never"},)"
      R"({"name":"m","version":"1","state":"UNAVAILABLE","reason":"said \"no\""}])");
}

TEST(Metadata, SharedMemorySizesHave64Bits) {
  EXPECT_EQ(shared_memory_json({{"r", "/k", 0, UINT64_MAX}}),
            R"([{"name":"r","key":"/k","offset":0,"byte_size":18446744073709551615}])");
}

TEST(Metadata, SettingsInTheWordsOfTheirClients) {
  EXPECT_EQ(trace_settings_json({{"TIMESTAMPS"}, "1000", "-1", "0", "", "triton"}),
            R"({"trace_level":["TIMESTAMPS"],"trace_rate":"1000","trace_count":"-1",)"
            R"("log_frequency":"0","trace_file":"","trace_mode":"triton"})");
  EXPECT_EQ(log_settings_json({{"log_info", true},
                               {"log_verbose_level", int64_t{0}},
                               {"log_format", std::string("default")}}),
            R"({"log_format":"default","log_info":true,"log_verbose_level":0})");
}

TEST(Metadata, StatisticsOfBatches) {
  service::ModelStatistics model{"m", "1", {}};
  model.statistics.batches.push_back({4, {1, 10}, {1, 20}, {1, 30}});
  const std::string json = statistics_json({model});
  EXPECT_NE(json.find(R"("batch_stats":[{"batch_size":4,"compute_input":{"count":1,"ns":10},)"
                      R"("compute_infer":{"count":1,"ns":20},)"
                      R"("compute_output":{"count":1,"ns":30}}])"),
            std::string::npos)
      << json;
}

}  // namespace
}  // namespace supernova::protocol::oip
