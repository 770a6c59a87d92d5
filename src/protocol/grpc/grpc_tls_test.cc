// Encrypted connections: certificates made on the spot, clients with and without their own.
#include <gmock/gmock.h>

#include <fstream>

#include "support/certificates.h"
#include "support/grpc_test_server.h"

namespace supernova::protocol::grpc {
namespace {

using ::grpc::StatusCode;
using test::make_certificate;
using test::TestCertificate;
using ::testing::HasSubstr;

void write(const std::string& path, const std::string& content) {
  // Beside it and renamed: a file is never seen half written.
  std::ofstream(path + ".new", std::ios::binary) << content;
  std::filesystem::rename(path + ".new", path);
}

class TlsTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    options_.tls.emplace();
    options_.tls->certificate_file = folder_ / "server.crt";
    options_.tls->key_file = folder_ / "server.key";
    options_.tls->check_interval = std::chrono::milliseconds(0);
    put(server_certificate_);
  }
  void put(const TestCertificate& made) {
    write(options_.tls->certificate_file, made.certificate);
    write(options_.tls->key_file, made.key);
  }
  void ask_for_clients() {
    options_.tls->client_ca_file = folder_ / "client-ca.crt";
    write(options_.tls->client_ca_file, authority_.certificate);
  }
  // Whether a client that trusts `root` gets an answer; with a certificate of its own if given.
  ::grpc::Status call(const TestCertificate& root, const TestCertificate* own = nullptr) {
    ::grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = root.certificate;
    if (own != nullptr) {
      ssl.pem_cert_chain = own->certificate;
      ssl.pem_private_key = own->key;
    }
    const auto channel = channel_to(::grpc::SslCredentials(ssl));
    return call(*inference::GRPCInferenceService::NewStub(channel));
  }
  static ::grpc::Status call(inference::GRPCInferenceService::Stub& stub) {
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    inference::ServerLiveResponse response;
    return stub.ServerLive(&context, {}, &response);
  }

  const TestCertificate server_certificate_ = make_certificate({});
  const TestCertificate authority_ = make_certificate({.common_name = "ca", .is_authority = true});
};

TEST_F(TlsTest, OnlyEncrypted) {
  restart();
  const ::grpc::Status status = call(server_certificate_);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(call(make_certificate({})).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(call(*stub_).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(access_.certificate, "");
}

TEST_F(TlsTest, ClientsWithCertificates) {
  ask_for_clients();
  restart();
  const TestCertificate known =
      make_certificate({.common_name = "camera-7",
                        .alternative_names = "DNS:camera,URI:spiffe://here/camera",
                        .issuer = &authority_});
  const ::grpc::Status status = call(server_certificate_, &known);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(access_.certificate, "spiffe://here/camera");

  const TestCertificate named = make_certificate(
      {.common_name = "camera-8", .alternative_names = "IP:127.0.0.1", .issuer = &authority_});
  EXPECT_TRUE(call(server_certificate_, &named).ok());
  EXPECT_EQ(access_.certificate, "camera-8");

  EXPECT_EQ(call(server_certificate_).error_code(), StatusCode::UNAVAILABLE);
  const TestCertificate stranger = make_certificate({.common_name = "camera-7"});
  EXPECT_EQ(call(server_certificate_, &stranger).error_code(), StatusCode::UNAVAILABLE);
  const TestCertificate expired = make_certificate(
      {.common_name = "camera-7", .valid_from = -7200, .valid_until = -60, .issuer = &authority_});
  EXPECT_EQ(call(server_certificate_, &expired).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, NewFilesAreForNewConnections) {
  restart();
  ::grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = server_certificate_.certificate;
  const auto open =
      inference::GRPCInferenceService::NewStub(channel_to(::grpc::SslCredentials(ssl)));
  ASSERT_TRUE(call(*open).ok());

  const TestCertificate next = make_certificate({});
  put(next);
  ::grpc::Status status = call(next);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(call(server_certificate_).error_code(), StatusCode::UNAVAILABLE);
  EXPECT_TRUE(call(*open).ok());

  // A broken replacement changes nothing.
  write(options_.tls->certificate_file, "not a certificate");
  status = call(next);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(TlsTest, FilesAreCheckedAtTheStart) {
  write(options_.tls->key_file, make_certificate({}).key);
  const auto wrong_key = GrpcServer::start(options_, service_);
  EXPECT_THAT(std::string(base::message(wrong_key.status())), HasSubstr("server.key"));
  options_.tls->certificate_file = folder_ / "nowhere.crt";
  const auto nothing = GrpcServer::start(options_, service_);
  EXPECT_THAT(std::string(base::message(nothing.status())), HasSubstr("nowhere.crt"));
}

}  // namespace
}  // namespace supernova::protocol::grpc
