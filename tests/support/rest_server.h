// The HTTP dialects over a real service, without a listener: one model, "a b" version 3, of an
// engine made up here that hands INPUT0 (FP32 [-1,-1]) to OUTPUT0 and TEXT (BYTES [-1], optional)
// to TEXT_OUT.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <future>

#include "protocol/oip/oip_handler.h"
#include "support/fake_engine.h"
#include "support/fake_manager.h"
#include "support/http_request.h"

namespace supernova::testing_support {

inline const sn_model_info* echo_model_info(sn_model*) {
  static const int64_t any[] = {-1, -1};
  static const sn_tensor_info inputs[] = {
      {sizeof(sn_tensor_info), "INPUT0", SN_FP32, 2, any, nullptr, 0, 0},
      {sizeof(sn_tensor_info), "TEXT", SN_BYTES, 1, any, nullptr, 1, 0}};
  static const sn_tensor_info outputs[] = {
      {sizeof(sn_tensor_info), "OUTPUT0", SN_FP32, 2, any, nullptr, 0, 0},
      {sizeof(sn_tensor_info), "TEXT_OUT", SN_BYTES, 1, any, nullptr, 0, 0}};
  static const sn_signature signature = {sizeof(signature), "", inputs, 2, outputs, 2};
  static const sn_model_info info = {sizeof(info), &signature, 1};
  return &info;
}

inline int32_t echo_run(sn_instance*, const sn_run* run, sn_error*) {
  std::vector<sn_tensor> outputs;
  for (size_t i = 0; i < run->output_count; ++i) {
    const bool is_text = std::strcmp(run->outputs[i].name, "TEXT_OUT") == 0;
    for (size_t k = 0; k < run->input_count; ++k) {
      if ((std::strcmp(run->inputs[k].name, "TEXT") == 0) != is_text) continue;
      outputs.push_back(run->inputs[k]);
      outputs.back().name = run->outputs[i].name;
    }
  }
  const sn_response response = {sizeof(response), outputs.data(), outputs.size(), nullptr, 1};
  run->on_response(run->ctx, &response);
  return SN_OK;
}

inline const sn_engine_api* echo_entry(uint32_t) {
  static const sn_engine_api api = fake_engine_table(&echo_model_info, &echo_run);
  return &api;
}

class RestServer : public testing::Test {
 protected:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  explicit RestServer(protocol::oip::HandlerOptions options = {})
      : service_(models_), handler_(service_, options) {
    EXPECT_TRUE(fake_.load("a b", 3).ok());
    service_.set_ready(true);
  }

  protocol::http::HttpResponse call(std::string method, std::string target,
                                    std::string_view body = "", Headers headers = {}) {
    protocol::http::HttpRequest request = http_request(
        {.method = std::move(method), .target = std::move(target), .headers = std::move(headers)},
        tensor::Buffer::copy_of(body));
    std::promise<protocol::http::HttpResponse> promise;
    handler_.handle(std::move(request), [&](protocol::http::HttpResponse response) {
      promise.set_value(std::move(response));
    });
    return promise.get_future().get();
  }

  FakeManager fake_{&echo_entry};
  model::ModelManager& models_ = fake_.models();
  service::Service service_;
  protocol::oip::OipHandler handler_;
};

}  // namespace supernova::testing_support
