// Tiny .tflite files, as the engine suite makes them too.
#pragma once

#include "conformance/tflite_builder.h"

namespace supernova::test {

using conformance::bytes_of;
using conformance::FlatTable;
using conformance::TfModel;
using conformance::TfTensor;
using conformance::TfType;

}  // namespace supernova::test
