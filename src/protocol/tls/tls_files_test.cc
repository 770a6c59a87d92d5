#include "protocol/tls/tls_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "protocol/tls/pem.h"
#include "protocol/tls/server_context.h"
#include "support/certificates.h"

namespace supernova::protocol::tls {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::make_certificate;
using test::TestCertificate;
using testing::AllOf;
using testing::HasSubstr;

class TlsFilesTest : public testing::Test {
 protected:
  TlsFilesTest() {
    fs::create_directories(folder_);
    options_.certificate_file = folder_ / "server.crt";
    options_.key_file = folder_ / "server.key";
    options_.check_interval = 1000ms;
  }
  ~TlsFilesTest() override { fs::remove_all(folder_); }

  // As tools do it that care: a new file takes the old one's name.
  void write(const fs::path& path, const std::string& content) {
    std::ofstream(path.string() + ".new", std::ios::binary) << content;
    fs::rename(path.string() + ".new", path);
  }
  void write(const TestCertificate& made) {
    write(options_.certificate_file, made.certificate);
    write(options_.key_file, made.key);
  }
  std::string refusal() {
    const auto files = TlsFiles::open(options_);
    return files.ok() ? "" : std::string(base::message(files.status()));
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("supernova_tls_files_" + std::to_string(::getpid()));
  TlsOptions options_;
  std::chrono::steady_clock::time_point now_ = std::chrono::steady_clock::now();
};

TEST_F(TlsFilesTest, ReadsAPair) {
  const TestCertificate made = make_certificate({});
  write(made);
  const auto files = TlsFiles::open(options_);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ((*files)->current()->certificate_chain, made.certificate);
  EXPECT_EQ((*files)->current()->key, made.key);
  EXPECT_EQ((*files)->current()->client_ca, "");
}

TEST_F(TlsFilesTest, EveryMistakeIsNamed) {
  const TestCertificate made = make_certificate({});
  EXPECT_THAT(refusal(), AllOf(HasSubstr("server.crt"), HasSubstr("does not exist")));
  write(options_.certificate_file, made.certificate);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("server.key"), HasSubstr("does not exist")));

  write(options_.key_file, test::encrypt_key(made.key, "secret"));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("server.key"), HasSubstr("is encrypted")));
  write(options_.key_file, make_certificate({}).key);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("server.key"), HasSubstr("does not belong")));
  write(options_.key_file, "no key");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("server.key"), HasSubstr("no PEM private key")));
  write(options_.key_file, "");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("server.key"), HasSubstr("is empty")));

  write(made);
  write(options_.certificate_file, "\x30\x82 a DER file");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("server.crt"), HasSubstr("no PEM certificate")));
  write(options_.certificate_file, made.certificate.substr(0, made.certificate.size() / 2));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("server.crt"), HasSubstr("damaged")));
  write(options_.certificate_file,
        made.certificate + made.certificate.substr(0, made.certificate.size() / 2));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("certificate 2"), HasSubstr("damaged")));
  fs::remove(options_.certificate_file);
  fs::create_directories(options_.certificate_file);
  EXPECT_THAT(refusal(), HasSubstr("is a folder"));
  fs::remove(options_.certificate_file);

  write(made);
  EXPECT_EQ(refusal(), "");
  options_.client_ca_file = folder_ / "ca.crt";
  EXPECT_THAT(refusal(), AllOf(HasSubstr("ca.crt"), HasSubstr("does not exist")));
  write(options_.client_ca_file, made.key);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("ca.crt"), HasSubstr("no PEM certificate")));
  options_.client_ca_file.clear();
  options_.key_file.clear();
  EXPECT_THAT(refusal(), HasSubstr("both"));
}

TEST_F(TlsFilesTest, UnreadableIsNamed) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  write(make_certificate({}));
  fs::permissions(options_.key_file, fs::perms::none);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("server.key"), HasSubstr("can't be read")));
}

