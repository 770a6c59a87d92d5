// An engine made up for tests of scheduling: a model of one input x and one output y, FP32 [-1,2],
// that answers y = 2x row by row, on the thread that runs it. Tests look at each run, hold it up or
// make it fail.
#pragma once

#include <cstring>
#include <functional>
#include <mutex>
#include <vector>

#include "engine/engine.h"
#include "support/fake_engine.h"

namespace supernova::testing_support {

class RowEngine {
 public:
  // One run as the test sees it; returns the code it ends with.
  using Look = std::function<int32_t(const std::vector<float>& x)>;

  // Starts anew: at most one test at a time.
  explicit RowEngine(Look look = {}) {
    std::lock_guard lock(mutex());
    state() = {};
    state().look = std::move(look);
    engine_ = *engine::Engine::open(&entry, {});
    model_ = *engine_->open_model({}, {});
  }

  std::unique_ptr<engine::Session> session() {
    const sn_device device{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
    return *model_->open_session(device, {});
  }
  // Rows of each run so far.
  static std::vector<size_t> runs() {
    std::lock_guard lock(mutex());
    return state().runs;
  }
  // What a batch of more than one row is answered with instead of its rows: a mean over them.
  static void mix_rows() {
    std::lock_guard lock(mutex());
    state().mixes = true;
  }
  static void drop_batch_dimension() {
    std::lock_guard lock(mutex());
    state().drops = true;
  }

 private:
  struct State {
    Look look;
    std::vector<size_t> runs;
    bool mixes = false;
    bool drops = false;
  };
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static State& state() {
    static State instance;
    return instance;
  }
  static const sn_engine_api* entry(uint32_t) {
    static const sn_engine_api api = fake_engine_table(&rows_model_info, &run);
    return &api;
  }
  static int32_t run(sn_instance*, const sn_run* run, sn_error* error) {
    const sn_tensor& input = run->inputs[0];
    std::vector<float> values(input.buffer.byte_size / sizeof(float));
    std::memcpy(values.data(), input.buffer.data, input.buffer.byte_size);
    Look look;
    bool mixes = false;
    int64_t dims[] = {input.dims[0], 2};
    {
      std::lock_guard lock(mutex());
      state().runs.push_back(static_cast<size_t>(input.dims[0]));
      look = state().look;
      mixes = state().mixes;
      if (state().drops) dims[0] = 1;
    }
    if (look) {
      if (const int32_t code = look(values); code != SN_OK) {
        std::strcpy(error->message, "made to fail");  // NOLINT
        return error->code = code;
      }
    }
    for (float& value : values) value *= 2;
    if (mixes && dims[0] > 1) values[0] = (values[0] + values[2]) / 2;
    sn_tensor output{};
    output.size = sizeof(output);
    output.name = "y";
    output.dtype = SN_FP32;
    output.rank = 2;
    output.dims = dims;
    output.buffer.size = sizeof(output.buffer);
    output.buffer.data = values.data();  // copied by the host
    output.buffer.byte_size = static_cast<size_t>(dims[0]) * 2 * sizeof(float);
    const sn_response response = {sizeof(response), &output, 1, nullptr, 1};
    run->on_response(run->ctx, &response);
    return SN_OK;
  }

  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::Model> model_;
};

// A request of rows whose values all are `value`.
inline tensor::Request rows_request(int64_t rows, float value) {
  tensor::Request request;
  request.model_name = "rows";
  tensor::Tensor x{"x", tensor::DataType::kFp32, {rows, 2}, {}};
  x.buffer = tensor::Buffer::allocate(static_cast<size_t>(rows) * 2 * sizeof(float));
  for (int64_t i = 0; i < rows * 2; ++i) {
    std::memcpy(x.buffer.data() + i * sizeof(float), &value, sizeof(float));
  }
  request.inputs.push_back(std::move(x));
  request.outputs.emplace_back("y");
  return request;
}

}  // namespace supernova::testing_support
