#include "telemetry/trace_context.h"

#include <gtest/gtest.h>

#include "telemetry/exporters.h"

namespace supernova::telemetry {
namespace {

const std::string kHeader = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceParent, IsReadAndWritten) {
  const auto context = parse_traceparent(kHeader);
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->trace_id[0], 0x0a);
  EXPECT_EQ(context->trace_id[15], 0x9c);
  EXPECT_EQ(context->span_id[7], 0x31);
  EXPECT_TRUE(context->sampled());
  EXPECT_EQ(format_traceparent(*context), kHeader);
  std::string unsampled = kHeader;
  unsampled.back() = '0';
  EXPECT_FALSE(parse_traceparent(unsampled)->sampled());
}

TEST(TraceParent, InvalidOnesAreNone) {
  std::vector<std::string> wrong{
      "",
      "00",
      kHeader.substr(0, 54),
      kHeader + "0",
      kHeader + "-more",
      "ff" + kHeader.substr(2),
      "0g" + kHeader.substr(2),
      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
      "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
  };
  for (const size_t dash : {2U, 35U, 52U}) {
    wrong.push_back(kHeader);
    wrong.back()[dash] = '_';
  }
  for (const std::string& header : wrong) {
    EXPECT_FALSE(parse_traceparent(header).has_value()) << header;
  }
}

TEST(TraceParent, NewerVersionsAreReadAsFarAsKnown) {
  const std::string newer = "cc" + kHeader.substr(2);
  EXPECT_EQ(parse_traceparent(newer), parse_traceparent(kHeader));
  EXPECT_EQ(parse_traceparent(newer + "-what-the-future-holds"), parse_traceparent(kHeader));
  EXPECT_FALSE(parse_traceparent(newer + ".").has_value());
  std::string flags = newer;
  flags.replace(53, 2, "ff");
  EXPECT_EQ(format_traceparent(*parse_traceparent(flags)), kHeader);
}

TEST(TraceParent, AChildKeepsTheTraceAndItsFlags) {
  const auto parent = *parse_traceparent(kHeader);
  const TraceContext child = child_of(parent);
  EXPECT_EQ(child.trace_id, parent.trace_id);
  EXPECT_EQ(child.flags, parent.flags);
  EXPECT_NE(child.span_id, parent.span_id);
  EXPECT_NE(child_of(parent).span_id, child.span_id);
  EXPECT_NE(new_trace().trace_id, new_trace().trace_id);
  EXPECT_TRUE(parse_traceparent(format_traceparent(new_trace())).has_value());
}

TEST(Exporters, AMissingOneIsNamed) {
  const auto sink = open_exporter("none", {});
  EXPECT_EQ(sink.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(base::message(sink.status()).find("'none'"), std::string_view::npos);
}

}  // namespace
}  // namespace supernova::telemetry
