// Listening sockets: from an address to a descriptor, and back.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "functions.h"

namespace handoff {

namespace {

napi_value bindAndListen(napi_env env, int fd, const struct sockaddr* address, socklen_t length, int backlog) {
  const char* syscall = "bind";
  if (bind(fd, address, length) == 0) {
    syscall = "listen";
    if (listen(fd, backlog) == 0) return fromInt(env, fd);
  }
  int error = errno;
  close(fd);
  return throwSystemError(env, error, syscall);
}

}  // namespace

// listenTcp(address, port, ipv6Only, backlog, deferSeconds, reusePort) -> fd. An address with ':' is IPv6. Throws errors with Node's codes.
napi_value listenTcp(napi_env env, napi_callback_info info) {
  Args<6> args(env, info);
  std::string host = toString(env, args.at[0]);
  uint16_t port = htons(static_cast<uint16_t>(toInt(env, args.at[1])));
  bool six = host.find(':') != std::string::npos;
  struct sockaddr_in6 six_address = {};
  struct sockaddr_in four_address = {};
  int parsed;
  if (six) {
    struct sockaddr_in6 scoped = {};
    parsed = uv_ip6_addr(host.c_str(), ntohs(port), &scoped) == 0;
    six_address = scoped;
  } else {
    four_address.sin_family = AF_INET;
    four_address.sin_port = port;
    parsed = inet_pton(AF_INET, host.c_str(), &four_address.sin_addr);
  }
  if (parsed != 1) return throwSystemError(env, EINVAL, "bind");
  int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return throwSystemError(env, errno, "socket");
  int on = 1, off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (toBool(env, args.at[5])) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (six) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, toBool(env, args.at[2]) ? &on : &off, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted connections inherit it
  int defer = toInt(env, args.at[4]);
  if (defer > 0) setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof defer);
  const struct sockaddr* address =
      six ? reinterpret_cast<struct sockaddr*>(&six_address) : reinterpret_cast<struct sockaddr*>(&four_address);
  return bindAndListen(env, fd, address, six ? sizeof six_address : sizeof four_address, toInt(env, args.at[3]));
}

// listenUnix(path, backlog) -> fd.
napi_value listenUnix(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  std::string path = toString(env, args.at[0]);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return throwSystemError(env, ENAMETOOLONG, "bind");
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return throwSystemError(env, errno, "socket");
  return bindAndListen(env, fd, reinterpret_cast<struct sockaddr*>(&address), sizeof address, toInt(env, args.at[1]));
}

// boundPort(fd) -> port, 0 for a unix socket.
napi_value boundPort(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  struct sockaddr_in6 address = {};  // sin_port and sin6_port are at the same offset
  socklen_t length = sizeof address;
  if (getsockname(toInt(env, args.at[0]), reinterpret_cast<struct sockaddr*>(&address), &length) != 0) return fromInt(env, 0);
  return fromInt(env, address.sin6_family == AF_UNIX ? 0 : ntohs(address.sin6_port));
}

// describeListener(fd) -> { host, port, path, ipv6Only } as it is bound; undefined unless it is a listening stream socket.
napi_value describeListener(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  int fd = toInt(env, args.at[0]), listens = 0, type = 0, sixOnly = 0;
  struct sockaddr_storage address = {};
  socklen_t length = sizeof address, intLength = sizeof(int);
  napi_value undefined, out, text;
  napi_get_undefined(env, &undefined);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &intLength) != 0 || listens == 0) return undefined;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &intLength) != 0 || type != SOCK_STREAM) return undefined;
  if (getsockname(fd, reinterpret_cast<struct sockaddr*>(&address), &length) != 0) return undefined;
  char host[INET6_ADDRSTRLEN] = "";
  napi_create_object(env, &out);
  for (const char* name : {"host", "port", "path"}) setNamed(env, out, name, undefined);
  if (address.ss_family == AF_UNIX) {
    // An abstract name begins with a NUL. A path in the file system ends with one.
    const char* path = reinterpret_cast<struct sockaddr_un*>(&address)->sun_path;
    size_t bytes = length - offsetof(struct sockaddr_un, sun_path);
    napi_create_string_utf8(env, path, bytes > 0 && path[0] != '\0' ? strnlen(path, bytes) : bytes, &text);
    setNamed(env, out, "path", text);
  } else if (address.ss_family == AF_INET || address.ss_family == AF_INET6) {
    auto* four = reinterpret_cast<struct sockaddr_in*>(&address);
    auto* six = reinterpret_cast<struct sockaddr_in6*>(&address);
    bool isSix = address.ss_family == AF_INET6;
    inet_ntop(address.ss_family, isSix ? static_cast<void*>(&six->sin6_addr) : &four->sin_addr, host, sizeof host);
    napi_create_string_latin1(env, host, NAPI_AUTO_LENGTH, &text);
    setNamed(env, out, "host", text);
    setNamed(env, out, "port", fromInt(env, ntohs(isSix ? six->sin6_port : four->sin_port)));
    if (isSix) getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &sixOnly, &intLength);
  } else {
    return undefined;
  }
  setNamed(env, out, "ipv6Only", fromBool(env, sixOnly != 0));
  return out;
}

// adoptListener(fd, backlog, deferSeconds): gives a listening socket the options that listenTcp and listenUnix set. Another process may
// accept from it at the same time. `backlog` 0 keeps the present one. Throws unless it listens.
napi_value adoptListener(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  int fd = toInt(env, args.at[0]), listens = 0, family = 0, on = 1;
  socklen_t length = sizeof(int);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0) return throwSystemError(env, errno, "getsockopt");
  if (listens == 0) return throwSystemError(env, EINVAL, "accept");
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  int backlog = toInt(env, args.at[1]), defer = toInt(env, args.at[2]);
  if (backlog > 0) listen(fd, backlog);
  getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length);
  if (family == AF_UNIX) return nullptr;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof defer);
  return nullptr;
}

}  // namespace handoff
