// The reader of .tflite files (tensor/tflite), which the engine uses too, in this folder's terms.
#pragma once

#include "tensor/tflite/file.h"

namespace supernova::import::tflite {

using tensor::tflite::as_in_file;
using tensor::tflite::data_type;
using tensor::tflite::Element;
using tensor::tflite::element_name;
using tensor::tflite::File;
using tensor::tflite::is_tflite;
using tensor::tflite::Numbers;
using tensor::tflite::Operator;
using tensor::tflite::Quantisation;
using tensor::tflite::read_file;
using tensor::tflite::Reader;
using tensor::tflite::SignatureDef;
using tensor::tflite::SubGraph;
using tensor::tflite::Table;
using tensor::tflite::Tables;
using tensor::tflite::TensorDef;

}  // namespace supernova::import::tflite
