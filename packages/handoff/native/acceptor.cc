// Accepts connections, peeks at their first bytes and watches those that wait. What it finds goes to JavaScript in batches of records.

#include "acceptor.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "functions.h"
#include "shared-page.h"

namespace handoff {

void Acceptor::record(int fd, int tag, bool peek) {
  ssize_t length = 0;
  bool ended = false;
  if (peek) {
    length = recv(fd, bytes + used, headBytes, MSG_PEEK | MSG_DONTWAIT);
    ended = length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR);
    if (length < 0) length = 0;
  }
  if (ended && tag == kWoken) tag = kEnded;
  int32_t* at = records + filled * kRecordInts;
  at[0] = fd;
  at[1] = tag;
  at[2] = used;
  // A new connection keeps its listener's tag. The length says that its client has already hung up.
  at[3] = ended && tag >= 0 ? -1 : static_cast<int32_t>(length);
  used += static_cast<int>(length);
  filled++;
}

void Acceptor::deliver(int failure) {
  int32_t count = filled;
  filled = used = 0;
  if (count > 0 || failure != 0) onBatch->call({count, failure});
}

bool acceptBatch(Listener* listener) {
  Acceptor* acceptor = theAcceptor;
  int failure = 0;
  while (!acceptor->full()) {
    int fd = accept4(listener->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      failure = errno;
      break;
    }
    recordDescriptor(fd);
    acceptor->record(fd, listener->id, listener->peek);
    // The kernel gives out the lowest free descriptor, so a high number means a full table.
    if (fd >= acceptor->lastDescriptor) break;
  }
  acceptor->deliver(failure == EAGAIN ? 0 : failure);
  return failure == 0;
}

namespace {

void acceptReady(uv_poll_t* handle, int, int) { acceptBatch(static_cast<Listener*>(static_cast<Poll*>(handle->data)->owner)); }

void watchedReady(uv_poll_t*, int, int) {
  Acceptor* acceptor = theAcceptor;
  struct epoll_event events[64];
  int count = epoll_wait(acceptor->epoll, events, 64, 0);
  for (int i = 0; i < count; i++) {
    int fd = static_cast<int>(events[i].data.u64 & 0xffffffff);
    bool ended = events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if (events[i].data.u64 >> 32 == kWatchHead) {
      if (acceptor->full()) acceptor->deliver();
      acceptor->record(fd, ended ? kEnded : kWoken, true);
      continue;
    }
    if (events[i].data.u64 >> 32 == kWatchHangUp) {
      if (acceptor->full()) acceptor->deliver();
      acceptor->record(fd, kHungUp, false);
      continue;
    }
    // A refused connection. Its bytes are discarded: closing with unread bytes would reset the connection before the client reads the answer.
    char waste[16384];
    ssize_t length;
    int rounds = 0;
    while ((length = recv(fd, waste, sizeof waste, MSG_DONTWAIT)) > 0 && ++rounds < 64) {}
    if (length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR))) {
      if (length > 0) {  // more than its share of one turn: rearm for the next
        struct epoll_event again = {EPOLLIN | EPOLLRDHUP | EPOLLET, {.u64 = events[i].data.u64}};
        epoll_ctl(acceptor->epoll, EPOLL_CTL_MOD, fd, &again);
      }
      continue;
    }
    if (acceptor->full()) acceptor->deliver();
    acceptor->record(fd, kLingered, false);
  }
  acceptor->deliver();
}

// Changes the events only. Removing the inner epoll from libuv's and adding it again makes the kernel visit every watched descriptor
// (ep_loop_check_proc in fs/eventpoll.c). Does nothing before libuv has added it.
void pollWatched(Acceptor* acceptor, bool polls) {
  struct epoll_event event = {};
  event.events = polls ? static_cast<uint32_t>(EPOLLIN) : 0;
  event.data.fd = acceptor->epoll;  // as libuv sets it
  epoll_ctl(uv_backend_fd(acceptor->loop), EPOLL_CTL_MOD, acceptor->epoll, &event);
}

void endHoldOff(uv_timer_t* timer) {
  Acceptor* acceptor = static_cast<Acceptor*>(static_cast<Timer*>(timer->data)->owner);
  acceptor->holdingOff = false;
  pollWatched(acceptor, true);
  pollArrivals(acceptor);
}

}  // namespace

