// Runs of plain numbers in a JSON array, read many times faster than one by one: what input tensors
// mostly are. Pure functions; they never fail, but stop before what they leave to JsonReader.
#pragma once

#include <cstddef>
#include <string_view>

namespace supernova::protocol::oip {

struct NumberRun {
  size_t count = 0;       // numbers taken
  size_t size = 0;        // characters taken
  bool value_due = true;  // whether a comma has been taken behind the last one
};

// Takes `number, number, ...` from the start of `text`, where a value is due, with the commas and
// white space behind each, and writes the values, correctly rounded, to `values`: at most `room`.
// Stops before anything else: the end of the array, a number that is malformed, out of range or
// written at great length. T is float, double, or a fixed-width integer of 8 to 64 bits.
template <typename T>
NumberRun read_number_run(std::string_view text, T* values, size_t room);

// The same without values.
NumberRun skip_number_run(std::string_view text);

}  // namespace supernova::protocol::oip
