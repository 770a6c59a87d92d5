// Variables of the model. A request must not change what the next one sees, so they may be set when
// the model starts (CALL_ONCE) and be read, no more.
#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

// A handle is its variable's name.
void var_handle(Context& c) {
  const std::string name =
      base::str_cat(c.options().text(0).substr(0, 256), "/", c.options().text(1).substr(0, 256));
  c.out_stored(0, c.b.constant(Constant::of_strings({}, {name})));
}

std::optional<std::string> name_of(Context& c) {
  const Value* handle = c.stored(0);
  if (handle->constant && handle->constant->type() == DataType::kBytes &&
      handle->constant->strings().size() == 1) {
    return handle->constant->strings()[0];
  }
  c.b.fail("which variable is meant is not known");
  return std::nullopt;
}

void assign_variable(Context& c) {
  const auto name = name_of(c);
  if (!name) return;
  Value* value = c.as_in_file(1);
  if (c.require(value->constant.has_value() && !c.session().variables.contains(*name),
                "a variable that changes while the model runs (state between requests) is not "
                "supported")) {
    c.session().variables[*name] = value;
  }
}

void read_variable(Context& c) {
  const auto name = name_of(c);
  if (!name) return;
  const auto at = c.session().variables.find(*name);
  if (c.require(at != c.session().variables.end(), "reads a variable that nothing has set")) {
    c.out_from_file(0, at->second);
  }
}

void table_operator(Context& c) {
  c.b.fail("look-up tables of strings are not supported; look the words up before the request");
}

}  // namespace

void register_variables(OpTable& table) {
  table.add("VAR_HANDLE", var_handle);
  table.add("ASSIGN_VARIABLE", assign_variable, "anything but constants when the model starts");
  table.add("READ_VARIABLE", read_variable);
  for (const char* name :
       {"HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE", "HASHTABLE_LOOKUP"}) {
    table.add(name, table_operator, "always");
  }
}

}  // namespace supernova::import::tflite
