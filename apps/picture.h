// Turns a picture file (JPEG, PNG, BMP, GIF, TGA, PNM) into a tensor of the shape a model wants.
#pragma once

#include <string>

#include "base/status.h"
#include "tensor/artefact.h"
#include "tensor/tensor.h"

namespace supernova::apps {

// Whether the file starts like a picture.
bool looks_like_picture(std::string_view content);

// Decodes `content`, resizes it (bilinear) to the model's height and width (a size of -1 keeps the
// picture's own), and lays it out as the input's shape says: [N,C,H,W], [N,H,W,C], [C,H,W], [H,W,C]
// or [H,W], with C 1, 3 or 4. UINT8 and INT8 (minus 128) take the pixels, FP32 (pixel - mean) /
// std. Options: picture.mean and picture.std (one number, or one a channel; default 0 and 1: values
// 0..255), picture.channels=rgb|bgr, picture.layout=nchw|nhwc where the shape leaves it open.
// `done` says, in words, what was done.
base::Result<tensor::Tensor> picture_to_tensor(std::string_view content, std::string_view what,
                                               const tensor::TensorInfo& input,
                                               const tensor::Options& options, std::string& done);

}  // namespace supernova::apps
