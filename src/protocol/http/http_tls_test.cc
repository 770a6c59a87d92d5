// HTTPS over real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "protocol/http/http_test_fixture.h"
#include "protocol/tls/openssl.h"
#include "support/certificates.h"

namespace supernova::protocol::http {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::make_certificate;
using test::TestCertificate;
using testing::HasSubstr;
using testing::StartsWith;

const TestCertificate& authority() {
  static const TestCertificate made =
      make_certificate({.common_name = "authority", .is_authority = true});
  return made;
}

// What a client brings along.
struct ClientTls {
  const TestCertificate* certificate = nullptr;
  std::string protocols;  // ALPN, in its wire form
  int max_version = 0;

  tls::ContextPtr context() const {
    const tls::ContextPtr context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    const tls::BioPtr root = tls::memory_bio(authority().certificate);
    const tls::CertificatePtr trusted(PEM_read_bio_X509(root.get(), nullptr, nullptr, nullptr));
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), trusted.get());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (max_version != 0) SSL_CTX_set_max_proto_version(context.get(), max_version);
    if (!protocols.empty()) {
      SSL_CTX_set_alpn_protos(context.get(),
                              reinterpret_cast<const unsigned char*>(protocols.data()),
                              static_cast<unsigned>(protocols.size()));
    }
    if (certificate != nullptr) {
      const tls::BioPtr own = tls::memory_bio(certificate->certificate);
      const tls::BioPtr key = tls::memory_bio(certificate->key);
      const tls::CertificatePtr parsed(PEM_read_bio_X509(own.get(), nullptr, nullptr, nullptr));
      const tls::KeyPtr parsed_key(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
      SSL_CTX_use_certificate(context.get(), parsed.get());
      SSL_CTX_use_PrivateKey(context.get(), parsed_key.get());
    }
    return context;
  }
};

class HttpTlsTest : public HttpServerTest {
 protected:
  HttpTlsTest() {
    fs::create_directories(folder_);
    options_.tls.emplace();
    options_.tls->certificate_file = folder_ / "server.crt";
    options_.tls->key_file = folder_ / "server.key";
    options_.tls->check_interval = 0ms;
    certify("localhost");
  }
  ~HttpTlsTest() override { fs::remove_all(folder_); }

  void write(const std::string& path, const std::string& content) {
    std::ofstream(path + ".new", std::ios::binary) << content;
    fs::rename(path + ".new", path);
  }
  void certify(const std::string& common_name) {
    const TestCertificate made =
        make_certificate({.common_name = common_name, .issuer = &authority()});
    write(options_.tls->certificate_file, made.certificate);
    write(options_.tls->key_file, made.key);
  }
  void demand_client_certificates() {
    options_.tls->client_ca_file = folder_ / "clients.crt";
    write(options_.tls->client_ca_file, authority().certificate);
    start();
  }
  std::string certified_name(Client& client) {
    const tls::CertificatePtr certificate(SSL_get1_peer_certificate(client.tls()));
    char name[64] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                              sizeof(name));
    return name;
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("supernova_http_tls_" + std::to_string(::getpid()));
};