bool watchWith(int fd, Watch kind) {
  struct epoll_event event = {};
  // Edge-triggered: one wake for each arrival, although a peek leaves the bytes readable, and one at the end of the stream.
  event.events = kind == kWatchHangUp ? EPOLLRDHUP | EPOLLET : EPOLLIN | EPOLLRDHUP | EPOLLET;
  event.data.u64 = static_cast<uint64_t>(kind) << 32 | static_cast<uint32_t>(fd);
  if (epoll_ctl(theAcceptor->epoll, EPOLL_CTL_ADD, fd, &event) == 0) return true;
  return errno == EEXIST && epoll_ctl(theAcceptor->epoll, EPOLL_CTL_MOD, fd, &event) == 0;
}

void pollArrivals(Acceptor* acceptor) {
  auto set = [](Poll* poll, bool polls, uv_poll_cb callback) {
    if (polls) uv_poll_start(&poll->handle, UV_READABLE, callback);
    else uv_poll_stop(&poll->handle);
  };
  for (Listener* listener : acceptor->listeners) set(listener->poll, acceptor->accepting && listener->isAdmitted && !acceptor->holdingOff, acceptReady);
}

// holdOffArrivals(ms): neither accepts nor reads events for that long, then handles all that has come.
napi_value holdOffArrivals(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Acceptor* acceptor = theAcceptor;
  if (acceptor->holdOff == nullptr) acceptor->holdOff = Timer::open(acceptor->loop, acceptor);
  acceptor->holdingOff = true;
  pollWatched(acceptor, false);
  pollArrivals(acceptor);
  uv_timer_start(&acceptor->holdOff->handle, endHoldOff, static_cast<uint64_t>(toInt(env, args.at[0])), 0);
  return nullptr;
}

// openAcceptor(records: Int32Array, bytes: Uint8Array, headBytes, lastDescriptor, receiver, onBatch(count, errno)): the last `headBytes` of
// `bytes` belong to peek(). A batch ends with the first descriptor that is not below `lastDescriptor`.
napi_value openAcceptor(napi_env env, napi_callback_info info) {
  Args<6> args(env, info);
  if (theAcceptor != nullptr) {
    napi_throw_error(env, "ERR_ACCEPTOR_OPEN", "This process already has an acceptor");
    return nullptr;
  }
  Acceptor* acceptor = new Acceptor;
  auto records = toSpan<int32_t>(env, args.at[0]);
  auto bytes = toSpan<char>(env, args.at[1]);
  acceptor->records = records.data;
  acceptor->capacity = static_cast<int>(records.length / kRecordInts);
  acceptor->headBytes = toInt(env, args.at[2]);
  acceptor->lastDescriptor = toInt(env, args.at[3]);
  acceptor->bytes = bytes.data;
  acceptor->byteCapacity = static_cast<int>(bytes.length) - acceptor->headBytes;  // peek() may be called while a batch is being read
  acceptor->loop = loopOf(env);
  acceptor->onBatch = std::make_unique<Callback>(env, args.at[4], args.at[5]);
  acceptor->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (acceptor->epoll < 0) {
    int error = errno;
    delete acceptor;
    return throwSystemError(env, error, "epoll_create1");
  }
  acceptor->poll = Poll::open(acceptor->loop, acceptor->epoll, acceptor);
  if (acceptor->poll == nullptr) {
    int error = errno;
    close(acceptor->epoll);
    delete acceptor;
    return throwSystemError(env, error, "epoll_ctl");
  }
  theAcceptor = acceptor;
  uv_poll_start(&acceptor->poll->handle, UV_READABLE, watchedReady);
  uv_unref(reinterpret_cast<uv_handle_t*>(&acceptor->poll->handle));
  return nullptr;
}

// resizeAcceptor(bytes: Uint8Array, headBytes): replaces the buffer of openAcceptor. Never call it while a batch is being read.
napi_value resizeAcceptor(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  auto bytes = toSpan<char>(env, args.at[0]);
  theAcceptor->bytes = bytes.data;
  theAcceptor->headBytes = toInt(env, args.at[1]);
  theAcceptor->byteCapacity = static_cast<int>(bytes.length) - theAcceptor->headBytes;
  return nullptr;
}

// closeAcceptor(): after closeListeners(). The caller closes the watched descriptors.
napi_value closeAcceptor(napi_env, napi_callback_info) {
  Acceptor* acceptor = theAcceptor;
  if (acceptor->holdOff != nullptr) acceptor->holdOff->close();
  acceptor->poll->close();
  close(acceptor->epoll);
  theAcceptor = nullptr;
  delete acceptor;
  return nullptr;
}

}  // namespace handoff
