// HTTP requests as a listener would hand them on.
#pragma once

#include <memory>
#include <utility>

#include "protocol/http/http_handler.h"

namespace supernova::testing_support {

inline protocol::http::HttpRequest http_request(protocol::http::HttpHead head,
                                                tensor::Buffer body = {}) {
  return {std::make_shared<const protocol::http::HttpHead>(std::move(head)), std::move(body),
          nullptr, std::make_shared<const protocol::http::Peer>()};
}

}  // namespace supernova::testing_support
