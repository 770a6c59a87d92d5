// supernova-worker: hosts one engine for a server, which starts it. Wiring only.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "engine/worker/server.h"
#include "engines.h"

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::puts("supernova-worker " SUPERNOVA_VERSION);
    return 0;
  }
  int type = 0;
  socklen_t size = sizeof(type);
  const int socket = supernova::engine::worker::kSocketFile;
  if (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
    std::fputs("error: supernova starts this program; 'supernova serve --help' says how\n", stderr);
    return 2;
  }
  const int code = supernova::engine::worker::serve(supernova::engine::worker::builtin_engines());
  std::fflush(nullptr);
  ::_exit(code);
}
