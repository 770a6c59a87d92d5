#include "grpc_call.h"

#include <google/protobuf/text_format.h>
#include <grpcpp/generic/generic_stub.h>
#include <inference.grpc.pb.h>

#include <array>
#include <chrono>
#include <sstream>

#include "compare.h"

namespace supernova::transcripts {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;
using MessagePtr = std::unique_ptr<Message>;

constexpr std::array<std::string_view, 17> kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

MessagePtr new_message(const Descriptor* type) {
  return MessagePtr(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

base::Result<std::vector<MessagePtr>> parse_messages(const std::string& body,
                                                     const Descriptor* type) {
  std::vector<std::string> texts(1);
  std::istringstream in(body);
  for (std::string line; std::getline(in, line);) {
    if (line == "---") {
      texts.emplace_back();
    } else {
      texts.back() += line + "\n";
    }
  }
  std::vector<MessagePtr> messages;
  for (const std::string& text : texts) {
    MessagePtr message = new_message(type);
    if (!google::protobuf::TextFormat::ParseFromString(text, message.get())) {
      return absl::InvalidArgumentError(
          base::str_cat("no ", type->name(), " in text form: ", text));
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

// The calls of gRPC's generic client, one after the other: each is waited for.
class Call {
 public:
  Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
       const Headers& metadata)
      : stub_(channel) {
    for (const auto& [key, value] : metadata) context_.AddMetadata(key, value);
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    stream_ = stub_.PrepareCall(&context_, "/inference.GRPCInferenceService/" + method, &queue_);
    stream_->StartCall(this);
    wait();
  }
  void write(const Message& message) {
    const grpc::Slice slice(message.SerializeAsString());
    stream_->Write(grpc::ByteBuffer(&slice, 1), this);
    wait();
  }
  void writes_done() {
    stream_->WritesDone(this);
    wait();
  }
  bool read(Message& message) {
    grpc::ByteBuffer buffer;
    stream_->Read(&buffer, this);
    grpc::Slice slice;
    return wait() && buffer.DumpToSingleSlice(&slice).ok() &&
           message.ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
  }
  grpc::Status finish() {
    grpc::Status status;
    stream_->Finish(&status, this);
    wait();
    return status;
  }

 private:
  bool wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

std::string compare_replies(const Part& expected, const Descriptor* type,
                            const std::vector<MessagePtr>& actual) {
  const auto wanted = parse_messages(expected.body, type);
  if (!wanted.ok()) return std::string(base::message(wanted.status()));
  if (wanted->size() != actual.size()) {
    return base::str_cat("expected ", wanted->size(), " messages, got ", actual.size());
  }
  for (size_t i = 0; i < actual.size(); ++i) {
    const std::string inner = compare_messages(expected, *(*wanted)[i], *actual[i]);
    if (!inner.empty()) return base::str_cat("message ", i + 1, ": ", inner);
  }
  return "";
}

}  // namespace

std::string play_grpc(const std::shared_ptr<grpc::Channel>& channel, const Exchange& exchange) {
  const std::string method = exchange.request.words.size() > 1 ? exchange.request.words[1] : "";
  // Named, so that the definition is linked in.
  const auto* const service =
      inference::ServerLiveRequest::descriptor()->file()->FindServiceByName("GRPCInferenceService");
  const auto* const found = service->FindMethodByName(method);
  if (found == nullptr) return base::str_cat("there is no method '", method, "'");
  const auto requests = parse_messages(exchange.request.body, found->input_type());
  if (!requests.ok()) return std::string(base::message(requests.status()));

  Call call(channel, method, exchange.request.headers);
  for (const MessagePtr& request : *requests) call.write(*request);
  call.writes_done();
  std::vector<MessagePtr> replies;
  for (MessagePtr reply = new_message(found->output_type()); call.read(*reply);
       reply = new_message(found->output_type())) {
    replies.push_back(std::move(reply));
  }
  const grpc::Status status = call.finish();
  const std::string_view code = kCodes.at(static_cast<size_t>(status.error_code()));
  if (code != exchange.reply.words[0]) {
    return base::str_cat("expected ", exchange.reply.words[0], ", got ", code, ": ",
                         status.error_message());
  }
  if (!status.ok()) return compare_text(exchange.reply.body, status.error_message());
  return compare_replies(exchange.reply, found->output_type(), replies);
}

}  // namespace supernova::transcripts
