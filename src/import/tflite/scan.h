// A loop over the first axis of some tensors, for recurrent layers.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "import/tflite/context.h"

namespace supernova::import::tflite {

struct Step {
  std::vector<Value*> states;  // as many as came in
  Value* result = nullptr;
};
// One step, made with the builder it is given: states and one item of each sequence.
using StepFunction = std::function<Step(Builder&, const std::vector<Value*>& states, Value* item)>;

// The results of all steps along a new first axis, and the last states. `sequence` is [time, ...];
// a sequence of one step makes no loop.
std::pair<Value*, std::vector<Value*>> scan(Context& c, const std::vector<Value*>& states,
                                            Value* sequence, const StepFunction& step);
// [time, ...] in the other direction.
Value* backwards(Builder& b, Value* sequence);

}  // namespace supernova::import::tflite
