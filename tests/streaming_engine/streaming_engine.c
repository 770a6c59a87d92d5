/* An engine that uses what few do. Its model has the input COUNT (FP32 [1]), the optional input
 * LARGE (FP32 [n]) and the output OUT (FP32, any length). A run is answered on a thread of its own,
 * after run() has returned:
 *   COUNT responses (0 is as 1), OUT = {i} for the i-th; or, with LARGE, one with OUT = LARGE;
 *   with a state, one with OUT = {sum of all COUNTs of the sequence};
 *   with COUNT = -1, none until it is cancelled; with COUNT = -2, one before that;
 *   with the parameter "say", the host's log gets its value. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <supernova/engine.h>
#include <time.h>

struct sn_engine {
  const sn_host* host;
};
struct sn_model {
  sn_engine* engine;
};
struct sn_instance {
  sn_engine* engine;
  atomic_long cancelled; /* the address of the run that was last */
};
struct sn_state {
  float sum;
};
struct job {
  sn_instance* instance;
  const sn_run* run;
};

static const char* const kFormats[] = {"*"};
static const sn_engine_info kEngine = {.size = sizeof(sn_engine_info),
                                       .name = "streaming",
                                       .version = "1",
                                       .formats = kFormats,
                                       .format_count = 1,
                                       .max_concurrency = 8,
                                       .can_cancel = 1};
static const int64_t kOne[] = {1};
static const int64_t kAny[] = {-1};
static const sn_tensor_info kInputs[] = {
    {.size = sizeof(sn_tensor_info), .name = "COUNT", .dtype = SN_FP32, .rank = 1, .dims = kOne},
    {.size = sizeof(sn_tensor_info),
     .name = "LARGE",
     .dtype = SN_FP32,
     .rank = 1,
     .dims = kAny,
     .optional = 1}};
static const sn_tensor_info kOutput = {
    .size = sizeof(sn_tensor_info), .name = "OUT", .dtype = SN_FP32, .rank = 1, .dims = kAny};
static const sn_signature kSignature = {.size = sizeof(sn_signature),
                                        .name = "",
                                        .inputs = kInputs,
                                        .input_count = 2,
                                        .outputs = &kOutput,
                                        .output_count = 1};
static const sn_model_info kModel = {
    .size = sizeof(sn_model_info), .signatures = &kSignature, .signature_count = 1};

static void answer(const sn_run* run, const float* values, int64_t count, int final) {
  const int64_t dims[] = {count};
  sn_tensor output = {.size = sizeof(output), .name = "OUT", .dtype = SN_FP32, .rank = 1};
  output.dims = dims;
  output.buffer.size = sizeof(output.buffer);
  output.buffer.byte_size = (size_t)count * sizeof(float);
  output.buffer.data = output.buffer.owner = malloc(output.buffer.byte_size + 1);
  memcpy(output.buffer.data, values, output.buffer.byte_size);
  output.buffer.release = free;
  const sn_response response = {sizeof(response), &output, 1, NULL, final};
  run->on_response(run->ctx, &response);
}

static int is_cancelled(struct job* job) {
  const uint32_t* const flag = job->run->cancelled;
  return atomic_load(&job->instance->cancelled) == (long)job->run ||
         (flag != NULL && __atomic_load_n(flag, __ATOMIC_SEQ_CST) != 0);
}

static void* work(void* arg) {
  struct job* job = arg;
  const sn_run* run = job->run;
  const float count = *(const float*)run->inputs[0].buffer.data;
  if (run->state != NULL) {
    run->state->sum += count;
    answer(run, &run->state->sum, 1, 1);
  } else if (run->input_count == 2) {
    answer(run, run->inputs[1].buffer.data, run->inputs[1].dims[0], 1);
  } else if (count < 0) {
    const struct timespec nap = {0, 1000000};
    if (count == -2) answer(run, &count, 1, 0);
    while (!is_cancelled(job)) nanosleep(&nap, NULL);
    sn_error error = {.size = sizeof(error), .code = SN_CANCELLED, .message = "as asked"};
    const sn_response response = {sizeof(response), NULL, 0, &error, 1};
    run->on_response(run->ctx, &response);
  } else {
    float i = 0;
    do answer(run, &i, 1, i + 1 >= count);
    while (++i < count);
  }
  free(job);
  return NULL;
}

static int32_t run(sn_instance* instance, const sn_run* run, sn_error* error) {
  (void)error;
  const sn_host* host = instance->engine->host;
  for (size_t i = 0; run->parameters != NULL && i < run->parameters->count; ++i) {
    if (strcmp(run->parameters->items[i].key, "say") == 0 && host->log != NULL) {
      host->log(host->ctx, 2, run->parameters->items[i].value);
    }
  }
  /* A run that was cancelled before may have had the same address. */
  long before = (long)run;
  atomic_compare_exchange_strong(&instance->cancelled, &before, 0);
  struct job* job = malloc(sizeof(*job));
  job->instance = instance;
  job->run = run;
  pthread_t thread;
  pthread_create(&thread, NULL, &work, job);
  pthread_detach(thread);
  return SN_OK;
}
static void cancel(sn_instance* instance, const sn_run* run) {
  atomic_store(&instance->cancelled, (long)run);
}

static int32_t engine_open(const sn_host* host, const sn_options* options, sn_engine** out,
                           sn_error* error) {
  (void)options, (void)error;
  *out = calloc(1, sizeof(**out));
  (*out)->host = host;
  return SN_OK;
}
static void engine_close(sn_engine* engine) { free(engine); }
static const sn_engine_info* engine_info(sn_engine* engine) { return (void)engine, &kEngine; }
static int32_t model_open(sn_engine* engine, const sn_artefact* artefact, const sn_options* options,
                          sn_model** out, sn_error* error) {
  (void)artefact, (void)options, (void)error;
  *out = calloc(1, sizeof(**out));
  (*out)->engine = engine;
  return SN_OK;
}
static void model_close(sn_model* model) { free(model); }
static const sn_model_info* model_info(sn_model* model) { return (void)model, &kModel; }
static int32_t instance_open(sn_model* model, const sn_device* device, const sn_options* options,
                             sn_instance** out, sn_error* error) {
  (void)device, (void)options, (void)error;
  *out = calloc(1, sizeof(**out));
  (*out)->engine = model->engine;
  return SN_OK;
}
static void instance_close(sn_instance* instance) { free(instance); }
static int32_t state_open(sn_instance* instance, sn_state** out, sn_error* error) {
  (void)instance, (void)error;
  *out = calloc(1, sizeof(**out));
  return SN_OK;
}
static void state_close(sn_state* state) { free(state); }

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
                                    .run = run,
                                    .cancel = cancel,
                                    .state_open = state_open,
                                    .state_close = state_close};
  return host_abi_version == SN_ENGINE_ABI_VERSION ? &api : NULL;
}
