// Vendors' libraries are asked in a child process, this program started anew with a hidden command:
// one that crashes or hangs costs its answer and nothing else. Thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "device/probes.h"

namespace supernova::device {

// To be called first by main: in such a child it answers and returns the exit code; elsewhere it
// notes that this program can be asked.
std::optional<int> library_child_main(int argc, char** argv);
// argv of this program as a child, without the probe's name; empty when its main can't answer.
std::vector<std::string> this_program_as_child();

// Runs `command` + `probe` for at most `limit`.
LibraryAnswer ask_in_child(const std::vector<std::string>& command, std::string_view probe,
                           std::chrono::milliseconds limit);

// How an answer crosses the pipe. Whatever cannot be read is kCrashed.
std::string write_answer(const LibraryAnswer& answer);
LibraryAnswer read_answer(std::string_view text);

}  // namespace supernova::device
