#include "service/access_control.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

#include "base/log.h"
#include "service/access_file.h"
#include "service/access_restricted.h"

namespace supernova::service {
namespace {

constexpr size_t kMaxAccessFile = 8U << 20;
constexpr size_t kMaxKeyFile = 64U << 10;
constexpr int64_t kClockTick = 2'000'000'000;  // of the coarsest file system, in nanoseconds

// What tells one content of a file from another without reading it.
struct Stamp {
  bool there = false;
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  int64_t modified = 0;
  int64_t changed = 0;
  bool operator==(const Stamp&) const = default;
};

int64_t nanoseconds(const timespec& time) {
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

Stamp stamp(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return {};
  return {true,
          info.st_dev,
          info.st_ino,
          info.st_size,
          nanoseconds(info.st_mtim),
          nanoseconds(info.st_ctim)};
}

class File {
 public:
  // Not blocking: a pipe in the file's place must not hold up the server.
  explicit File(const std::string& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

base::Status cannot_read() {
  return absl::InvalidArgumentError(base::str_cat("cannot be read: ", std::strerror(errno)));
}

base::Result<std::string> read_file(const std::string& path, size_t limit) {
  const File file(path);
  struct stat info {};
  if (file.descriptor() < 0 || fstat(file.descriptor(), &info) != 0) return cannot_read();
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError("is not a file");
  std::string content(limit + 1, '\0');
  size_t size = 0;
  while (size < content.size()) {
    const ssize_t got = ::read(file.descriptor(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read();
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > limit) {
    return absl::InvalidArgumentError(base::str_cat("is larger than ", limit, " bytes"));
  }
  content.resize(size);
  return content;
}

using RulesPtr = std::shared_ptr<const AccessRules>;

// A reading of the access file and the key files it names.
struct Reading {
  std::map<std::string, Stamp> stamps;  // all files that were looked for, also when one is wrong
  Sha256 digest{};                      // of all that was read
  base::Result<RulesPtr> rules;
};

Reading load(const std::string& path) {
  Reading reading;
  std::string all;
  const auto read = [&](const std::string& file, size_t limit) {
    reading.stamps[file] = stamp(file);  // before its content: a change in between is seen later
    auto content = read_file(file, limit);
    all += content.ok() ? base::str_cat(*content, "\n") : content.status().ToString();
    return content;
  };
  const auto read_key = [&](const std::string& name) {
    return read((std::filesystem::path(path).parent_path() / name).string(), kMaxKeyFile);
  };
  const auto content = read(path, kMaxAccessFile);
  auto rules =
      content.ok() ? parse_access(*content, read_key) : base::Result<AccessRules>(content.status());
  if (rules.ok()) {
    reading.rules = std::make_shared<const AccessRules>(*std::move(rules));
  } else {
    reading.rules = base::annotate(rules.status(), base::str_cat("access file '", path, "'"));
  }
  reading.digest = sha256(all);
  return reading;
}

// The rules of a file, as they are now.
class WatchedRules {
 public:
  WatchedRules(std::string path, std::chrono::milliseconds check_every)
      : path_(std::move(path)), check_every_(check_every) {}

  base::Status open() {
    last_ = load(path_);
    SN_ASSIGN(rules_, last_.rules);
    return {};
  }

  RulesPtr get() {
    look();
    const std::lock_guard lock(rules_mutex_);
    return rules_;
  }

 private:
  void look() {
    // One thread looks, the others go on with the rules in force.
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    auto due = next_look_.load(std::memory_order_relaxed);
    if (now.count() < due ||
        !next_look_.compare_exchange_strong(due, (now + check_every_).count())) {
      return;
    }
    const std::unique_lock lock(reload_mutex_, std::try_to_lock);
    if (!lock.owns_lock() || !changed()) return;
    Reading reading = load(path_);
    std::swap(last_, reading);
    if (last_.digest == reading.digest) return;
    if (!last_.rules.ok()) {
      SN_LOG(Error, "{}; the rules read before stay in force", base::message(last_.rules.status()));
      return;
    }
    SN_LOG(Info, "access file '{}' was read again", path_);
    const std::lock_guard swap(rules_mutex_);
    rules_ = *last_.rules;
  }

  bool changed() const {
    // Two changes within a tick of the file system's clock look alike: new files are read again.
    const int64_t now =
        std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
    for (const auto& [file, known] : last_.stamps) {
      if (now - known.changed < kClockTick || stamp(file) != known) return true;
    }
    return false;
  }

  const std::string path_;
  const std::chrono::nanoseconds check_every_;
  std::atomic<int64_t> next_look_{0};
  std::mutex reload_mutex_;
  Reading last_;  // under reload_mutex_
  std::mutex rules_mutex_;
  RulesPtr rules_;
};

base::Status not_valid() {
  return absl::UnauthenticatedError("the credentials are not valid or have expired");
}

// The token of "Bearer <token>"; the scheme's case does not matter (RFC 9110, 11.1).
std::optional<std::string_view> bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return std::nullopt;
  for (size_t i = 0; i < kScheme.size(); ++i) {
    char c = authorization[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c != kScheme[i]) return std::nullopt;
  }
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  if (authorization.empty()) return std::nullopt;
  return authorization;
}

// The first kind of credentials that is given counts; when it is wrong, no other is tried. A client
// certificate that the file does not name says nothing about who asks.
base::Result<Caller> identify(const AccessRules& rules, const Credentials& credentials,
                              WallTime now) {
  if (!credentials.authorization.empty()) {
    const auto token = bearer_token(credentials.authorization);
    if (!token) {
      return absl::UnauthenticatedError("the authorization must be 'Bearer' and a token");
    }
    auto caller = rules.by_secret(AccessRules::SecretKind::kToken, *token, now);
    if (!caller) caller = rules.by_jwt(*token, now);
    if (!caller) return not_valid();
    return *std::move(caller);
  }
  if (!credentials.api_key.empty()) {
    auto caller = rules.by_secret(AccessRules::SecretKind::kApiKey, credentials.api_key, now);
    if (!caller) return not_valid();
    return *std::move(caller);
  }
  if (!credentials.certificate.empty()) {
    if (auto caller = rules.by_certificate(credentials.certificate)) return *std::move(caller);
  }
  return rules.anonymous();
}

class ServerAccessControl : public AccessControl {
 public:
  ServerAccessControl(RestrictedApis http, RestrictedApis grpc, std::unique_ptr<WatchedRules> rules,
                      std::function<WallTime()> now)
      : http_(std::move(http)),
        grpc_(std::move(grpc)),
        rules_(std::move(rules)),
        now_(std::move(now)) {}

  base::Result<Caller> admit(Transport transport, Api api,
                             const Credentials& credentials) const override {
    const RestrictedApis& restricted = transport == Transport::kHttp ? http_ : grpc_;
    SN_TRY(restricted.check(api, credentials));
    if (rules_ == nullptr) return Caller{};
    const WallTime now = now_ ? now_() : std::chrono::system_clock::now();
    SN_ASSIGN(Caller caller, identify(*rules_->get(), credentials, now));
    SN_TRY(check_right(caller, api, ""));
    return caller;
  }

 private:
  const RestrictedApis http_;
  const RestrictedApis grpc_;
  const std::unique_ptr<WatchedRules> rules_;
  const std::function<WallTime()> now_;
};

}  // namespace

base::Result<std::unique_ptr<AccessControl>> make_access_control(AccessOptions options) {
  SN_ASSIGN(RestrictedApis http, RestrictedApis::parse(Transport::kHttp, options.http_restricted));
  SN_ASSIGN(RestrictedApis grpc, RestrictedApis::parse(Transport::kGrpc, options.grpc_restricted));
  std::unique_ptr<WatchedRules> rules;
  if (!options.access_file.empty()) {
    rules = std::make_unique<WatchedRules>(options.access_file, options.check_every);
    SN_TRY(rules->open());
  }
  if (rules == nullptr && http.empty() && grpc.empty()) return std::unique_ptr<AccessControl>();
  return std::unique_ptr<AccessControl>(std::make_unique<ServerAccessControl>(
      std::move(http), std::move(grpc), std::move(rules), std::move(options.now)));
}

}  // namespace supernova::service
