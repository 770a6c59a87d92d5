#include "import/onnx/wrapped.h"

#include <algorithm>
#include <array>

#include "base/status.h"

namespace supernova::import::onnx {
namespace {

struct Form {
  std::vector<Wrapper> wrappers;
  tensor::Shape shape;
  std::string_view meaning;
};

const Form* find_form(const ValueType& type) {
  static const std::array<Form, 5> kForms{
      {{{Wrapper::kSequence}, {-1}, "BYTES [n] for n tensors"},
       {{Wrapper::kOptional}, {-1}, "BYTES [1] for a tensor, [0] for none"},
       {{Wrapper::kOptional, Wrapper::kSequence},
        {-1, -1},
        "BYTES [1,n] for a sequence of n tensors, [0,0] for none"},
       {{Wrapper::kMap}, {2}, "BYTES [2]: the keys and the values"},
       {{Wrapper::kSequence, Wrapper::kMap},
        {-1, 2},
        "BYTES [n,2] for n maps: the keys and the values of each"}}};
  const auto at = std::find_if(kForms.begin(), kForms.end(),
                               [&](const Form& form) { return form.wrappers == type.wrappers; });
  return type.dense && at != kForms.end() ? at : nullptr;
}

}  // namespace

std::optional<tensor::Shape> wrapped_shape(const ValueType& type) {
  const Form* form = find_form(type);
  return form != nullptr ? std::optional(form->shape) : std::nullopt;
}

std::string wrapped_note(std::string_view side, std::string_view name, const ValueType& type) {
  const Form* form = find_form(type);
  return base::str_cat(side, " '", name, "' has type ", type.words, ": ",
                       form != nullptr ? form->meaning : "",
                       "; each element is a whole .npy file, or {\"shape\":[...],\"data\":[...]} "
                       "for strings");
}

}  // namespace supernova::import::onnx
