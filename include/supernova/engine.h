/* Supernova engine ABI, version 0 (unstable: may change until three engines have used it).
 *
 * An engine runs models on a kind of device. It is a shared library (or a part of the server) with
 * one exported function, `supernova_engine_entry`, that returns a table of at most twenty
 * functions.
 *
 * Rules that hold for the whole file
 * - Lifetimes: engine > model > instance > run. A model holds what instances share (weights); an
 *   instance is one opened model on one device. The host closes them in reverse order.
 * - Threads: `model_*` and `instance_open/close` may be called from any thread, one at a time per
 *   object. `run` may be called from any thread; at most `max_concurrency` runs of one instance
 *   overlap. `cancel` may be called from any thread at any time while its run has not finished (see
 *   there).
 * - Errors: functions return an sn_code; on anything but SN_OK they fill the sn_error they were
 * given. No exception may leave an engine. No function prints or exits; use host->log.
 * - Strings are UTF-8 and zero-terminated; they live as long as the object that hands them out.
 * - Every struct starts with `size` = sizeof(struct) as its writer was compiled. A reader treats
 * what lies beyond `size` as zero. Zero means "not given" for every optional field. Elements of an
 * array of such structs lie `size` of its first element apart.
 * - Everything here can be sent to another process: handles are opaque, and a buffer outside host
 *   memory is named by device and handle, never only by address.
 */
#ifndef SUPERNOVA_ENGINE_H_
#define SUPERNOVA_ENGINE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SN_ENGINE_ABI_VERSION 0u

/* Same numbers as gRPC's canonical codes. */
typedef enum sn_code {
  SN_OK = 0,
  SN_CANCELLED = 1,
  SN_UNKNOWN = 2,
  SN_INVALID_ARGUMENT = 3,
  SN_DEADLINE_EXCEEDED = 4,
  SN_NOT_FOUND = 5,
  SN_RESOURCE_EXHAUSTED = 8,
  SN_FAILED_PRECONDITION = 9,
  SN_UNIMPLEMENTED = 12,
  SN_INTERNAL = 13,
  SN_UNAVAILABLE = 14 /* of a run, or when something is opened: its device is lost to the process */
} sn_code;

/* Owned by the caller. `message` is cut, never overrun; say what failed, where, and the remedy. */
typedef struct sn_error {
  size_t size;
  int32_t code; /* sn_code */
  char message[2036];
} sn_error;

/* Element types. In memory: little-endian, row-major, no padding. BOOL is one byte, 0 or 1. BYTES
 * is, for each element in order, a uint32 length followed by that many bytes. */
typedef enum sn_dtype {
  SN_DTYPE_INVALID = 0,
  SN_BOOL = 1,
  SN_UINT8 = 2,
  SN_UINT16 = 3,
  SN_UINT32 = 4,
  SN_UINT64 = 5,
  SN_INT8 = 6,
  SN_INT16 = 7,
  SN_INT32 = 8,
  SN_INT64 = 9,
  SN_FP16 = 10,
  SN_FP32 = 11,
  SN_FP64 = 12,
  SN_BYTES = 13,
  SN_BF16 = 14
} sn_dtype;

typedef enum sn_device_kind {
  SN_DEVICE_CPU = 0,
  SN_DEVICE_NVIDIA = 1,
  SN_DEVICE_AMD = 2,
  SN_DEVICE_INTEL_GPU = 3,
  SN_DEVICE_NPU = 4,
  SN_DEVICE_VULKAN = 5,
  SN_DEVICE_OPENCL = 6,
  SN_DEVICE_EDGETPU = 7,
  SN_DEVICE_VPU = 8,
  SN_DEVICE_FPGA = 9,
  SN_DEVICE_NEURON = 10
} sn_device_kind;

typedef struct sn_device {
  size_t size;
  int32_t kind; /* sn_device_kind */
  int32_t ordinal;
  const char* id;     /* stable identity (PCI address, USB path, UUID), or null */
  uint32_t vendor_id; /* PCI or USB ids, 0 = not known */
  uint32_t product_id;
} sn_device;

typedef struct sn_option {
  const char* key;
  const char* value;
} sn_option;

typedef struct sn_options {
  size_t size;
  const sn_option* items;
  size_t count;
} sn_options;

/* Memory of a tensor. */
typedef struct sn_buffer {
  size_t size;
  void* data;       /* host address; null when the memory is on a device only or not given */
  size_t byte_size; /* bytes of content */
  size_t capacity;  /* bytes that may be written (caller-owned outputs); 0 = byte_size */
  sn_device device; /* where the memory is */
  uint64_t handle;  /* device handle (device pointer, dma-buf, ...), 0 in host memory */
  void* stream;     /* work on the buffer is ordered on this stream, or null */
  void* fence;      /* content is valid once this fence has passed, or null */
  void* owner;      /* engine-owned memory: give back with release(owner), once */
  void (*release)(void* owner); /* null = the memory is the caller's */
} sn_buffer;

