#include "service/trace_writer.h"

#include "base/log.h"

namespace supernova::service {

TraceWriter::TraceWriter(std::unique_ptr<telemetry::SpanSink> sink)
    : sink_(std::move(sink)), thread_([this] { work(); }) {}

TraceWriter::~TraceWriter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void TraceWriter::push(TraceRecord record) {
  const uint64_t bytes = held_bytes(record);
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() < kMaxQueued && held_bytes_ + bytes <= kMaxHeldBytes) {
      held_bytes_ += bytes;
      queue_.push_back(std::move(record));
      if (queue_.size() > 1) return;  // the thread knows
    } else {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  }
  wake_.notify_one();
}

void TraceWriter::flush() {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return queue_.empty() && !writing_; });
}

void TraceWriter::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::deque<TraceRecord> batch;
    while (!queue_.empty() && batch.size() < kBatch) {
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    writing_ = true;
    lock.unlock();
    const bool delivered = write(batch);
    uint64_t bytes = 0;
    for (const TraceRecord& record : batch) bytes += held_bytes(record);
    batch.clear();
    lock.lock();
    held_bytes_ -= bytes;
    // A collector that is away must not hold up the end of the program.
    if (stopping_ && !delivered) {
      dropped_.fetch_add(queue_.size(), std::memory_order_relaxed);
      queue_.clear();
    }
    writing_ = false;
    done_.notify_all();
  }
}

bool TraceWriter::write(const std::deque<TraceRecord>& batch) {
  bool delivered = true;
  if (sink_ == nullptr) {
    write_files(batch);
  } else {
    const auto offset = wall_clock_offset();
    std::vector<telemetry::Span> spans;
    for (const TraceRecord& record : batch) {
      for (auto& span : trace_spans(record, offset)) spans.push_back(std::move(span));
    }
    const base::Status status = sink_->write(spans);
    delivered = status.ok();
    (delivered ? written_ : dropped_).fetch_add(batch.size(), std::memory_order_relaxed);
    if (!delivered) complain(status);
  }
  if (dropped() > reported_) {
    complain(absl::ResourceExhaustedError("more traces than can be written"));
  }
  return delivered;
}

void TraceWriter::write_files(const std::deque<TraceRecord>& batch) {
  for (const TraceRecord& record : batch) {
    const TraceChoice& choice = record.choice;
    const base::Status status =
        files_.add(choice.file, choice.log_frequency, choice.last, trace_json(record));
    (status.ok() ? written_ : dropped_).fetch_add(1, std::memory_order_relaxed);
    if (!status.ok()) complain(status);
  }
  files_.flush();
}

// At most one line in ten seconds.
void TraceWriter::complain(const base::Status& status) {
  const auto now = std::chrono::steady_clock::now();
  if (reported_ > 0 && now - complained_ < std::chrono::seconds(10)) return;
  complained_ = now;
  reported_ = dropped();
  SN_LOG(Warning, "{} traces were lost so far: {}", reported_, base::message(status));
}

}  // namespace supernova::service
