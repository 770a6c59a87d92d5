// Typed access to the fields of a message in text form. What can't be read as asked is noted, once,
// with field, line and column; the default stands for it meanwhile.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "import/caffe/text_format.h"

namespace supernova::import::caffe {

class Params {
 public:
  // `message` may be null: a message without fields. The first error goes to `status`; both outlive
  // this object. `path` is how errors call the message: "convolution_param".
  Params(const TextMessage* message, std::string path, base::Status& status)
      : message_(message), path_(std::move(path)), status_(&status) {}

  bool exists() const { return message_ != nullptr; }
  bool has(std::string_view name) const;
  size_t count(std::string_view name) const;

  int64_t integer(std::string_view name, int64_t otherwise) const;
  std::optional<int64_t> integer(std::string_view name) const;
  double number(std::string_view name, double otherwise) const;
  bool flag(std::string_view name, bool otherwise) const;
  std::string text(std::string_view name, std::string_view otherwise = "") const;
  // An enum's value as its name, given as that or as its number; names[i] has the number
  // `first + i`.
  std::string choice(std::string_view name, const std::vector<std::string_view>& names,
                     std::string_view otherwise, int64_t first = 0) const;
  std::vector<int64_t> integers(std::string_view name) const;
  std::vector<float> numbers(std::string_view name) const;
  std::vector<std::string> texts(std::string_view name) const;
  Params message(std::string_view name) const;
  std::vector<Params> messages(std::string_view name) const;
  // The numbers of a shape message (`dim: 1 dim: 3`), each in [low, 2^31).
  std::vector<int64_t> shape(int64_t low = 0) const;
  // Notes that a field is not what it should be.
  void refuse(const TextField& field, std::string_view wanted) const;

 private:
  const TextField* find(std::string_view name) const;
  int64_t to_integer(const TextField& field, int64_t otherwise) const;
  double to_number(const TextField& field, double otherwise) const;

  const TextMessage* message_;
  std::string path_;
  base::Status* status_;
};

// A whole number in decimal, hexadecimal or octal, signed.
std::optional<int64_t> parse_integer(std::string_view text);

}  // namespace supernova::import::caffe
