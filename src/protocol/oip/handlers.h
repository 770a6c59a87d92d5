// The endpoints of the Open Inference Protocol, by topic. Each answers its call once, on this
// thread or another.
#pragma once

#include "protocol/oip/call.h"

namespace supernova::protocol::oip {

// What the server and its models say of themselves (metadata_handler.cc).
void server_live(Call call);
void server_ready(Call call);
void server_metadata(Call call);
void model_list(Call call);
void model_metadata(Call call);
void model_ready(Call call);
void model_config(Call call);
void model_placement(Call call);
void model_statistics(Call call);  // of all models without one in the path
void openapi_document(Call call);

// infer_handler.cc, generate_handler.cc
void infer(Call call);
void generate(Call call);
void generate_stream(Call call);

// repository_handler.cc
void repository_index(Call call);
void repository_load(Call call);
void repository_unload(Call call);

// devices_handler.cc
void devices(Call call);

// shared_memory_handler.cc
void system_memory_status(Call call);
void system_memory_register(Call call);
void system_memory_unregister(Call call);
void cuda_memory_status(Call call);
void cuda_memory_register(Call call);
void cuda_memory_unregister(Call call);

// settings_handler.cc
void trace_settings(Call call);
void update_trace_settings(Call call);
void log_settings(Call call);
void update_log_settings(Call call);

}  // namespace supernova::protocol::oip
