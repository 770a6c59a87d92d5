// An inference request's message and what it takes of the memory that clients may fill.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "protocol/grpc/message.h"
#include "protocol/grpc/request_memory.h"
#include "tensor/buffer.h"

namespace supernova::protocol::grpc {

// Inputs have their bytes from it, and so it counts until the last of them has gone.
struct ReceivedRequest {
  ReceivedRequest(std::shared_ptr<RequestMemory> memory, Message taken)
      : hold(std::move(memory)), message(std::move(taken)) {}

  RequestMemory::Hold hold;
  Message message;
  std::vector<tensor::Buffer> copies;  // contents that could not stay in the message
  // Small contents are moved here, where they are aligned: gRPC's slices begin anywhere.
  alignas(64) std::array<std::byte, 1024> small;
};

}  // namespace supernova::protocol::grpc
