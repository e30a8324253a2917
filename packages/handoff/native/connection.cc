// Single descriptors: watching, peeking, refusing, copying and closing a connection.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "acceptor.h"
#include "functions.h"
#include "messages.h"
#include "shared-page.h"

namespace handoff {

// nextDescriptor() -> the number of the next new descriptor; INT32_MAX when none is free.
napi_value nextDescriptor(napi_env env, napi_callback_info) {
  int fd = fcntl(theAcceptor->epoll, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return fromInt(env, INT32_MAX);
  close(fd);
  return fromInt(env, fd);
}

// watch(fd) -> false when the kernel refuses. Events of the descriptor become records with tag kWoken or kEnded.
napi_value watch(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  return fromBool(env, watchWith(toInt(env, args.at[0]), kWatchHead));
}

// watchHangUp(fd): the client's end of stream or reset becomes a record with tag kHungUp.
napi_value watchHangUp(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  return fromBool(env, watchWith(toInt(env, args.at[0]), kWatchHangUp));
}

napi_value unwatch(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  epoll_ctl(theAcceptor->epoll, EPOLL_CTL_DEL, toInt(env, args.at[0]), nullptr);
  return nullptr;
}

// peek(fd) -> how many bytes were peeked into the last `headBytes` of the acceptor's buffer; kPeekEnded: the client has ended its side;
// kPeekBroken: the connection is reset.
napi_value peek(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  int fd = toInt(env, args.at[0]);
  // Bytes stay readable after a reset, so recv alone does not find it.
  struct pollfd state = {fd, POLLIN, 0};
  if (poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP)) != 0) return fromInt(env, kPeekBroken);
  ssize_t length = recv(fd, theAcceptor->bytes + theAcceptor->byteCapacity, theAcceptor->headBytes, MSG_PEEK | MSG_DONTWAIT);
  if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) return fromInt(env, kPeekEnded);
  return fromInt(env, length < 0 ? 0 : static_cast<int32_t>(length));
}

// discard(fd, bytes): removes bytes from the kernel that were peeked at.
napi_value discard(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  discardBytes(toInt(env, args.at[0]), toInt(env, args.at[1]));
  return nullptr;
}

// refuse(fd, answer: Uint8Array) -> true: the answer is sent, and a record with tag kLingered follows when the client has closed.
napi_value refuse(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  int fd = toInt(env, args.at[0]);
  auto answer = toSpan<char>(env, args.at[1]);
  bool sent = send(fd, answer.data, answer.length, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(answer.length);
  if (sent && shutdown(fd, SHUT_WR) == 0 && watchWith(fd, kWatchLinger)) return fromBool(env, true);
  return fromBool(env, false);
}

napi_value closeDescriptor(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  close(toInt(env, args.at[0]));
  return nullptr;
}

// copyDescriptor(fd) -> another descriptor of the same connection; -1: the process has none left.
napi_value copyDescriptor(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  return fromInt(env, fcntl(toInt(env, args.at[0]), F_DUPFD_CLOEXEC, 0));
}

// peerAddress(fd) -> the client's address as text; undefined for a unix socket or a broken connection.
napi_value peerAddress(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  struct sockaddr_storage address = {};
  socklen_t length = sizeof address;
  char text[INET6_ADDRSTRLEN] = "";
  napi_value out;
  napi_get_undefined(env, &out);
  if (getpeername(toInt(env, args.at[0]), reinterpret_cast<struct sockaddr*>(&address), &length) != 0) return out;
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<struct sockaddr_in*>(&address)->sin_addr, text, sizeof text);
  } else if (address.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<struct sockaddr_in6*>(&address)->sin6_addr, text, sizeof text);
  } else {
    return out;
  }
  napi_create_string_latin1(env, text, NAPI_AUTO_LENGTH, &out);
  return out;
}

napi_value descriptorLimit(napi_env env, napi_callback_info) {
  struct rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  return fromInt(env, limit.rlim_cur > INT32_MAX ? INT32_MAX : static_cast<int32_t>(limit.rlim_cur));
}

}  // namespace handoff