typedef struct sn_tensor {
  size_t size;
  const char* name;
  int32_t dtype; /* sn_dtype */
  int32_t rank;
  const int64_t* dims; /* `rank` entries, all >= 0 */
  sn_buffer buffer;
} sn_tensor;

/* A model's input or output. */
typedef struct sn_tensor_info {
  size_t size;
  const char* name;
  int32_t dtype;
  int32_t rank;                 /* -1 = unknown rank */
  const int64_t* dims;          /* -1 = unknown */
  const char* const* dim_names; /* `rank` entries, each a symbol or null; may be null as a whole */
  int32_t optional;             /* 1 = may be left out */
  int32_t is_state;             /* 1 = carried by sn_state between runs of one sequence */
} sn_tensor_info;

typedef struct sn_signature {
  size_t size;
  const char* name; /* "" for a model with one nameless signature */
  const sn_tensor_info* inputs;
  size_t input_count;
  const sn_tensor_info* outputs;
  size_t output_count;
} sn_signature;

typedef struct sn_model_info {
  size_t size;
  const sn_signature* signatures; /* at least one */
  size_t signature_count;
} sn_model_info;

/* What is run: a file, or bytes that stay valid until the model is closed. */
typedef struct sn_artefact {
  size_t size;
  const char* format; /* "onnx", "tflite", ... */
  const char*
      path; /* the file or folder; with `data`, the folder for relative references; may be null */
  const void* data; /* null = read `path` */
  size_t data_size;
  const char* digest; /* content digest, or null */
} sn_artefact;

typedef enum sn_compatibility {
  SN_CAN_NOT_RUN = 0,
  SN_CAN_RUN_PARTLY = 1, /* some nodes fall back; see the placement */
  SN_CAN_RUN = 2
} sn_compatibility;

typedef struct sn_node_placement {
  size_t size;
  const char* node;
  const char* op;
  const char* where;  /* e.g. "CPU", "CUDA" */
  const char* reason; /* why it is not on the device asked for, or null */
} sn_node_placement;

/* Answer of can_run and instance_info. Unknown figures are 0. */
typedef struct sn_verdict {
  size_t size;
  int32_t compatibility; /* sn_compatibility */
  int32_t score;         /* higher is preferred among engines that can */
  const char* reason;    /* why not, and the remedy */
  const sn_node_placement* placement;
  size_t placement_count;
  uint64_t expected_latency_ns;
  uint64_t host_memory_bytes;
  uint64_t device_memory_bytes;
} sn_verdict;

typedef struct sn_engine_info {
  size_t size;
  const char* name;           /* "onnxruntime" */
  const char* version;        /* of the runtime behind it */
  const char* const* formats; /* accepted artefact formats; "*" = any */
  size_t format_count;
  int32_t max_concurrency; /* runs of one instance that may overlap; 0 = 1 */
  int32_t can_cancel;      /* 1 = `cancel` makes a long run end early */
} sn_engine_info;

/* What the host lends to an engine; valid as long as the engine. Any function may be null. */
typedef struct sn_host {
  size_t size;
  void* ctx;
  void (*log)(void* ctx, int32_t level /* 0 debug .. 3 error */, const char* message);
  void* (*allocate)(void* ctx, size_t byte_size, size_t alignment);
  void (*deallocate)(void* ctx, void* memory, size_t byte_size);
  /* Runs fn(arg, 0..count-1) on the host's threads and returns when all are done. */
  void (*parallel_for)(void* ctx, size_t count, void (*fn)(void* arg, size_t index), void* arg);
  int32_t thread_budget; /* CPU threads this engine may keep busy; 0 = not said */
} sn_host;

typedef struct sn_engine sn_engine;
typedef struct sn_model sn_model;
typedef struct sn_instance sn_instance;
typedef struct sn_state sn_state;

/* One response of a run. `outputs` and what they point to live until the callback returns, except
 * memory with a release function, which then belongs to the host: it may give it back on any
 * thread, also when instance and model are closed, but before the engine is. An output for which
 * the host lent memory may come in the engine's own (its shape was not the declared one). A failed
 * response has no outputs. */
typedef struct sn_response {
  size_t size;
  const sn_tensor* outputs;
  size_t output_count;
  const sn_error* error; /* null = success */
  int32_t final;         /* 1 on the last response of the run */
} sn_response;

