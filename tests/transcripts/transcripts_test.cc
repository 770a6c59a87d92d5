// Plays every *.transcript file of this folder against the server program.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "compare.h"
#include "grpc_call.h"
#include "program.h"

namespace supernova::transcripts {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(SUPERNOVA_TRANSCRIPTS)) {
    if (entry.path().extension() == ".transcript") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string play_rest(const std::string& address, const Exchange& exchange) {
  const auto reply = call_rest(address, exchange.request);
  if (!reply.ok()) return std::string(base::message(reply.status()));
  std::string difference = compare_rest(exchange.reply, *reply);
  if (difference.empty()) return "";
  return base::str_cat(difference, "\nthe reply's body: ", reply->body.substr(0, 2000));
}

class TranscriptTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              ("supernova-transcripts-" + std::to_string(::getpid()) + "-" + GetParam());
    write_repository(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_P(TranscriptTest, IsAnsweredAsWritten) {
  const char* const binary = std::getenv("SUPERNOVA_BINARY");
  ASSERT_NE(binary, nullptr) << "SUPERNOVA_BINARY names the server program";
  const std::string path = base::str_cat(SUPERNOVA_TRANSCRIPTS, "/", GetParam(), ".transcript");
  std::ifstream file(path, std::ios::binary);
  const auto transcript = parse_transcript(std::string(std::istreambuf_iterator<char>(file), {}));
  ASSERT_TRUE(transcript.ok()) << path << ": " << transcript.status();
  const auto program = Program::start(binary, folder_, transcript->server_arguments);
  ASSERT_TRUE(program.ok()) << base::message(program.status());
  const auto channel = grpc::CreateChannel((*program)->grpc(), grpc::InsecureChannelCredentials());
  for (const Exchange& exchange : transcript->exchanges) {
    const std::string difference = exchange.request.words[0] == "GRPC"
                                       ? play_grpc(channel, exchange)
                                       : play_rest((*program)->http(), exchange);
    if (difference.empty()) continue;
    ADD_FAILURE() << path << ":" << exchange.line << ": " << exchange.title << "\n" << difference;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TranscriptTest, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace supernova::transcripts
