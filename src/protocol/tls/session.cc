#include "protocol/tls/session.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>

namespace supernova::protocol::tls {
namespace {

int send_without_signal(BIO* bio, const char* data, int size) {
  int socket = -1;
  BIO_get_fd(bio, &socket);
  errno = 0;
  const ssize_t sent = ::send(socket, data, static_cast<size_t>(size), MSG_NOSIGNAL);
  BIO_clear_retry_flags(bio);
  if (sent <= 0 && BIO_sock_should_retry(static_cast<int>(sent))) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

// OpenSSL's own socket BIO, except that writing to a closed connection is an error and no signal.
BIO_METHOD* make_socket_method() {
  const BIO_METHOD* const plain = BIO_s_socket();
  BIO_METHOD* const method = BIO_meth_new(BIO_TYPE_SOCKET, "socket without SIGPIPE");
  if (method == nullptr) return nullptr;
  BIO_meth_set_write(method, send_without_signal);
  BIO_meth_set_read(method, BIO_meth_get_read(plain));
  BIO_meth_set_ctrl(method, BIO_meth_get_ctrl(plain));
  BIO_meth_set_create(method, BIO_meth_get_create(plain));
  BIO_meth_set_destroy(method, BIO_meth_get_destroy(plain));
  return method;
}

int as_int(size_t size) {
  return static_cast<int>(std::min<size_t>(size, std::numeric_limits<int>::max()));
}

// Names with a zero byte inside are lies.
std::string text_of(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int size = string == nullptr ? -1 : ASN1_STRING_to_UTF8(&utf8, string);
  if (size < 0) return "";
  std::string text(reinterpret_cast<char*>(utf8), static_cast<size_t>(size));
  OPENSSL_free(utf8);
  return text.find('\0') == std::string::npos ? text : "";
}

std::string common_name_of(const X509& certificate) {
  const X509_NAME* const subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  return at < 0 ? "" : text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::string alternative_name_of(const X509& certificate) {
  using NamesPtr = std::unique_ptr<GENERAL_NAMES, Release<GENERAL_NAMES_free>>;
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (const int wanted : {GEN_URI, GEN_DNS}) {
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
      const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
      if (name->type == wanted) return text_of(name->d.ia5);
    }
  }
  return "";
}

}  // namespace

std::unique_ptr<Session> Session::accept(ContextPtr context, int socket) {
  static BIO_METHOD* const method = make_socket_method();
  ERR_clear_error();
  SslPtr ssl(SSL_new(context.get()));
  BIO* const bio = method == nullptr ? nullptr : BIO_new(method);
  if (!ssl || bio == nullptr) {
    BIO_free(bio);
    return nullptr;
  }
  BIO_set_fd(bio, socket, BIO_NOCLOSE);
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_accept_state(ssl.get());
  return std::unique_ptr<Session>(new Session(std::move(context), std::move(ssl)));
}

Session::Outcome Session::outcome_of(int result) {
  if (result > 0) return Outcome::kDone;
  const int system_error = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Outcome::kWantsRead;
    case SSL_ERROR_WANT_WRITE:
      return Outcome::kWantsWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Outcome::kClosed;
    default:
      break;
  }
  established_ = false;  // no farewell after an error
  if (ERR_peek_error() != 0) {
    error_ = take_error();
  } else {
    error_ = system_error == 0 ? "the connection was closed" : std::strerror(system_error);
  }
  return Outcome::kFailed;
}

Session::Outcome Session::handshake() {
  ERR_clear_error();
  errno = 0;
  const Outcome outcome = outcome_of(SSL_do_handshake(ssl_.get()));
  established_ = outcome == Outcome::kDone;
  if (outcome == Outcome::kClosed) error_ = "the connection was closed";
  return outcome;
}

Session::Transfer Session::read(void* data, size_t size) {
  ERR_clear_error();
  errno = 0;
  const int got = SSL_read(ssl_.get(), data, as_int(size));
  return {outcome_of(got), got > 0 ? static_cast<size_t>(got) : 0};
}

Session::Transfer Session::write(const void* data, size_t size) {
  ERR_clear_error();
  errno = 0;
  const int sent = SSL_write(ssl_.get(), data, as_int(size));
  return {outcome_of(sent), sent > 0 ? static_cast<size_t>(sent) : 0};
}

Session::Outcome Session::peek() {
  ERR_clear_error();
  errno = 0;
  char byte = 0;
  return outcome_of(SSL_peek(ssl_.get(), &byte, 1));
}

void Session::close_notify() {
  if (!established_) return;
  established_ = false;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

PeerIdentity Session::peer() const {
  const CertificatePtr certificate(SSL_get1_peer_certificate(ssl_.get()));
  if (!certificate || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return {};
  return {common_name_of(*certificate), alternative_name_of(*certificate)};
}

}  // namespace supernova::protocol::tls
