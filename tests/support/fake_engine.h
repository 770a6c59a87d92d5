// The table of an engine made up in a test: everything opens, and the test brings what its model
// says and what a run does. It is called "fake" and accepts any format.
#pragma once

#include <supernova/engine.h>

namespace supernova::testing_support {

inline int fake_object;  // handles are opaque: all of them may be this
template <typename T>
T* fake_handle() {
  return reinterpret_cast<T*>(&fake_object);
}

// x FP32 [-1,2] -> y, the same.
inline const sn_model_info* rows_model_info(sn_model*) {
  static const int64_t dims[] = {-1, 2};
  static const sn_tensor_info x = {sizeof(x), "x", SN_FP32, 2, dims, nullptr, 0, 0};
  static const sn_tensor_info y = {sizeof(y), "y", SN_FP32, 2, dims, nullptr, 0, 0};
  static const sn_signature signature = {sizeof(signature), "", &x, 1, &y, 1};
  static const sn_model_info model = {sizeof(model), &signature, 1};
  return &model;
}

inline sn_engine_api fake_engine_table(const sn_model_info* (*model_info)(sn_model*),
                                       int32_t (*run)(sn_instance*, const sn_run*, sn_error*)) {
  sn_engine_api table{};
  table.size = sizeof(table);
  table.abi_version = SN_ENGINE_ABI_VERSION;
  table.engine_open = [](const sn_host*, const sn_options*, sn_engine** out, sn_error*) -> int32_t {
    return *out = fake_handle<sn_engine>(), SN_OK;
  };
  table.engine_close = [](sn_engine*) {};
  table.engine_info = [](sn_engine*) -> const sn_engine_info* {
    static const char* const formats[] = {"*"};
    static const sn_engine_info info = {sizeof(info), "fake", "1", formats, 1, 1};
    return &info;
  };
  table.model_open = [](sn_engine*, const sn_artefact*, const sn_options*, sn_model** out,
                        sn_error*) -> int32_t { return *out = fake_handle<sn_model>(), SN_OK; };
  table.model_close = [](sn_model*) {};
  table.model_info = model_info;
  table.instance_open = [](sn_model*, const sn_device*, const sn_options*, sn_instance** out,
                           sn_error*) -> int32_t {
    return *out = fake_handle<sn_instance>(), SN_OK;
  };
  table.instance_close = [](sn_instance*) {};
  table.run = run;
  return table;
}

}  // namespace supernova::testing_support