TEST_F(HttpTlsTest, RequestsAndResponses) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client client(server_->port());
    ASSERT_TRUE(client.start_tls(ClientTls{.max_version = version}.context().get()));
    for (int i = 0; i < 3; ++i) {
      client.send("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
      EXPECT_EQ(body_of(client.receive()), "POST /a abc");
    }
    client.send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(body_of(client.receive()), "GET /1 ");
    EXPECT_EQ(body_of(client.receive()), "GET /2 ");
    EXPECT_TRUE(client.closed());
    EXPECT_EQ(SSL_get_shutdown(client.tls()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
  }
}

TEST_F(HttpTlsTest, LargeBodiesBothWaysWithASlowReader) {
  std::string body(20'000'000, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7 + i / 1000);
  Client client(server_->port());
  ASSERT_TRUE(client.start_tls(ClientTls{}.context().get()));
  client.send("POST / HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  client.send(body);
  std::this_thread::sleep_for(100ms);
  EXPECT_TRUE(body_of(client.receive()) == "POST / " + body);
  client.send("GET /next HTTP/1.1\r\n\r\n");
  EXPECT_EQ(body_of(client.receive()), "GET /next ");
}

TEST_F(HttpTlsTest, ManyBuffersOfOddSizes) {
  std::string expected = "head";
  std::vector<tensor::Buffer> buffers;
  for (const size_t size : {1, 16'383, 0, 16'384, 40'000, 3, 16'385, 200'000}) {
    buffers.push_back(
        tensor::Buffer::copy_of(std::string(size, static_cast<char>('a' + size % 26))));
    expected += buffers.back().view();
  }
  handler_.act = [&](HttpRequest, Responder respond) {
    HttpResponse response;
    response.body = "head";
    response.buffers = buffers;
    respond(std::move(response));
  };
  Client client(server_->port());
  ASSERT_TRUE(client.start_tls(ClientTls{}.context().get()));
  for (int i = 0; i < 20; ++i) {
    client.send("GET / HTTP/1.1\r\n\r\n");
    EXPECT_TRUE(body_of(client.receive()) == expected);
  }
}

TEST_F(HttpTlsTest, OldVersionsAndOtherProtocolsAreRefused) {
  Client old(server_->port());
  EXPECT_FALSE(old.start_tls(ClientTls{.max_version = TLS1_1_VERSION}.context().get()));
  Client http2(server_->port());
  EXPECT_FALSE(http2.start_tls(ClientTls{.protocols = "\x02h2"}.context().get()));
  Client both(server_->port());
  ASSERT_TRUE(both.start_tls(ClientTls{.protocols = "\x02h2\x08http/1.1"}.context().get()));
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(both.tls(), &chosen, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), "http/1.1");
}

TEST_F(HttpTlsTest, ClientCertificatesReachTheHandler) {
  demand_client_certificates();
  std::mutex mutex;
  Peer peer;
  handler_.act = [&](HttpRequest request, Responder respond) {
    std::lock_guard lock(mutex);
    peer = *request.peer;
    respond(HttpResponse{});
  };
  const TestCertificate known =
      make_certificate({.common_name = "edge-7",
                        .alternative_names = "DNS:edge-7.example,URI:spiffe://example/edge/7",
                        .issuer = &authority()});
  Client client(server_->port());
  ASSERT_TRUE(client.start_tls(ClientTls{.certificate = &known}.context().get()));
  client.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.receive(), StartsWith("HTTP/1.1 200 "));
  std::lock_guard lock(mutex);
  EXPECT_EQ(peer.address, "127.0.0.1");
  EXPECT_EQ(peer.common_name, "edge-7");
  EXPECT_EQ(peer.alternative_name, "spiffe://example/edge/7");
}

TEST_F(HttpTlsTest, ClientsWithoutAKnownCertificateAreRefused) {
  demand_client_certificates();
  const TestCertificate stranger = make_certificate({.common_name = "stranger"});
  const TestCertificate late = make_certificate(
      {.common_name = "late", .valid_from = -2000, .valid_until = -1000, .issuer = &authority()});
  for (const TestCertificate* certificate :
       {static_cast<const TestCertificate*>(nullptr), &stranger, &late}) {
    Client client(server_->port());
    // With TLS 1.3 the client learns of it only when it reads.
    client.start_tls(ClientTls{.certificate = certificate}.context().get());
    client.send("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(client.receive(), "");
  }
}

TEST_F(HttpTlsTest, PeersWithoutTlsIdentityHaveAnAddress) {
  options_.tls.reset();
  start();
  handler_.act = [](HttpRequest request, Responder respond) {
    HttpResponse response;
    response.body = request.peer->address + "|" + request.peer->common_name;
    respond(std::move(response));
  };
  EXPECT_EQ(body_of(exchange("GET / HTTP/1.1\r\n\r\n")), "127.0.0.1|");
}

TEST_F(HttpTlsTest, ANewCertificateIsForNewConnections) {
  Client before(server_->port());
  ASSERT_TRUE(before.start_tls(ClientTls{}.context().get()));
  EXPECT_EQ(certified_name(before), "localhost");
  certify("renewed");
  Client after(server_->port());
  ASSERT_TRUE(after.start_tls(ClientTls{}.context().get()));
  EXPECT_EQ(certified_name(after), "renewed");
  write(options_.tls->key_file, "broken");
  Client then(server_->port());
  ASSERT_TRUE(then.start_tls(ClientTls{}.context().get()));
  EXPECT_EQ(certified_name(then), "renewed");
  for (Client* client : {&before, &after, &then}) {
    client->send("GET /on HTTP/1.1\r\n\r\n");
    EXPECT_EQ(body_of(client->receive()), "GET /on ");
  }
}

TEST_F(HttpTlsTest, ReloadsUnderLoadFailNoRequest) {
  std::atomic<bool> done{false};
  std::atomic<int> failures{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      const tls::ContextPtr context = ClientTls{}.context();
      while (!done) {
        Client client(server_->port());
        if (!client.start_tls(context.get())) {
          ++failures;
          continue;
        }
        for (int request = 0; request < 5; ++request) {
          client.send("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
          if (body_of(client.receive()) != "POST /a abc") ++failures;
        }
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    certify("number " + std::to_string(i));
    std::this_thread::sleep_for(5ms);
  }
  done = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(failures, 0);
}

TEST_F(HttpTlsTest, PlainHttpIsToldToUseHttps) {
  for (const char* method : {"GET", "POST", "DELETE", "OPTIONS"}) {
    Client client(server_->port());
    client.send(std::string(method) + " / HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    const std::string response = client.receive();
    EXPECT_THAT(response, StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(response, HasSubstr("https://"));
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(HttpTlsTest, RubbishAndSilenceEndTheConnection) {
  options_.handshake_timeout = 1s;
  start();
  Client silent(server_->port());
  Client half(server_->port());
  half.send(std::string_view("\x16\x03\x01", 3));
  for (const std::string_view rubbish :
       {std::string_view("\x16\x03\x01\x00\x05hello", 10), std::string_view("\x00\x00\x00\x00", 4),
        std::string_view("ssh-2.0\r\n")}) {
    Client client(server_->port());
    client.send(rubbish);
    client.half_close();
    client.receive_all();
    EXPECT_TRUE(client.closed());
  }
  EXPECT_EQ(half.receive_all(), "");
  EXPECT_TRUE(half.closed());
  EXPECT_TRUE(silent.closed());
}

TEST_F(HttpTlsTest, FailedHandshakesDoNotFloodTheLog) {
  testing::internal::CaptureStderr();
  for (int i = 0; i < 50; ++i) {
    Client client(server_->port());
    client.send("rubbish\r\n");
    client.receive_all();
  }
  server_.reset();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("handshake"));
  // One line per I/O thread at most.
  EXPECT_LE(std::count(log.begin(), log.end(), '\n'), 2) << log;
}

TEST_F(HttpTlsTest, DisconnectCancels) {
  std::mutex mutex;
  std::condition_variable changed;
  std::shared_ptr<tensor::Cancellation> cancellation;
  std::optional<Responder> kept;
  handler_.act = [&](HttpRequest request, Responder respond) {
    std::lock_guard lock(mutex);
    cancellation = request.cancellation;
    kept.emplace(std::move(respond));
    changed.notify_all();
  };
  Client client(server_->port());
  ASSERT_TRUE(client.start_tls(ClientTls{}.context().get()));
  client.send("GET / HTTP/1.1\r\n\r\n");
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, 5s, [&] { return cancellation != nullptr; }));
  }
  std::this_thread::sleep_for(300ms);
  EXPECT_FALSE(cancellation->cancelled());
  client.close();
  for (int i = 0; i < 500 && !cancellation->cancelled(); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(cancellation->cancelled());
  (*kept)(HttpResponse{});
}

// A connection that has given its buffer back while it waited goes on.
TEST_F(HttpTlsTest, IdleConnectionsWakeUp) {
  Client client(server_->port());
  ASSERT_TRUE(client.start_tls(ClientTls{}.context().get()));
  for (int i = 0; i < 2; ++i) {
    client.send("GET /a HTTP/1.1\r\n\r\n");
    EXPECT_EQ(body_of(client.receive()), "GET /a ");
    std::this_thread::sleep_for(1400ms);
  }
}

TEST_F(HttpTlsTest, WrongFilesKeepTheServerFromStarting) {
  write(options_.tls->key_file, "broken");
  const auto refused = HttpServer::start(options_, handler_);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(base::message(refused.status()), HasSubstr("server.key"));
}

}  // namespace
}  // namespace supernova::protocol::http
