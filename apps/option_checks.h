// What the values of flags are held against, beyond what CLI11 brings.
#pragma once

#include <CLI/CLI.hpp>

namespace supernova::apps {

// A number of bytes with or without a unit (512MiB); refuses what is negative or too large, which
// CLI11's own reader would turn into another number.
CLI::Validator byte_size();

// A port, 0 to 65535.
CLI::Validator port();

// Refuses "", which is what a variable of a shell that is not set leaves of an argument.
CLI::Validator not_empty();

}  // namespace supernova::apps
