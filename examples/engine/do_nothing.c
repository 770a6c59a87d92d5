/* The smallest Supernova engine: it takes any artefact and hands INPUT0 (FP32, any length) through
 * to OUTPUT0. Start from this file: open what the artefact names in model_open, compute in run. */
#include <stdlib.h>
#include <string.h>
#include <supernova/engine.h>

struct sn_engine {
  const sn_host* host;
};
struct sn_model {
  int placeholder;
}; /* what instances share: weights */
struct sn_instance {
  int placeholder;
}; /* one opened model on one device */

static const char* const kFormats[] = {"*"};
static const sn_engine_info kEngine = {.size = sizeof(sn_engine_info),
                                       .name = "do_nothing",
                                       .version = "1",
                                       .formats = kFormats,
                                       .format_count = 1,
                                       .max_concurrency = 64};

static const int64_t kAnyLength[] = {-1};
static const sn_tensor_info kInput = {.size = sizeof(sn_tensor_info),
                                      .name = "INPUT0",
                                      .dtype = SN_FP32,
                                      .rank = 1,
                                      .dims = kAnyLength};
static const sn_tensor_info kOutput = {.size = sizeof(sn_tensor_info),
                                       .name = "OUTPUT0",
                                       .dtype = SN_FP32,
                                       .rank = 1,
                                       .dims = kAnyLength};
static const sn_signature kSignature = {.size = sizeof(sn_signature),
                                        .name = "",
                                        .inputs = &kInput,
                                        .input_count = 1,
                                        .outputs = &kOutput,
                                        .output_count = 1};
static const sn_model_info kModel = {
    .size = sizeof(sn_model_info), .signatures = &kSignature, .signature_count = 1};

static int32_t fail(sn_error* error, sn_code code, const char* message) {
  const size_t room =
      error->size - offsetof(sn_error, message); /* the host's struct may be shorter */
  error->code = code;
  strncpy(error->message, message, room - 1);
  error->message[room - 1] = '\0';
  return code;
}

static int32_t engine_open(const sn_host* host, const sn_options* options, sn_engine** out,
                           sn_error* error) {
  (void)options;
  if (!(*out = malloc(sizeof(**out)))) return fail(error, SN_RESOURCE_EXHAUSTED, "out of memory");
  (*out)->host = host;
  if (host->log) host->log(host->ctx, 0, "the engine do_nothing is open");
  return SN_OK;
}
static void engine_close(sn_engine* engine) { free(engine); }
static const sn_engine_info* engine_info(sn_engine* engine) { return (void)engine, &kEngine; }

static int32_t model_open(sn_engine* engine, const sn_artefact* artefact, const sn_options* options,
                          sn_model** out, sn_error* error) {
  (void)engine, (void)artefact, (void)options;
  *out = malloc(sizeof(**out));
  return *out ? SN_OK : fail(error, SN_RESOURCE_EXHAUSTED, "out of memory");
}
static void model_close(sn_model* model) { free(model); }
static const sn_model_info* model_info(sn_model* model) { return (void)model, &kModel; }

static int32_t instance_open(sn_model* model, const sn_device* device, const sn_options* options,
                             sn_instance** out, sn_error* error) {
  (void)model, (void)options;
  if (device->kind != SN_DEVICE_CPU) return fail(error, SN_FAILED_PRECONDITION, "needs the CPU");
  *out = malloc(sizeof(**out));
  return *out ? SN_OK : fail(error, SN_RESOURCE_EXHAUSTED, "out of memory");
}
static void instance_close(sn_instance* instance) { free(instance); }

static int32_t run(sn_instance* instance, const sn_run* run, sn_error* error) {
  (void)instance;
  if (run->input_count != 1) return fail(error, SN_INVALID_ARGUMENT, "the input INPUT0 is missing");
  sn_tensor output = run->inputs[0]; /* dtype, dims and size are the input's */
  const void* data = output.buffer.data;
  output.name = "OUTPUT0";
  output.buffer = run->outputs[0].buffer;
  output.buffer.byte_size = run->inputs[0].buffer.byte_size;
  if (output.buffer.data) { /* the host lent memory */
    const size_t room = output.buffer.capacity;
    if (room < output.buffer.byte_size)
      return fail(error, SN_INVALID_ARGUMENT, "no room for OUTPUT0");
  } else { /* the engine brings it, and gets it back through release */
    output.buffer.data = output.buffer.owner = malloc(output.buffer.byte_size + 1);
    if (!output.buffer.data) return fail(error, SN_RESOURCE_EXHAUSTED, "out of memory");
    output.buffer.release = free;
  }
  if (data) memcpy(output.buffer.data, data, output.buffer.byte_size);
  const sn_response response = {sizeof(response), &output, 1, NULL, 1};
  run->on_response(run->ctx, &response);
  return SN_OK;
}

const sn_engine_api* supernova_engine_entry(uint32_t host_abi_version) {
  static const sn_engine_api api = {.size = sizeof(api),
                                    .abi_version = SN_ENGINE_ABI_VERSION,
                                    .engine_open = engine_open,
                                    .engine_close = engine_close,
                                    .engine_info = engine_info,
                                    .model_open = model_open,
                                    .model_close = model_close,
                                    .model_info = model_info,
                                    .instance_open = instance_open,
                                    .instance_close = instance_close,
                                    .run = run};
  return host_abi_version == SN_ENGINE_ABI_VERSION ? &api : NULL;
}
