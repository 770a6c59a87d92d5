// Variables of the model: what CALL_ONCE sets when the model starts, and what requests leave there
// for the next one. As in recurrent layers, such state starts anew with every request, unless the
// option state=tensors has it come in and go out with each.
#include "import/tflite/ops.h"

namespace supernova::import::tflite {
namespace {

std::string variable_name(const Table& options) {
  const std::string_view container = options.text(0).substr(0, 256);
  const std::string_view name = options.text(1).substr(0, 256);
  return container.empty() ? std::string(name) : base::str_cat(container, "/", name);
}

// A handle is its variable's name.
void var_handle(Context& c) {
  c.out_stored(0, c.b.constant(Constant::of_strings({}, {variable_name(c.options())})));
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
  Session& session = c.session();
  if (!c.require(session.conditional == 0,
                 "a variable that is set inside IF or WHILE is not supported")) {
    return;
  }
  Variable& variable = session.variables[*name];
  variable.value = c.as_in_file(1);
  variable.set |= !session.starting;
}

void read_variable(Context& c) {
  const auto name = name_of(c);
  if (!name) return;
  Session& session = c.session();
  const auto at = session.variables.find(*name);
  if (!c.require(at != session.variables.end(), "reads a variable that nothing has set")) return;
  Variable& variable = at->second;
  if (!session.starting && !variable.set && !variable.read) {
    variable.read = true;
    if (session.state != nullptr && session.changing.contains(*name)) {
      note_start(session, *name, variable.value);
      variable.value = session.state->input(*name, variable.value->type);
    }
  }
  c.out_from_file(0, variable.value);
}

void table_operator(Context& c) {
  c.b.fail("look-up tables of strings are not supported; look the words up before the request");
}

void note_set(const SubGraph& graph, std::set<std::string>& names) {
  std::map<int32_t, std::string> handles;
  for (const Operator& op : graph.operators) {
    if (op.name == "VAR_HANDLE" && !op.outputs.empty()) {
      handles[op.outputs[0]] = variable_name(op.options);
    }
    if (op.name != "ASSIGN_VARIABLE" || op.inputs.empty()) continue;
    const auto at = handles.find(op.inputs[0]);
    if (at != handles.end()) names.insert(at->second);
  }
}

}  // namespace

std::set<std::string> changing_variables(const File& file) {
  std::set<int64_t> start;
  for (const SubGraph& graph : file.subgraphs) {
    for (const Operator& op : graph.operators) {
      if (op.name == "CALL_ONCE") start.insert(op.options.integer(0));
    }
  }
  std::set<std::string> names;
  for (size_t i = 0; i < file.subgraphs.size(); ++i) {
    if (!start.contains(static_cast<int64_t>(i))) note_set(file.subgraphs[i], names);
  }
  return names;
}

void register_variables(OpTable& table) {
  table.add("VAR_HANDLE", var_handle);
  table.add("ASSIGN_VARIABLE", assign_variable, "inside IF and WHILE");
  table.add("READ_VARIABLE", read_variable);
  for (const char* name :
       {"HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE", "HASHTABLE_LOOKUP"}) {
    table.add(name, table_operator, "always");
  }
}

}  // namespace supernova::import::tflite
