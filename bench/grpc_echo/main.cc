// supernova-bench-grpc-echo [BYTES]: what the gRPC library alone takes. A generic asynchronous
// service on one thread that answers each message with BYTES made once, or sends it back as it came
// without a number: nothing is parsed, nothing copied.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace {

// One call from beginning to end; deletes itself.
class Call {
 public:
  Call(grpc::AsyncGenericService& service, grpc::ServerCompletionQueue& queue,
       const grpc::ByteBuffer* reply)
      : service_(service), queue_(queue), reply_(reply), stream_(&context_) {
    service_.RequestCall(&context_, &stream_, &queue_, &queue_, this);
  }

  void proceed(bool ok) {
    if (!ok && step_ != Step::kWritten) {
      delete this;
      return;
    }
    switch (step_) {
      case Step::kRequested:
        new Call(service_, queue_, reply_);
        step_ = Step::kRead;
        stream_.Read(&message_, this);
        return;
      case Step::kRead:
        step_ = Step::kWritten;
        stream_.WriteAndFinish(reply_ == nullptr ? message_ : *reply_, {}, grpc::Status::OK, this);
        return;
      case Step::kWritten:
        delete this;
    }
  }

 private:
  enum class Step { kRequested, kRead, kWritten };
  grpc::AsyncGenericService& service_;
  grpc::ServerCompletionQueue& queue_;
  const grpc::ByteBuffer* reply_;  // null = the message
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  grpc::ByteBuffer message_;
  Step step_ = Step::kRequested;
};

}  // namespace

int main(int argc, char** argv) {
  grpc::ByteBuffer reply;
  if (argc > 1) {
    const grpc::Slice slice(std::string(std::strtoul(argv[1], nullptr, 10), 'r'));
    reply = grpc::ByteBuffer(&slice, 1);
  }
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterAsyncGenericService(&service);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    std::fprintf(stderr, "error: the gRPC server can't start\n");
    return 1;
  }
  std::printf("ready grpc=127.0.0.1:%d\n", port);
  std::fflush(stdout);
  new Call(service, *queue, argc > 1 ? &reply : nullptr);
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<Call*>(tag)->proceed(ok);
}
