#include "protocol/http/http_handler.h"

#include "base/json_writer.h"

namespace supernova::protocol::http {

const std::string* HttpHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

HttpResponse error_response(int status, std::string_view message) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/json";
  response.body = "{\"error\":";
  base::append_json_string(response.body, message);
  response.body += '}';
  return response;
}

}  // namespace supernova::protocol::http
