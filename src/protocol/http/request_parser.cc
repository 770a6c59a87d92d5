#include "protocol/http/request_parser.h"

#include <algorithm>

#include "base/text.h"

namespace supernova::protocol::http {
namespace {

namespace beast_http = boost::beast::http;

using Refusal = RequestBody::Refusal;

std::string text(boost::beast::string_view view) { return {view.data(), view.size()}; }

}  // namespace

RequestParser::RequestParser(size_t max_header_bytes, uint64_t max_body_bytes, RequestBody& body)
    : max_body_bytes_(max_body_bytes), body_(body) {
  header_limit(static_cast<std::uint32_t>(max_header_bytes));
  body_limit(boost::none);  // the listener answers 413 itself
  eager(false);
}

size_t RequestParser::aligned_offset() const {
  size_t offset = 0;
  const std::string* header = head_->header("inference-header-content-length");
  return header != nullptr && base::parse_whole(*header, offset) ? offset : 0;
}

void RequestParser::on_request_impl(beast_http::verb, StringView method, StringView target,
                                    int version, ErrorCode&) {
  constexpr size_t kUsualFields = 8;
  head_->headers.reserve(kUsualFields);
  head_->method = text(method);
  head_->target = text(target);
  version_ = version;
}

void RequestParser::on_field_impl(beast_http::field field, StringView name, StringView value,
                                  ErrorCode&) {
  if (header_done_) return;
  std::string key = text(name);
  std::transform(key.begin(), key.end(), key.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (field == beast_http::field::transfer_encoding) transfer_encoding_ = text(value);
  head_->headers.emplace_back(std::move(key), text(value));
}

std::size_t RequestParser::on_body_impl(StringView, ErrorCode& error) {
  error = beast_http::error::bad_content_length;  // bodies of known length don't come here
  return 0;
}

void RequestParser::on_chunk_header_impl(std::uint64_t size, StringView, ErrorCode& error) {
  if (++chunks_ > kMaxChunks) {
    refusal_ = Refusal::kTooManyChunks;
    error = beast_http::error::bad_chunk;
  } else if (size > max_body_bytes_ || announced_ > max_body_bytes_ - size) {
    refusal_ = Refusal::kTooLarge;
    error = beast_http::error::body_limit;
  } else {
    announced_ += size;
  }
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, StringView piece, ErrorCode& error) {
  refusal_ = body_.append({piece.data(), piece.size()});
  if (refusal_ == Refusal::kNone) return piece.size();
  error = beast_http::error::buffer_overflow;
  return 0;
}

}  // namespace supernova::protocol::http