TEST_F(TlsFilesTest, AChainIsAccepted) {
  const TestCertificate root = make_certificate({.common_name = "root", .is_authority = true});
  const TestCertificate middle =
      make_certificate({.common_name = "middle", .is_authority = true, .issuer = &root});
  TestCertificate leaf = make_certificate({.issuer = &middle});
  leaf.certificate += middle.certificate;
  write(leaf);
  EXPECT_EQ(refusal(), "");
}

TEST_F(TlsFilesTest, DatesAreToldApart) {
  const auto problem = [](long from, long until) {
    const auto made = make_certificate({.valid_from = from, .valid_until = until});
    return validity_problem(*parse_certificates(made.certificate, "x")->front());
  };
  EXPECT_EQ(problem(-10, 1000), "");
  EXPECT_THAT(problem(-2000, -1000), HasSubstr("expired on "));
  EXPECT_THAT(problem(1000, 2000), HasSubstr("is not valid before "));
  // A wrong clock must not keep a device from starting.
  write(make_certificate({.valid_from = -2000, .valid_until = -1000}));
  EXPECT_EQ(refusal(), "");
}

TEST_F(TlsFilesTest, ChangesAreNoticedAtMostOncePerInterval) {
  write(make_certificate({}));
  const auto opened = TlsFiles::open(options_);
  ASSERT_TRUE(opened.ok());
  TlsFiles& files = **opened;
  const auto first = files.current();
  EXPECT_FALSE(files.poll(now_ + 1h));  // nothing has changed
  const TestCertificate second = make_certificate({});
  write(second);
  EXPECT_FALSE(files.poll(now_ + 1h + 500ms));
  EXPECT_TRUE(files.poll(now_ + 1h + 1s));
  EXPECT_FALSE(files.poll(now_ + 2h));
  EXPECT_EQ(files.current()->key, second.key);
  EXPECT_EQ(files.current()->generation, first->generation + 1);
  EXPECT_NE(first->key, second.key);  // who holds the old one keeps it
}

TEST_F(TlsFilesTest, ABrokenReplacementKeepsTheOldAndIsLoggedOnce) {
  const TestCertificate first = make_certificate({});
  write(first);
  const auto opened = TlsFiles::open(options_);
  ASSERT_TRUE(opened.ok());
  TlsFiles& files = **opened;
  const TestCertificate second = make_certificate({});
  write(options_.certificate_file, second.certificate);  // its key is still to come
  testing::internal::CaptureStderr();
  EXPECT_FALSE(files.poll(now_ + 1h));
  EXPECT_FALSE(files.poll(now_ + 2h));
  const std::string log = testing::internal::GetCapturedStderr();
  const size_t at = log.find("does not belong");
  EXPECT_NE(at, std::string::npos) << log;
  EXPECT_EQ(log.find("does not belong", at + 1), std::string::npos) << log;
  EXPECT_EQ(files.current()->certificate_chain, first.certificate);
  write(options_.key_file, second.key);
  EXPECT_TRUE(files.poll(now_ + 3h));
  EXPECT_EQ(files.current()->certificate_chain, second.certificate);

  fs::remove(options_.key_file);
  EXPECT_FALSE(files.poll(now_ + 4h));
  write(make_certificate({.valid_from = -2000, .valid_until = -1000}));
  EXPECT_FALSE(files.poll(now_ + 5h));  // an expired one does not replace a valid one
  EXPECT_EQ(files.current()->certificate_chain, second.certificate);
}

TEST_F(TlsFilesTest, ContextWantsTls12AndClientCertificates) {
  const TestCertificate authority =
      make_certificate({.common_name = "clients", .is_authority = true});
  const TestCertificate made = make_certificate({});
  const auto context =
      make_server_context({made.certificate, made.key, authority.certificate}, options_);
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_EQ(SSL_CTX_get_min_proto_version(context->get()), TLS1_2_VERSION);
  EXPECT_EQ(SSL_CTX_get_verify_mode(context->get()),
            SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
}

}  // namespace
}  // namespace supernova::protocol::tls
