// Requests in flight as asynchronous generic calls on one completion queue a thread: the request's
// bytes are serialised once and shared by every call, the reply's are not parsed.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <vector>

#include "load/load.h"

namespace supernova::bench {
namespace {

constexpr const char* kMethod = "/inference.GRPCInferenceService/ModelInfer";

// A connection of its own, and its one call.
struct Lane {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<grpc::GenericStub> stub;
  // Of the call in progress.
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  grpc::ByteBuffer reply;
  grpc::Status status;
  Clock::time_point due;
};

class GrpcWorker {
 public:
  GrpcWorker(const Target& target, const std::string& request, const Plan& plan)
      : target_(target), plan_(plan) {
    const grpc::Slice slice(request);
    request_ = grpc::ByteBuffer(&slice, 1);
  }

  base::Status open(int connections, int thread);
  Outcome run(Pacer pacer);

 private:
  void begin(size_t index, Clock::time_point due);
  bool wait(const Pacer& pacer, void*& tag);
  void end(size_t index, Recorder& recorder);

  const Target& target_;
  const Plan& plan_;
  grpc::ByteBuffer request_;
  grpc::CompletionQueue queue_;
  std::vector<Lane> lanes_;
  std::vector<size_t> idle_;
};

base::Status GrpcWorker::open(int connections, int thread) {
  lanes_.resize(static_cast<size_t>(connections));
  const auto deadline = std::chrono::system_clock::now() + std::chrono::seconds(5);
  for (size_t i = 0; i < lanes_.size(); ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt("supernova.bench.lane", thread * 65536 + static_cast<int>(i));
    Lane& lane = lanes_[i];
    lane.channel =
        grpc::CreateCustomChannel(target_.address(), grpc::InsecureChannelCredentials(), arguments);
    lane.channel->GetState(true);  // all connect at the same time
    lane.stub = std::make_unique<grpc::GenericStub>(lane.channel);
    idle_.push_back(i);
  }
  for (Lane& lane : lanes_) {
    if (lane.channel->WaitForConnected(deadline)) continue;
    return absl::UnavailableError(
        base::str_cat("can't connect to ", target_.url(), "; does a gRPC server listen there?"));
  }
  return {};
}

void GrpcWorker::begin(size_t index, Clock::time_point due) {
  Lane& lane = lanes_[index];
  lane.due = due;
  lane.context = std::make_unique<grpc::ClientContext>();
  lane.context->set_deadline(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(plan_.timeout));
  for (const auto& [name, value] : target_.headers) lane.context->AddMetadata(name, value);
  lane.reader = lane.stub->PrepareUnaryCall(lane.context.get(), kMethod, request_, &queue_);
  lane.reader->StartCall();
  lane.reader->Finish(&lane.reply, &lane.status, &lane);
}

// The next event, or false when a request has become due before. gRPC's own timers count in
// milliseconds: the last one before a moment is polled away.
bool GrpcWorker::wait(const Pacer& pacer, void*& tag) {
  const Clock::time_point now = Clock::now();
  bool ok = false;
  auto left = std::chrono::duration_cast<Clock::duration>(std::chrono::milliseconds(100));
  if (!idle_.empty() && !pacer.over(now)) left = std::min(left, pacer.due() - now);
  left = std::max(left - std::chrono::milliseconds(1), Clock::duration(0));
  const auto until = std::chrono::system_clock::now() +
                     std::chrono::duration_cast<std::chrono::system_clock::duration>(left);
  return queue_.AsyncNext(&tag, &ok, until) == grpc::CompletionQueue::GOT_EVENT;
}

void GrpcWorker::end(size_t index, Recorder& recorder) {
  Lane& lane = lanes_[index];
  const Clock::time_point now = Clock::now();
  if (lane.status.ok()) {
    recorder.success(lane.due, now);
  } else {
    recorder.failure(lane.due, now,
                     base::str_cat("gRPC ", static_cast<int>(lane.status.error_code()), ": ",
                                   lane.status.error_message().substr(0, 200)));
  }
  lane.reply.Clear();
  idle_.push_back(index);
}

Outcome GrpcWorker::run(Pacer pacer) {
  Recorder recorder(pacer);
  const Clock::time_point last = pacer.end() + plan_.timeout;
  // Every call has a deadline, so all of them end.
  for (Clock::time_point now = Clock::now(); !(pacer.over(now) && idle_.size() == lanes_.size());
       now = Clock::now()) {
    while (!idle_.empty() && now < last) {
      const auto due = pacer.take(now);
      if (!due) break;
      const size_t index = idle_.back();
      idle_.pop_back();
      begin(index, *due);
    }
    void* tag = nullptr;
    if (wait(pacer, tag))
      end(static_cast<size_t>(static_cast<Lane*>(tag) - lanes_.data()), recorder);
    if (Clock::now() >= last && idle_.size() == lanes_.size()) break;
  }
  while (pacer.open_loop()) {
    const auto due = pacer.take(pacer.end());
    if (!due) break;
    recorder.failure(*due, last, "not sent in time: every connection was busy");
  }
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
  return recorder.finish();
}

}  // namespace

base::Result<Outcome> load_grpc(const Target& target, const std::string& request,
                                const Plan& plan) {
  return on_threads(plan, [&](int thread, int connections) -> base::Result<Outcome> {
    GrpcWorker worker(target, request, plan);
    SN_TRY(worker.open(connections, thread));
    const double share = static_cast<double>(connections) / plan.connections;
    return worker.run(Pacer(plan, Clock::now(), share, static_cast<uint64_t>(thread)));
  });
}

}  // namespace supernova::bench
