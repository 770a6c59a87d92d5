// ModelStreamInfer through a real channel.
#include <gmock/gmock.h>

#include <thread>

#include "support/grpc_test_server.h"

namespace supernova::protocol::grpc {
namespace {

using ::grpc::StatusCode;
using inference::ModelStreamInferResponse;
using ::testing::HasSubstr;

class StreamTest : public ServerTest {
 protected:
  using Stream = ::grpc::ClientReaderWriter<inference::ModelInferRequest, ModelStreamInferResponse>;

  void open() { stream_ = stub_->ModelStreamInfer(&context_); }
  void write(const inference::ModelInferRequest& request) { ASSERT_TRUE(stream_->Write(request)); }
  ModelStreamInferResponse read() {
    ModelStreamInferResponse response;
    EXPECT_TRUE(stream_->Read(&response));
    return response;
  }
  std::string read_id() { return read().infer_response().id(); }
  // No more answers, and how the stream ended.
  ::grpc::Status finish() {
    ModelStreamInferResponse response;
    EXPECT_FALSE(stream_->Read(&response)) << response.ShortDebugString();
    return stream_->Finish();
  }

  ::grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(StreamTest, AnswersEachRequest) {
  open();
  write(add_sub_request(3, "one"));
  const ModelStreamInferResponse response = read();
  EXPECT_EQ(response.error_message(), "");
  EXPECT_EQ(response.infer_response().id(), "one");
  EXPECT_EQ(response.infer_response().model_name(), "add_sub");
  EXPECT_TRUE(response.infer_response().parameters().at("triton_final_response").bool_param());
  ASSERT_EQ(response.infer_response().raw_output_contents_size(), 2);
  EXPECT_EQ(response.infer_response().raw_output_contents(0).size(), 12u);
  // A model with one response has no empty one after it, also when the client asks for it.
  auto request = add_sub_request(1, "two");
  (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
  write(request);
  EXPECT_EQ(read_id(), "two");
  stream_->WritesDone();
  EXPECT_TRUE(finish().ok());
}

TEST_F(StreamTest, AnswersKeepTheOrderOfTheRequests) {
  open();
  write(held_request("slow"));
  write(add_sub_request(1, "quick"));
  write(add_sub_request(1, "quick too"));
  held_model().wait_for_runs(1);
  // The quick ones are answered while the slow one runs: others aren't held up by the stream.
  EXPECT_TRUE(infer(add_sub_request(1)).ok());
  held_model().let_go();
  EXPECT_EQ(read_id(), "slow");
  EXPECT_EQ(read_id(), "quick");
  EXPECT_EQ(read_id(), "quick too");
}

TEST_F(StreamTest, AnErrorIsAnAnswerAndTheStreamGoesOn) {
  open();
  auto wrong = add_sub_request(3, "wrong");
  wrong.mutable_raw_input_contents(0)->resize(11);
  write(wrong);
  write(add_sub_request(3, "right"));
  auto unreadable = add_sub_request(3, "unreadable");
  unreadable.mutable_inputs(0)->set_datatype("FP33");
  write(unreadable);

  ModelStreamInferResponse response = read();
  EXPECT_THAT(response.error_message(), HasSubstr("Expected 12, got 11"));
  EXPECT_EQ(response.infer_response().id(), "wrong");
  EXPECT_EQ(response.infer_response().outputs_size(), 0);
  EXPECT_TRUE(response.infer_response().parameters().at("triton_final_response").bool_param());
  response = read();
  EXPECT_EQ(response.error_message(), "");
  EXPECT_EQ(response.infer_response().id(), "right");
  response = read();
  EXPECT_THAT(response.error_message(), HasSubstr("unknown datatype 'FP33'"));
  EXPECT_EQ(response.infer_response().id(), "unreadable");
  stream_->WritesDone();
  EXPECT_TRUE(finish().ok());
}

TEST_F(StreamTest, AnErrorEndsTheStreamOfAClientThatWantsAStatus) {
  context_.AddMetadata("triton_grpc_error", "true");
  open();
  write(add_sub_request(1, "right"));
  auto wrong = add_sub_request(1);
  wrong.set_model_name("nobody");
  write(wrong);
  EXPECT_EQ(read_id(), "right");
  const ::grpc::Status status = finish();
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("unknown model: 'nobody'"));
}

TEST_F(StreamTest, HalfCloseDrains) {
  open();
  for (int i = 0; i < 20; ++i) write(held_request(std::to_string(i)));
  stream_->WritesDone();
  held_model().let_go();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(read_id(), std::to_string(i));
  EXPECT_TRUE(finish().ok());
}

TEST_F(StreamTest, NotMoreRequestsAtATimeThanTheBound) {
  options_.max_stream_requests = 2;
  std::atomic<int> taken{0};
  options_.forward_header = [&](std::string_view key, std::string_view, tensor::Parameters&) {
    if (key == "count") ++taken;
    return base::Status();
  };
  restart();
  context_.AddMetadata("count", "me");
  open();
  for (int i = 0; i < 50; ++i) write(held_request(std::to_string(i)));
  held_model().wait_for_runs(1);
  EXPECT_LE(taken, 2);
  held_model().let_go();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(read_id(), std::to_string(i));
}

TEST_F(StreamTest, CancellingCancelsWhatIsQueued) {
  open();
  for (int i = 0; i < 6; ++i) write(held_request());
  held_model().wait_for_runs(1);
  context_.TryCancel();
  EXPECT_EQ(finish().error_code(), StatusCode::CANCELLED);
  // Returns when the server has taken leave of the stream.
  server_->drain(std::chrono::steady_clock::now() + std::chrono::seconds(20));
  held_model().let_go();
  models_.drain();
  EXPECT_EQ(held_model().runs, 1);
}

TEST_F(StreamTest, CancellingEndsWhatRuns) {
  held_model().can_cancel = true;
  open();
  write(held_request());
  held_model().wait_for_runs(1);
  context_.TryCancel();
  EXPECT_EQ(finish().error_code(), StatusCode::CANCELLED);
  models_.drain();  // waits for the run, which nobody lets go
  EXPECT_EQ(held_model().runs, 1);
}

TEST_F(StreamTest, DrainingEndsAnOpenStreamAfterItsAnswers) {
  open();
  write(held_request("owed"));
  held_model().wait_for_runs(1);
  std::thread drain(
      [&] { server_->drain(std::chrono::steady_clock::now() + std::chrono::seconds(60)); });
  held_model().let_go();
  EXPECT_EQ(read_id(), "owed");
  const ::grpc::Status status = finish();
  drain.join();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("shutting down"));
}

TEST_F(StreamTest, StrangersAreRefused) {
  access_.needs_key = true;
  open();
  EXPECT_EQ(finish().error_code(), StatusCode::UNAUTHENTICATED);
}

TEST_F(StreamTest, ManyStreamsAtATime) {
  constexpr int kStreams = 8;
  constexpr int kRequests = 200;
  std::vector<std::thread> clients;
  std::atomic<int> answers{0};
  for (int client = 0; client < kStreams; ++client) {
    clients.emplace_back([&] {
      ::grpc::ClientContext context;
      const auto stream = stub_->ModelStreamInfer(&context);
      std::thread writer([&] {
        for (int i = 0; i < kRequests; ++i) {
          stream->Write(add_sub_request(4, std::to_string(i)));
        }
        stream->WritesDone();
      });
      ModelStreamInferResponse response;
      for (int i = 0; stream->Read(&response); ++i) {
        if (response.infer_response().id() == std::to_string(i)) ++answers;
      }
      writer.join();
      EXPECT_TRUE(stream->Finish().ok());
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answers, kStreams * kRequests);
}

}  // namespace
}  // namespace supernova::protocol::grpc
