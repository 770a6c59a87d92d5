/* An engine that fails the way vendors' libraries do. It hands INPUT0 (FP32, any length) through to
 * OUTPUT0, unless the model's file, whitespace-separated words, says otherwise:
 *   load=FAULT   a fault in model_open      open=FAULT   in instance_open     run=FAULT   in run
 *   close=FAULT  a fault in instance_close
 *   values       the first element of INPUT0 chooses the fault of that run (see kFaults)
 *   once=PATH    a fault happens only while PATH is absent, which it then makes, with its process's
 *                number in it
 *   while=PATH   a fault happens, and "hang" hangs, only while PATH is there
 *   meet=N       "meet" waits until so many are in it
 *   slow_ms=N    how slow "slow" is         most_mib=N   where "allocate" gives up and aborts
 *   hold_mib=N   memory that the model takes as long as it is open
 * Once a fault has "lost" the device, nothing is opened or run any more in that process; "fade"
 * says so in instance_info only, "sink" in both while the run fails as if for another reason. Built
 * with FAULTY_ABI_VERSION, FAULTY_CONSTRUCTOR or FAULTY_OFFSET it is another library: of another
 * ABI, one that aborts while it is loaded, one that adds a number to what it hands through.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <supernova/engine.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef FAULTY_ABI_VERSION
#define FAULTY_ABI_VERSION SN_ENGINE_ABI_VERSION
#endif
#ifndef FAULTY_OFFSET
#define FAULTY_OFFSET 0
#endif

#ifdef FAULTY_CONSTRUCTOR
__attribute__((constructor)) static void constructor(void) { abort(); }
#endif

typedef enum {
  kNone,
  kSegv,
  kAbort,
  kExit,
  kHang,
  kAllocate,
  kSlow,
  kCorrupt,
  kError,
  kLost,
  kFade,
  kSink,
  kMeet,
  kFaultCount
} fault_kind;

/* With "values", 1000 + index as the first element chooses. */
static const char* const kFaults[kFaultCount] = {"none",     "segv", "abort",   "exit",  "hang",
                                                 "allocate", "slow", "corrupt", "error", "lost",
                                                 "fade",     "sink", "meet"};

struct sn_engine {
  int placeholder;
};
struct sn_model {
  fault_kind load;
  fault_kind open;
  fault_kind run;
  fault_kind close;
  int values;
  long meet;
  long slow_ms;
  long most_mib;
  long hold_mib;
  char* held;
  char once[1024];
  char only_while[1024];
};
struct sn_instance {
  const struct sn_model* model;
};

static atomic_int device_is_lost;
static atomic_int device_fades;
static atomic_int have_met;

static const char* const kFormats[] = {"*"};
static const sn_engine_info kEngine = {.size = sizeof(sn_engine_info),
                                       .name = "faulty",
                                       .version = "1",
                                       .formats = kFormats,
                                       .format_count = 1,
                                       .max_concurrency = 16};
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

// Cut where there is no room.
static void copy_text(char* to, size_t room, const char* text) {
  size_t size = strlen(text);
  if (size > room - 1) size = room - 1;
  memcpy(to, text, size);
  to[size] = '\0';
}

static int32_t fail(sn_error* error, sn_code code, const char* message) {
  error->code = code;
  copy_text(error->message, error->size - offsetof(sn_error, message), message);
  return code;
}

