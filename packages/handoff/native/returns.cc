// Reads what a worker gives back and asks, and what another primary passes: the receiving side of a channel or a passage.

#include <fcntl.h>
#include <sys/resource.h>

#include "channel.h"
#include "functions.h"

namespace handoff {

namespace {

constexpr int kReturnsPerWake = 64;      // messages of one worker in one turn of the loop
constexpr int kEntriesPerWake = 512;     // entries of one worker in one turn
constexpr int kAllReturns = INT32_MAX;
constexpr int kUnseenDescriptors = 128;  // more than other code opens between two descriptors that are recorded here
constexpr int kNoRoomMs = 10;

// Is there room for the descriptors of the next message? The kernel drops the descriptors that do not fit, and their connections end.
bool nextFits(int socket) {
  struct rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (static_cast<rlim_t>(highestDescriptor) + kUnseenDescriptors + kMessageDescriptors < limit.rlim_cur) return true;
  uint32_t count = 0;
  Return entries[kMessageDescriptors];
  struct iovec parts[2] = {{&count, sizeof count}, {entries, sizeof entries}};
  struct msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  ssize_t length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_PEEK);
  // readMessages handles a malformed message.
  if (length < static_cast<ssize_t>(sizeof count) || count > kMessageDescriptors || length < static_cast<ssize_t>(sizeof count + count * sizeof(Return))) return true;
  size_t wanted = 0, opened = 0;
  for (uint32_t i = 0; i < count; i++) wanted += entries[i].id == 0;
  int tried[kMessageDescriptors];
  while (opened < wanted && (tried[opened] = fcntl(socket, F_DUPFD_CLOEXEC, 0)) >= 0) opened++;
  for (size_t i = 0; i < opened; i++) close(tried[i]);
  return opened == wanted;
}

// Can it be a client's connection? Any other descriptor would fail in the worker that gets it next. These calls never reach the file system of
// the file, which may belong to the worker and never answer.
bool isConnection(int fd) {
  int type = 0, family = 0, listens = 0;
  socklen_t length = sizeof(int);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM) return false;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0 || listens != 0) return false;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 && (family == AF_INET || family == AF_INET6 || family == AF_UNIX);
}

// Reads up to `most` messages of a worker, which is not trusted: malformed entries are dropped. After a descriptor that is no connection,
// or that no entry names, nothing more is read from this worker.
void readMessages(Channel* channel, int most) {
  const std::shared_ptr<Channel> alive = channel->shared_from_this();
  const std::shared_ptr<Callback> onReturn = channel->onReturn;
  bool any = false, turned = false;
  int entries = 0;
  for (int messages = 0; messages < most && channel->poll != nullptr && (most == kAllReturns || entries < kEntriesPerWake); messages++) {
    if (most != kAllReturns && !nextFits(channel->socket)) {
      channel->readLater();
      break;
    }
    Incoming<Return> message;
    ssize_t length = message.receive(channel->socket, channel->bytes);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (length <= 0) {  // the worker has exited, or sent an empty message
      message.closeFrom(0);
      channel->stopReading();
      break;
    }
    turned = turned || message.count == 0;
    size_t at = message.start(), end = static_cast<size_t>(length) - sizeof message.count, descriptor = 0;
    for (uint32_t i = 0; i < message.count; i++) {
      const Return& entry = message.entries[i];
      if (entry.bytes == 0 || entry.bytes > end - at) break;
      int fd = kNoDescriptor;
      if (entry.id == 0) {
        if (descriptor == message.descriptorCount) break;
        fd = message.descriptors[descriptor];
        recordDescriptor(fd);
        if (!isConnection(fd)) break;
        descriptor++;
        neverLinger(fd);
      }
      onReturn->call({fd, static_cast<int32_t>(entry.id), entry.tag, entry.reason, static_cast<int32_t>(at), static_cast<int32_t>(entry.bytes)});
      at += entry.bytes;
      any = true;
      entries++;
    }
    if (message.closeFrom(descriptor)) channel->stopReading();
  }
  if (turned) onReturn->call({kNoDescriptor, kTurned, 0, 0, 0, 0});
  if (any || turned) onReturn->call({kNoDescriptor, kBatchEnd, 0, 0, 0, 0});
}

void returnReady(uv_poll_t* handle, int, int) {
  readMessages(static_cast<Channel*>(static_cast<Poll*>(handle->data)->owner), kReturnsPerWake);
}

void readAgain(uv_timer_t* timer) {
  Channel* channel = static_cast<Channel*>(static_cast<Timer*>(timer->data)->owner);
  uv_poll_start(&channel->poll->handle, UV_READABLE, returnReady);
}

}  // namespace

void Channel::stopReading() {
  if (poll != nullptr) poll->close();
  if (again != nullptr) again->close();
  poll = nullptr;
  again = nullptr;
}

void Channel::readLater() {
  uv_poll_stop(&poll->handle);
  if (again == nullptr) again = Timer::open(poll->handle.loop, this);
  uv_timer_start(&again->handle, readAgain, kNoRoomMs, 0);
}

napi_value startReading(napi_env env, std::shared_ptr<Channel> channel, napi_value receiver, napi_value onReturn) {
  channel->poll = Poll::open(loopOf(env), channel->socket, channel.get());
  if (channel->poll == nullptr) return throwSystemError(env, errno, "epoll_ctl");
  channel->onReturn = std::shared_ptr<Callback>(new Callback(env, receiver, onReturn));
  uv_poll_start(&channel->poll->handle, UV_READABLE, returnReady);
  uv_unref(reinterpret_cast<uv_handle_t*>(&channel->poll->handle));
  napi_value external;
  napi_create_external(
      env, new std::shared_ptr<Channel>(std::move(channel)),
      [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Channel>*>(data); }, nullptr, &external);
  return external;
}

// readReturns(channel): reads everything that the worker has sent. For a worker that has exited.
napi_value readReturns(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  readMessages(toChannel(env, args.at[0]), kAllReturns);
  return nullptr;
}

// openPassage() -> [one, other]: a socket pair for two primaries.
napi_value openPassage(napi_env env, napi_callback_info) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) return throwSystemError(env, errno, "socketpair");
  napi_value out;
  napi_create_array_with_length(env, 2, &out);
  for (uint32_t i = 0; i < 2; i++) napi_set_element(env, out, i, fromInt(env, pair[i]));
  return out;
}

// joinPassage(socket, bytes: Uint8Array, receiver, onReturn) -> a channel over one end of a passage. It can only be read and closed.
napi_value joinPassage(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  auto channel = std::shared_ptr<Channel>(new Channel());
  channel->socket = toInt(env, args.at[0]);
  channel->bytes = toSpan<char>(env, args.at[1]).data;
  fcntl(channel->socket, F_SETFD, FD_CLOEXEC);
  return startReading(env, std::move(channel), args.at[2], args.at[3]);
}

// messageBytes() -> the size of a buffer for messages.
napi_value messageBytes(napi_env env, napi_callback_info) {
  return fromInt(env, static_cast<int32_t>(kMostBytes + sizeof(Item) * kMessageDescriptors));
}

}  // namespace handoff
