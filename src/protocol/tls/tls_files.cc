#include "protocol/tls/tls_files.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/log.h"
#include "protocol/tls/pem.h"
#include "protocol/tls/server_context.h"

namespace supernova::protocol::tls {
namespace {

constexpr int64_t kMaxFileBytes = 1024 * 1024;

base::Result<std::string> read_file(std::string_view what, const std::string& path) {
  const std::string named = base::str_cat("TLS: the ", what, " '", path, "' ");
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return absl::NotFoundError(base::str_cat(named, "does not exist; check the path"));
    }
    return absl::PermissionDeniedError(
        base::str_cat(named, "can't be reached (", std::strerror(errno), ")"));
  }
  if (S_ISDIR(status.st_mode)) {
    return absl::InvalidArgumentError(base::str_cat(named, "is a folder; name the PEM file in it"));
  }
  if (status.st_size > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        base::str_cat(named, "has ", status.st_size, " bytes; a PEM file is far smaller"));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string content(std::istreambuf_iterator<char>(file), {});
  if (!file.good() && !file.eof()) {
    return absl::PermissionDeniedError(
        base::str_cat(named, "can't be read (", std::strerror(errno),
                      "); make it readable for the user this server runs as"));
  }
  if (content.empty()) {
    return absl::InvalidArgumentError(base::str_cat(named, "is empty"));
  }
  return content;
}

base::Result<TlsMaterial> read_material(const TlsOptions& options) {
  if (options.certificate_file.empty() || options.key_file.empty()) {
    return absl::InvalidArgumentError(
        "TLS needs both a certificate file and a private key file; one of them is not given");
  }
  TlsMaterial material;
  SN_ASSIGN(material.certificate_chain, read_file("certificate file", options.certificate_file));
  SN_ASSIGN(material.key, read_file("private key file", options.key_file));
  if (!options.client_ca_file.empty()) {
    SN_ASSIGN(material.client_ca, read_file("client CA file", options.client_ca_file));
  }
  SN_TRY(make_server_context(material, options).status());
  return material;
}

// What is wrong with the dates of material that read_material() has passed; "" = nothing.
std::string validity_problem_of(const TlsMaterial& material, const std::string& file) {
  const auto chain = parse_certificates(material.certificate_chain, file);
  return chain.ok() ? validity_problem(*chain->front()) : "";
}

void warn_about_dates(const TlsMaterial& material, const std::string& file) {
  const std::string problem = validity_problem_of(material, file);
  if (problem.empty()) return;
  SN_LOG(Warning, "TLS: the certificate '{}' {}; clients will refuse it", file, problem);
}

}  // namespace

base::Result<std::unique_ptr<TlsFiles>> TlsFiles::open(const TlsOptions& options) {
  std::unique_ptr<TlsFiles> files(new TlsFiles(options));
  files->seen_ = files->stamps();
  SN_ASSIGN(TlsMaterial material, read_material(options));
  warn_about_dates(material, options.certificate_file);
  files->current_ = std::make_shared<const TlsMaterial>(std::move(material));
  files->next_look_ = std::chrono::steady_clock::now() + options.check_interval;
  return files;
}

std::shared_ptr<const TlsMaterial> TlsFiles::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

TlsFiles::Stamp TlsFiles::stamp_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_size,
          int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

TlsFiles::Stamps TlsFiles::stamps() const {
  return {stamp_of(options_.certificate_file), stamp_of(options_.key_file),
          stamp_of(options_.client_ca_file)};
}

bool TlsFiles::poll(std::chrono::steady_clock::time_point now) {
  std::lock_guard lock(mutex_);
  if (now < next_look_) return false;
  next_look_ = now + options_.check_interval;
  const Stamps stamps = this->stamps();  // before reading: a change while reading is seen next time
  if (stamps == seen_) return false;
  seen_ = stamps;
  auto material = read_material(options_);
  if (!material.ok()) {
    SN_LOG(Warning, "{}; the certificate read before stays in use",
           base::message(material.status()));
    return false;
  }
  const std::string problem = validity_problem_of(*material, options_.certificate_file);
  if (!problem.empty() && validity_problem_of(*current_, options_.certificate_file).empty()) {
    SN_LOG(Warning, "TLS: the new certificate '{}' {}; the one read before stays in use",
           options_.certificate_file, problem);
    return false;
  }
  warn_about_dates(*material, options_.certificate_file);
  material->generation = current_->generation + 1;
  current_ = std::make_shared<const TlsMaterial>(*std::move(material));
  SN_LOG(Info, "TLS: certificate '{}' read again", options_.certificate_file);
  return true;
}

}  // namespace supernova::protocol::tls
