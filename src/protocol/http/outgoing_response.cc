#include "protocol/http/outgoing_response.h"

#include <algorithm>

#include "base/log.h"
#include "protocol/http/response_head.h"

namespace supernova::protocol::http {
namespace {

constexpr size_t kTogether = 2048;
constexpr size_t kSlice = 64 * 1024;
// After this much it is known whether the data gives way: what shrinks by less than a sixteenth
// (the encoder still holding back up to kEncoderLag) goes out as it is.
constexpr size_t kTrialBytes = 256 * 1024;
constexpr size_t kEncoderLag = 16 * 1024;

}  // namespace

void OutgoingResponse::begin(HttpResponse response, const Framing& framing, Coding coding) {
  response_ = std::move(response);
  framing_ = framing;
  coding_ = coding;
  if (response_.compressible && response_.status == 200 && !framing.is_head) {
    plain_size_ = content_length(response_);
    if (plain_size_ >= kCodingThreshold) {
      response_.headers.emplace_back("Vary", "Accept-Encoding");
      if (coding != Coding::kIdentity) {
        encoder_ = std::make_unique<Encoder>(coding);
        taken_ = piece_ = piece_offset_ = 0;
        return;
      }
    }
  }
  frame();
}

std::string_view OutgoingResponse::next_slice() const {
  const std::string_view piece =
      piece_ == 0 ? std::string_view(response_.body) : response_.buffers[piece_ - 1].view();
  return piece.substr(piece_offset_, kSlice);
}

void OutgoingResponse::code_slice() {
  try {
    size_t budget = kSlice;
    while (budget > 0 && taken_ < plain_size_) {
      const std::string_view slice = next_slice().substr(0, budget);
      if (slice.empty()) {
        ++piece_;
        piece_offset_ = 0;
        continue;
      }
      if (!encoder_->encode(slice, coded_)) return end_coding(false);
      piece_offset_ += slice.size();
      taken_ += slice.size();
      budget -= slice.size();
    }
    if (taken_ == plain_size_) {
      return end_coding(encoder_->finish(coded_) && coded_.size() < plain_size_);
    }
    if (taken_ >= kTrialBytes && taken_ < kTrialBytes + kSlice &&
        coded_.size() + kEncoderLag > taken_ - taken_ / 16) {
      end_coding(false);
    }
  } catch (const std::bad_alloc&) {
    SN_LOG(Warning, "HTTP: no memory to compress a response of {} bytes", plain_size_);
    end_coding(false);
  }
}

void OutgoingResponse::end_coding(bool use_it) {
  encoder_.reset();
  if (use_it) {
    response_.body = std::move(coded_);
    response_.buffers.clear();
    response_.headers.emplace_back("Content-Encoding", name_of(coding_));
  }
  coded_ = {};
  frame();
}

void OutgoingResponse::add_piece(const void* data, size_t size) {
  if (size > 0) unwritten_.push_back({const_cast<void*>(data), size});
}

// A small response is put together in one piece, which is written faster than several.
void OutgoingResponse::frame() {
  head_.clear();
  append_head(head_, response_, framing_.keep_alive, framing_.http_1_1);
  unwritten_.clear();
  next_ = 0;
  if (framing_.is_head) return add_piece(head_.data(), head_.size());
  if (content_length(response_) <= kTogether) {
    head_ += response_.body;
    for (const tensor::Buffer& buffer : response_.buffers) head_ += buffer.view();
    return add_piece(head_.data(), head_.size());
  }
  add_piece(head_.data(), head_.size());
  add_piece(response_.body.data(), response_.body.size());
  for (const tensor::Buffer& buffer : response_.buffers) add_piece(buffer.data(), buffer.size());
}

void OutgoingResponse::consume(size_t sent) {
  while (next_ < unwritten_.size() && sent >= unwritten_[next_].iov_len) {
    sent -= unwritten_[next_++].iov_len;
  }
  if (sent == 0) return;
  iovec& piece = unwritten_[next_];
  piece.iov_base = static_cast<char*>(piece.iov_base) + sent;
  piece.iov_len -= sent;
}

void OutgoingResponse::clear() {
  response_ = {};
  encoder_.reset();
  coded_ = {};
  unwritten_.clear();
  next_ = 0;
}

void OutgoingResponse::forget() {
  head_ = {};
  unwritten_ = {};
}

}  // namespace supernova::protocol::http
