// Beast's parser, writing straight into an HttpHead. It is fed the head of a request and, when
// the body is chunked, the chunks, which it hands on to the RequestBody; a body of known length
// never passes through it. Not thread-safe.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <memory>

#include "protocol/http/http_handler.h"
#include "protocol/http/request_body.h"

namespace supernova::protocol::http {

class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  static constexpr int kMaxChunks = 65536;

  // `body` must outlive the parser and have begun when chunks come.
  RequestParser(size_t max_header_bytes, uint64_t max_body_bytes, RequestBody& body);

  HttpHead& head() { return *head_; }
  // After the last look at head().
  std::shared_ptr<const HttpHead> take_head() { return std::move(head_); }
  // Why a body is refused where Beast itself finds no fault.
  RequestBody::Refusal refusal() const { return refusal_; }
  bool is_http_1_1() const { return version_ == 11; }
  // The Transfer-Encoding as sent; "" = none.
  const std::string& transfer_encoding() const { return transfer_encoding_; }
  // Offset in the body that has to be aligned: the length of its JSON part, or 0.
  size_t aligned_offset() const;

 private:
  using ErrorCode = boost::beast::error_code;
  using StringView = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, StringView method, StringView target, int version,
                       ErrorCode&) override;
  void on_response_impl(int, StringView, int, ErrorCode&) override {}
  void on_field_impl(boost::beast::http::field, StringView name, StringView value,
                     ErrorCode&) override;
  void on_header_impl(ErrorCode&) override { header_done_ = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(StringView, ErrorCode& error) override;
  void on_chunk_header_impl(std::uint64_t size, StringView, ErrorCode& error) override;
  std::size_t on_chunk_body_impl(std::uint64_t, StringView piece, ErrorCode& error) override;
  void on_finish_impl(ErrorCode&) override {}

  const uint64_t max_body_bytes_;
  RequestBody& body_;
  std::shared_ptr<HttpHead> head_ = std::make_shared<HttpHead>();
  std::string transfer_encoding_;
  uint64_t announced_ = 0;  // by the chunks so far
  int chunks_ = 0;
  int version_ = 11;
  bool header_done_ = false;  // trailers after it are ignored
  RequestBody::Refusal refusal_ = RequestBody::Refusal::kNone;
};

}  // namespace supernova::protocol::http
