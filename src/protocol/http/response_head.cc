#include "protocol/http/response_head.h"

#include <algorithm>

#include "base/text.h"

namespace supernova::protocol::http {
namespace {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Unknown";
  }
}

bool is_plain(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  if (!is_plain(name) || !is_plain(value)) return;
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

}  // namespace

size_t content_length(const HttpResponse& response) {
  size_t length = response.body.size();
  for (const tensor::Buffer& buffer : response.buffers) length += buffer.size();
  return length;
}

void append_head(std::string& out, const HttpResponse& response, bool keep_alive, bool http_1_1) {
  out += "HTTP/1.1 ";
  base::append_text(out, response.status);
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\n";
  if (!response.content_type.empty()) append_field(out, "Content-Type", response.content_type);
  if (response.json_size > 0) {
    out += "Inference-Header-Content-Length: ";
    base::append_text(out, response.json_size);
    out += "\r\n";
  }
  for (const auto& [name, value] : response.headers) append_field(out, name, value);
  if (keep_alive != http_1_1)
    out += keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
  out += "Content-Length: ";
  base::append_text(out, content_length(response));
  out += "\r\n\r\n";
}

}  // namespace supernova::protocol::http
