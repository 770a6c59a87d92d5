#include "protocol/oip/requested_output.h"

#include <limits>

#include "protocol/oip/json_object.h"

namespace supernova::protocol::oip {
namespace {

struct Wanted {
  bool binary = false;
  uint32_t classification = 0;
  SharedMemoryPlace place;
};

base::Status read_output_parameters(JsonReader& reader, const std::string& who, Wanted& wanted) {
  const auto member = [&](const std::string& key) -> base::Status {
    if (key == "binary_data") {
      SN_ASSIGN(wanted.binary, read_flag(reader, key, who));
    } else if (key == "classification") {
      SN_ASSIGN(const uint64_t best, read_size(reader, key, who));
      if (best > std::numeric_limits<uint32_t>::max()) {
        return absl::InvalidArgumentError(
            base::str_cat("'classification' of ", who, " is beyond 2^32-1"));
      }
      wanted.classification = static_cast<uint32_t>(best);
    } else {
      tensor::Parameter value;
      SN_TRY(read_parameter(reader, key, who, value));
      SN_TRY(base::annotate(wanted.place.take(key, value), who));
    }
    return {};
  };
  return read_json_object(reader, base::str_cat("'parameters' of ", who), member);
}

base::Status check_combination(const Wanted& wanted) {
  SN_TRY(wanted.place.check());
  if (!wanted.place.given()) return {};
  if (wanted.classification > 0) {
    return absl::InvalidArgumentError(
        "'classification' and 'shared_memory_region' exclude each "
        "other");
  }
  if (wanted.binary) {
    return absl::InvalidArgumentError(
        "'binary_data' and 'shared_memory_region' exclude each "
        "other");
  }
  return {};
}

}  // namespace

base::Status read_requested_output(JsonReader& reader, const std::string& place,
                                   const SharedMemoryPart& shared_memory, OutputForm::Listed& form,
                                   std::vector<tensor::RequestedOutput>& outputs) {
  bool has_name = false;
  Wanted wanted;
  const auto who = [&] { return has_name ? "output '" + form.name + "'" : place; };
  const auto member = [&](const std::string& key) -> base::Status {
    std::string_view ignored;
    if (key == "name") {
      has_name = reader.read_string(form.name);
    } else if (key == "parameters") {
      return read_output_parameters(reader, who(), wanted);
    } else {
      reader.skip_value(ignored);
    }
    return {};
  };
  SN_TRY(read_json_object(reader, place, member));
  if (!has_name) return absl::InvalidArgumentError(base::str_cat(place, " has no 'name'"));
  SN_TRY(base::annotate(check_combination(wanted), who()));

  tensor::RequestedOutput output(form.name);
  output.classification = wanted.classification;
  if (wanted.place.given()) {
    auto part = wanted.place.resolve(shared_memory);
    if (!part.ok()) return base::annotate(part.status(), who());
    output.destination = *std::move(part);
  }
  form.form = wanted.place.given() ? OutputForm::Form::kSharedMemory
              : wanted.binary      ? OutputForm::Form::kBinary
                                   : OutputForm::Form::kJson;
  outputs.push_back(std::move(output));
  return {};
}

}  // namespace supernova::protocol::oip
