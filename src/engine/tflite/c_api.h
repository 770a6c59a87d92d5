// What the engine uses of TensorFlow Lite's C interface, as facts of its binary interface: TF Lite
// is loaded at run time and none of its headers is used. Structs are opaque but for the first
// fields of three of them, through which a delegate and the runtime speak; those have stood since
// TF Lite 1.14 and can't move, as delegates are built apart from the runtime.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>

namespace supernova::engine::tflite::c {

struct Model;
struct Options;
struct Interpreter;
struct Tensor;

// Results of most functions.
enum Status : int {
  kOk = 0,
  kError = 1,
  kDelegateError = 2,
  kApplicationError = 3,
  kUnresolvedOps = 7,
};

// Types of tensors; these numbers differ from those in the file.
enum Type : int {
  kFloat32 = 1,
  kInt32 = 2,
  kUint8 = 3,
  kInt64 = 4,
  kString = 5,
  kBool = 6,
  kInt16 = 7,
  kInt8 = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUint64 = 13,
  kUint32 = 16,
  kUint16 = 17,
  kBfloat16 = 19,
};

struct IntArray {
  int size;
  int data[1];  // `size` of them
};

struct Context {
  size_t tensors_size;
  // Numbers of the nodes that run, in order; valid until the next call. In Delegate::prepare only.
  Status (*get_execution_plan)(Context*, IntArray** plan);
  // More follows.
};

struct Delegate {
  void* data;
  // Takes the nodes it wants, of one graph.
  Status (*prepare)(Context*, Delegate*);
  Status (*copy_from_handle)(Context*, Delegate*, int handle, Tensor*);
  Status (*copy_to_handle)(Context*, Delegate*, int handle, Tensor*);
  void (*free_handle)(Context*, Delegate*, int* handle);
  int64_t flags;
  void*
      later[4];  // where newer runtimes look for what we don't give; not there in a delegate's own
};

// What the XNNPACK delegate is made with. All zero = off; newer libraries have more fields.
struct XnnpackOptions {
  int32_t threads;
  uint32_t flags;
  uint64_t later[31];
};
enum XnnpackFlags : uint32_t { kSignedIntegers = 1, kUnsignedIntegers = 2 };

// The plug-in interface of external delegates.
using CreateDelegate = Delegate* (*)(char** keys, char** values, size_t count,
                                     void (*report)(const char* message));
using DestroyDelegate = void (*)(Delegate*);

// NOLINTBEGIN(readability-identifier-naming): the names are those of the exported functions.
struct Api {
  const char* (*TfLiteVersion)();
  Model* (*TfLiteModelCreate)(const void* data, size_t size);
  void (*TfLiteModelDelete)(Model*);
  Options* (*TfLiteInterpreterOptionsCreate)();
  void (*TfLiteInterpreterOptionsDelete)(Options*);
  void (*TfLiteInterpreterOptionsSetNumThreads)(Options*, int32_t);
  void (*TfLiteInterpreterOptionsAddDelegate)(Options*, Delegate*);
  void (*TfLiteInterpreterOptionsSetErrorReporter)(Options*,
                                                   void (*)(void*, const char* format, va_list),
                                                   void* user_data);
  Interpreter* (*TfLiteInterpreterCreate)(const Model*, const Options*);
  void (*TfLiteInterpreterDelete)(Interpreter*);
  int32_t (*TfLiteInterpreterGetInputTensorCount)(const Interpreter*);
  Tensor* (*TfLiteInterpreterGetInputTensor)(const Interpreter*, int32_t);
  Status (*TfLiteInterpreterResizeInputTensor)(Interpreter*, int32_t, const int* dims, int32_t);
  Status (*TfLiteInterpreterAllocateTensors)(Interpreter*);
  Status (*TfLiteInterpreterInvoke)(Interpreter*);
  int32_t (*TfLiteInterpreterGetOutputTensorCount)(const Interpreter*);
  const Tensor* (*TfLiteInterpreterGetOutputTensor)(const Interpreter*, int32_t);
  Type (*TfLiteTensorType)(const Tensor*);
  int32_t (*TfLiteTensorNumDims)(const Tensor*);
  int32_t (*TfLiteTensorDim)(const Tensor*, int32_t);
  size_t (*TfLiteTensorByteSize)(const Tensor*);
  void* (*TfLiteTensorData)(const Tensor*);
  Status (*TfLiteTensorCopyFromBuffer)(Tensor*, const void*, size_t);
  // Null where the library has them not.
  Status (*TfLiteInterpreterResetVariableTensors)(Interpreter*);
  void (*TfLiteTensorRealloc)(size_t, Tensor*);
  Status (*TfLiteInterpreterOptionsEnableCancellation)(Options*, bool);
  Status (*TfLiteInterpreterCancel)(const Interpreter*);
  Delegate* (*TfLiteXNNPackDelegateCreate)(const XnnpackOptions*);
  void (*TfLiteXNNPackDelegateDelete)(Delegate*);
};
// NOLINTEND(readability-identifier-naming)

}  // namespace supernova::engine::tflite::c
