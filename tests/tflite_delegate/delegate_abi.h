// What a delegate's library has to know of TensorFlow Lite's structs: facts of its binary interface
// (version 2.9, the same before and since), without any of its headers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace test_delegate {

enum Status : int { kOk = 0, kError = 1, kDelegateError = 2 };
constexpr int kFloat32 = 1;

struct IntArray {
  int size;
  int data[1];  // `size` of them
};

struct Delegate;
struct Context;

struct Tensor {
  int type;
  void* data;
  IntArray* dims;
  float scale;
  int32_t zero_point;
  int allocation;
  size_t bytes;
  const void* map;
  const char* name;
  Delegate* delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  int quantisation;
  void* quantisation_details;
  void* sparsity;
  const IntArray* dims_signature;
};

struct Node {
  IntArray* inputs;
  IntArray* outputs;
  IntArray* intermediates;
  IntArray* temporaries;
  void* user_data;
  void* builtin_data;
  const void* custom_data;
  int custom_size;
  Delegate* delegate;
};

struct Registration {
  void* (*init)(Context*, const char* buffer, size_t length);
  void (*free)(Context*, void*);
  Status (*prepare)(Context*, Node*);
  Status (*invoke)(Context*, Node*);
  const char* (*profile)(const Context*, const Node*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* later[6];  // newer runtimes look here for what is not given
};

// What a delegate's node is made from; its `buffer` in Registration::init.
struct Params {
  Delegate* delegate;
  IntArray* nodes;
  IntArray* inputs;
  IntArray* outputs;
};

struct Context {
  size_t tensors_size;
  Status (*get_execution_plan)(Context*, IntArray**);
  Tensor* tensors;
  void* impl;
  Status (*resize_tensor)(Context*, Tensor*, IntArray*);
  void (*report_error)(Context*, const char* format, ...);
  Status (*add_tensors)(Context*, int, int*);
  Status (*get_node)(Context*, int number, Node**, Registration**);
  Status (*replace_nodes)(Context*, Registration, const IntArray* nodes, Delegate*);
};

struct Delegate {
  void* data;
  Status (*prepare)(Context*, Delegate*);
  void* copy_from_handle;
  void* copy_to_handle;
  void* free_handle;
  int64_t flags;
  void* later[4];
};

}  // namespace test_delegate