static void sleep_ms(long milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

/* Takes memory and uses it, until there is none or it is enough for any test. */
static void allocate(long most_mib) {
  const size_t piece = (size_t)8 << 20;
  for (long taken = 0; taken < most_mib; taken += 8) {
    char* memory = malloc(piece);
    if (memory == NULL) break;
    memset(memory, 1, piece);
  }
  abort();
}

/* A fault with "once" happens to the first that makes the file. */
static int is_due(const struct sn_model* model) {
  if (model->only_while[0] != '\0' && access(model->only_while, F_OK) != 0) return 0;
  if (model->once[0] == '\0') return 1;
  const int file = open(model->once, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return 0;
  dprintf(file, "%d", (int)getpid());
  close(file);
  return 1;
}

static int32_t lose(sn_error* error) {
  device_is_lost = 1;
  return fail(error, SN_UNAVAILABLE, "the test device is lost");
}

static int32_t commit(const struct sn_model* model, fault_kind fault, sn_error* error) {
  if (device_is_lost) return lose(error);
  if (fault == kNone || fault == kCorrupt || !is_due(model)) return SN_OK;
  switch (fault) {
    case kSegv:
      *(volatile int*)NULL = 1;
      break;
    case kAbort:
      abort();
    case kExit:
      exit(3);
    case kHang:
      while (model->only_while[0] == '\0' || access(model->only_while, F_OK) == 0) sleep_ms(1);
      break;
    case kAllocate:
      allocate(model->most_mib);
      break;
    case kMeet:
      ++have_met;
      while (have_met < model->meet) sleep_ms(1);
      break;
    case kSlow:
      sleep_ms(model->slow_ms);
      break;
    case kLost:
      return lose(error);
    case kSink:
      device_fades = 1;
      return fail(error, SN_INTERNAL, "something went wrong");
    case kFade:
      device_fades = 1;
      break;
    case kError:
      return fail(error, SN_INTERNAL, "this model fails as it was told to");
    default:
      break;
  }
  return SN_OK;
}

static fault_kind fault_of(const char* name) {
  for (int i = 0; i < kFaultCount; ++i) {
    if (strcmp(name, kFaults[i]) == 0) return (fault_kind)i;
  }
  return kNone;
}

static int32_t engine_open(const sn_host* host, const sn_options* options, sn_engine** out,
                           sn_error* error) {
  (void)host, (void)options;
  *out = calloc(1, sizeof(**out));
  return *out ? SN_OK : fail(error, SN_RESOURCE_EXHAUSTED, "out of memory");
}
static void engine_close(sn_engine* engine) { free(engine); }
static const sn_engine_info* engine_info(sn_engine* engine) { return (void)engine, &kEngine; }

static void read_word(struct sn_model* model, const char* word) {
  if (strncmp(word, "load=", 5) == 0) model->load = fault_of(word + 5);
  if (strncmp(word, "open=", 5) == 0) model->open = fault_of(word + 5);
  if (strncmp(word, "run=", 4) == 0) model->run = fault_of(word + 4);
  if (strncmp(word, "close=", 6) == 0) model->close = fault_of(word + 6);
  if (strcmp(word, "values") == 0) model->values = 1;
  if (strncmp(word, "meet=", 5) == 0) model->meet = atol(word + 5);
  if (strncmp(word, "slow_ms=", 8) == 0) model->slow_ms = atol(word + 8);
  if (strncmp(word, "most_mib=", 9) == 0) model->most_mib = atol(word + 9);
  if (strncmp(word, "hold_mib=", 9) == 0) model->hold_mib = atol(word + 9);
  if (strncmp(word, "once=", 5) == 0) copy_text(model->once, sizeof(model->once), word + 5);
  if (strncmp(word, "while=", 6) == 0) {
    copy_text(model->only_while, sizeof(model->only_while), word + 6);
  }
}

static int read_file(const char* path, struct sn_model* model) {
  char name[4096];
  struct stat info;
  if (path == NULL || stat(path, &info) != 0) return 0;
  snprintf(name, sizeof(name), S_ISDIR(info.st_mode) ? "%s/model.faulty" : "%s", path);
  FILE* file = fopen(name, "r");
  if (file == NULL) return 0;
  char word[1100];
  while (fscanf(file, "%1099s", word) == 1) read_word(model, word);
  fclose(file);
  return 1;
}

static void model_close(sn_model* model) {
  free(model->held);
  free(model);
}

static int32_t model_open(sn_engine* engine, const sn_artefact* artefact, const sn_options* options,
                          sn_model** out, sn_error* error) {
  (void)engine, (void)options;
  sn_model* model = calloc(1, sizeof(*model));
  if (model == NULL) return fail(error, SN_RESOURCE_EXHAUSTED, "out of memory");
  model->slow_ms = 200;
  model->most_mib = 2048;
  if (!read_file(artefact->path, model)) {
    model_close(model);
    return fail(error, SN_NOT_FOUND, "the model has no file of words");
  }
  const int32_t code = commit(model, model->load, error);
  if (code == SN_OK && model->hold_mib > 0) {
    model->held = malloc((size_t)model->hold_mib << 20);
    if (model->held == NULL) {
      model_close(model);
      return fail(error, SN_RESOURCE_EXHAUSTED, "there is no memory for the model");
    }
    memset(model->held, 1, (size_t)model->hold_mib << 20);
  }
  if (code != SN_OK) model_close(model);
  if (code == SN_OK) *out = model;
  return code;
}
static const sn_model_info* model_info(sn_model* model) { return (void)model, &kModel; }

static int32_t instance_open(sn_model* model, const sn_device* device, const sn_options* options,
                             sn_instance** out, sn_error* error) {
  (void)device, (void)options;
  const int32_t code = commit(model, model->open, error);
  if (code != SN_OK) return code;
  *out = malloc(sizeof(**out));
  if (*out == NULL) return fail(error, SN_RESOURCE_EXHAUSTED, "out of memory");
  (*out)->model = model;
  return SN_OK;
}
static void instance_close(sn_instance* instance) {
  sn_error ignored = {.size = sizeof(ignored)};
  commit(instance->model, instance->model->close, &ignored);
  free(instance);
}

static int32_t instance_info(sn_instance* instance, sn_verdict* verdict, sn_error* error) {
  (void)instance, (void)error;
  const int is_gone = device_fades || device_is_lost;
  verdict->compatibility = is_gone ? SN_CAN_NOT_RUN : SN_CAN_RUN;
  if (is_gone) verdict->reason = "the test device has faded away";
  return SN_OK;
}

static fault_kind fault_of_run(const struct sn_model* model, const float* values, size_t count) {
  if (model->values && count > 0 && values[0] >= 1000 && values[0] < 1000 + kFaultCount) {
    return (fault_kind)((int)values[0] - 1000);
  }
  return model->run;
}

static int32_t run(sn_instance* instance, const sn_run* run, sn_error* error) {
  if (run->input_count != 1) return fail(error, SN_INVALID_ARGUMENT, "the input INPUT0 is missing");
  sn_tensor output = run->inputs[0];
  const float* const values = output.buffer.data;
  const size_t count = output.buffer.byte_size / sizeof(float);
  const fault_kind fault = fault_of_run(instance->model, values, count);
  const int32_t code = commit(instance->model, fault, error);
  if (code != SN_OK) return code;
  output.name = "OUTPUT0";
  output.buffer = run->outputs[0].buffer;
  output.buffer.byte_size = count * sizeof(float);
  if (output.buffer.data == NULL) {
    output.buffer.data = output.buffer.owner = malloc(count * sizeof(float) + 1);
    if (output.buffer.data == NULL) return fail(error, SN_RESOURCE_EXHAUSTED, "out of memory");
    output.buffer.release = free;
  } else if (output.buffer.capacity < output.buffer.byte_size) {
    return fail(error, SN_INVALID_ARGUMENT, "no room for OUTPUT0");
  }
  for (size_t i = 0; i < count; ++i) ((float*)output.buffer.data)[i] = values[i] + FAULTY_OFFSET;
  const int64_t far_too_many[] = {(int64_t)1 << 40};
  if (fault == kCorrupt) output.dims = far_too_many;
  const sn_response response = {sizeof(response), &output, 1, NULL, 1};
  run->on_response(run->ctx, &response);
  return SN_OK;
}

const sn_engine_api* supernova_engine_entry(uint32_t host_abi_version) {
  static const sn_engine_api api = {.size = sizeof(api),
                                    .abi_version = FAULTY_ABI_VERSION,
                                    .engine_open = engine_open,
                                    .engine_close = engine_close,
                                    .engine_info = engine_info,
                                    .model_open = model_open,
                                    .model_close = model_close,
                                    .model_info = model_info,
                                    .instance_open = instance_open,
                                    .instance_close = instance_close,
                                    .instance_info = instance_info,
                                    .run = run};
  (void)host_abi_version;
  return &api;
}