typedef void (*sn_on_response)(void* ctx, const sn_response* response);

/* One run. The host keeps it and everything it points to alive and unchanged until the final
 * response. */
typedef struct sn_run {
  size_t size;
  uint32_t signature; /* index into sn_model_info.signatures */
  const sn_tensor* inputs;
  size_t input_count; /* optional inputs may be missing */
  /* The outputs wanted, by name. buffer.data non-null: caller-owned memory of `capacity` bytes for
   * a shape known beforehand (dims and dtype set). Null: the engine brings the memory, with
   * release. */
  const sn_tensor* outputs;
  size_t output_count;
  sn_state* state; /* sequence state to use and update, or null */
  const sn_options* parameters;
  uint64_t deadline_ns;       /* CLOCK_MONOTONIC, 0 = none */
  sn_on_response on_response; /* called one or more times, possibly before run returns */
  void* ctx;
  /* Null, or becomes 1 before `cancel` is called; to be read atomically. An engine that has noted
   * the run, so that `cancel` finds it, looks here: `cancel` may have come before. */
  const uint32_t* cancelled;
} sn_run;

/* Receives what compile makes: files by relative name. A lone file, <anything>.<format>, is an
 * artefact of that format, which model_open takes. Returns SN_OK to go on. */
typedef struct sn_sink {
  size_t size;
  void* ctx;
  int32_t (*write)(void* ctx, const char* name, const void* data, size_t byte_size);
} sn_sink;

typedef struct sn_engine_api {
  size_t size;
  uint32_t abi_version; /* SN_ENGINE_ABI_VERSION */

  int32_t (*engine_open)(const sn_host* host, const sn_options* options, sn_engine** out,
                         sn_error* error);
  void (*engine_close)(sn_engine* engine);
  const sn_engine_info* (*engine_info)(sn_engine* engine);

  /* Fills *verdict; its pointers live until the next can_run on this thread. A null artefact asks
   * whether the engine drives that device at all: cheap, and `reason` says what is missing and how
   * to get it. The function may be null: "can run on the CPU, on nothing else". */
  int32_t (*can_run)(sn_engine* engine, const sn_artefact* artefact, const sn_device* device,
                     const sn_options* options, sn_verdict* verdict, sn_error* error);
  /* Compiles ahead of time for a device. May be null. */
  int32_t (*compile)(sn_engine* engine, const sn_artefact* artefact, const sn_device* device,
                     const sn_options* options, const sn_sink* sink, sn_error* error);

  int32_t (*model_open)(sn_engine* engine, const sn_artefact* artefact, const sn_options* options,
                        sn_model** out, sn_error* error);
  void (*model_close)(sn_model* model);
  const sn_model_info* (*model_info)(sn_model* model);

  int32_t (*instance_open)(sn_model* model, const sn_device* device, const sn_options* options,
                           sn_instance** out, sn_error* error);
  void (*instance_close)(sn_instance* instance);
  /* What this instance uses and where its nodes run; SN_CAN_NOT_RUN with a reason while it can't
   * run at all (its device is lost). Asked often, so cheap. May be null. Pointers live until
   * close. */
  int32_t (*instance_info)(sn_instance* instance, sn_verdict* verdict, sn_error* error);

  /* SN_OK: the final response has been or will be delivered through on_response. Anything else: no
   * response was or will be delivered. */
  int32_t (*run)(sn_instance* instance, const sn_run* run, sn_error* error);
  /* Asks a run to stop early. Its final response still comes: with SN_CANCELLED where it did stop,
   * as ever where it was done already. Called from any thread, once for a run at most, from when
   * `run` is about to be called until the callback that takes the final response returns. That
   * callback may wait for it: it must not wait for the run, nor for anything that is held while a
   * response is delivered. The run may be one that the engine has not begun, or has just refused.
   * May be null. */
  void (*cancel)(sn_instance* instance, const sn_run* run);

  /* Sequence state. May be null for stateless engines. */
  int32_t (*state_open)(sn_instance* instance, sn_state** out, sn_error* error);
  void (*state_close)(sn_state* state);
} sn_engine_api;

/* The one exported symbol. `host_abi_version` is the host's SN_ENGINE_ABI_VERSION; an engine that
 * can't serve it returns null. The table lives as long as the library. */
const sn_engine_api* supernova_engine_entry(uint32_t host_abi_version);
typedef const sn_engine_api* (*sn_engine_entry_fn)(uint32_t host_abi_version);

#ifdef __cplusplus
}
#endif
#endif /* SUPERNOVA_ENGINE_H_ */
