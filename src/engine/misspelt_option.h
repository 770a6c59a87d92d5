// Options pass through to engines, which alone know theirs: one that is spelt wrong is lost. This
// finds those that look like one that keeps a model off the CPU or away from the server.
#pragma once

#include <string_view>

namespace supernova::engine {

// The option that was probably meant; "" = it is one, or looks like none. Pure.
std::string_view misspelt_option(std::string_view option);

}  // namespace supernova::engine
