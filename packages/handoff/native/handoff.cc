// Accepts connections, peeks at their first bytes, passes their descriptors to another process and keeps the claims
// by which exactly one process ends up with each. No policy and no HTTP live here: JavaScript decides, this file carries out.
//
// Built against Node-API and libuv's stable ABI: one build serves Node 20 to 26. Linux only.

#define NAPI_VERSION 8
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <node_api.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace {

// ---- Node-API in fewer words ---------------------------------------------------------------------------------------

template <size_t N>
struct Args {
  napi_value at[N];
  size_t count = N;
  Args(napi_env env, napi_callback_info info) { napi_get_cb_info(env, info, &count, at, nullptr, nullptr); }
};

int32_t toInt(napi_env env, napi_value value) {
  int32_t out = 0;
  napi_get_value_int32(env, value, &out);
  return out;
}

bool toBool(napi_env env, napi_value value) {
  bool out = false;
  napi_get_value_bool(env, value, &out);
  return out;
}

std::string toString(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string out(length, '\0');
  napi_get_value_string_utf8(env, value, out.data(), length + 1, &length);
  return out;
}

napi_value fromInt(napi_env env, int32_t value) {
  napi_value out;
  napi_create_int32(env, value, &out);
  return out;
}

napi_value fromBool(napi_env env, bool value) {
  napi_value out;
  napi_get_boolean(env, value, &out);
  return out;
}

// Throws an Error with Node's own code for `error` (EADDRINUSE, ...) and the system call's name.
napi_value throwSystemError(napi_env env, int error, const char* syscall) {
  std::string message = std::string(syscall) + " " + uv_err_name(-error) + ": " + uv_strerror(-error);
  napi_throw_error(env, uv_err_name(-error), message.c_str());
  return nullptr;
}

void setNamed(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

// A JavaScript function that the loop calls. Node-API wants an object as receiver; without one the call fails silently.
class Callback {
 public:
  Callback(napi_env env, napi_value receiver, napi_value function) : env_(env) {
    napi_create_reference(env, receiver, 1, &receiver_);
    napi_create_reference(env, function, 1, &function_);
    napi_value name;
    napi_create_string_utf8(env, "switchyard", NAPI_AUTO_LENGTH, &name);
    napi_async_init(env, receiver, name, &context_);
  }
  ~Callback() {
    napi_async_destroy(env_, context_);
    napi_delete_reference(env_, receiver_);
    napi_delete_reference(env_, function_);
  }
  template <size_t N>
  void call(const int32_t (&values)[N]) {
    napi_handle_scope scope;
    napi_open_handle_scope(env_, &scope);
    napi_value receiver, function, arguments[N];
    napi_get_reference_value(env_, receiver_, &receiver);
    napi_get_reference_value(env_, function_, &function);
    for (size_t i = 0; i < N; i++) napi_create_int32(env_, values[i], &arguments[i]);
    if (napi_make_callback(env_, context_, receiver, function, N, arguments, nullptr) == napi_pending_exception) {
      napi_value error;
      napi_get_and_clear_last_exception(env_, &error);
      napi_fatal_exception(env_, error);
    }
    napi_close_handle_scope(env_, scope);
  }

 private:
  napi_env env_;
  napi_ref receiver_, function_;
  napi_async_context context_;
};

// One uv_poll with an owner. libuv frees it when it has let go of it.
struct Poll {
  uv_poll_t handle;
  void* owner;
  // nullptr with errno: the system watches no more descriptors for this user (fs.epoll.max_user_watches), or not this one.
  static Poll* open(uv_loop_t* loop, int fd, void* owner) {
    auto poll = std::make_unique<Poll>();
    int failure = uv_poll_init(loop, &poll->handle, fd);
    if (failure != 0) {
      errno = -failure;
      return nullptr;
    }
    poll->owner = owner;
    poll->handle.data = poll.get();
    return poll.release();
  }
  void close() {
    uv_close(reinterpret_cast<uv_handle_t*>(&handle), [](uv_handle_t* closed) { delete static_cast<Poll*>(closed->data); });
  }
};

// One uv_timer with an owner, likewise. It keeps no process alive.
struct Timer {
  uv_timer_t handle;
  void* owner;
  static Timer* open(uv_loop_t* loop, void* owner) {
    Timer* timer = new Timer;
    timer->owner = owner;
    timer->handle.data = timer;
    uv_timer_init(loop, &timer->handle);
    uv_unref(reinterpret_cast<uv_handle_t*>(&timer->handle));
    return timer;
  }
  void close() {
    uv_close(reinterpret_cast<uv_handle_t*>(&handle), [](uv_handle_t* closed) { delete static_cast<Timer*>(closed->data); });
  }
};

// The highest descriptor that was seen: the kernel gives out the lowest free one, so all above are free, but for some that were opened elsewhere.
int highestDescriptor = 0;

void noteDescriptor(int fd) {
  if (fd > highestDescriptor) highestDescriptor = fd;
}

uv_loop_t* loopOf(napi_env env) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  return loop;
}

// ---- The primary's door: listeners, and connections whose time has not come ----------------------------------------------

constexpr int kRecordInts = 4;  // fd, tag, offset, length (-1: a new connection that has ended already)
constexpr int kTagWoken = -1;   // a watched descriptor has news
constexpr int kTagEnded = -2;   // a watched descriptor has news, and its other side will send no more
constexpr int kTagLingered = -3;  // a refused connection is gone
constexpr int kTagLeft = -4;      // the client of a connection that waits for a worker is gone
constexpr int kLastBatches = 64;  // accepted at most when a listener closes

enum Watch : uint32_t { kWatchHead = 0, kWatchLinger = 1, kWatchLeaving = 2 };

struct Listener {
  int fd;
  int id;
  bool peek;
  Poll* poll;
  bool isOurs;  // nobody else's, or this process has accepted from it
  bool isAdmitted = false;
  void release() {
    poll->close();
    close(fd);
    delete this;
  }
};

struct Door {
  uv_loop_t* loop;
  int epoll;
  Poll* poll;
  int32_t* records;
  int capacity;
  char* bytes;
  int byteCapacity;
  int headBytes;
  int lastDescriptor;
  int filled = 0;
  int used = 0;
  std::unique_ptr<Callback> onBatch;
  std::vector<Listener*> listeners;
  bool accepting = false;
  bool holdingOff = false;  // arrivals wait in the kernel for a moment
  Timer* holdOff = nullptr;

  bool full() const { return filled == capacity || byteCapacity - used < headBytes; }
  // Peeks and writes one record. A peek leaves the bytes in the kernel for the worker.
  void record(int fd, int tag, bool peek) {
    ssize_t length = 0;
    bool ended = false;
    if (peek) {
      length = recv(fd, bytes + used, headBytes, MSG_PEEK | MSG_DONTWAIT);
      ended = length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR);
      if (length < 0) length = 0;
    }
    if (ended && tag == kTagWoken) tag = kTagEnded;
    int32_t* at = records + filled * kRecordInts;
    at[0] = fd;
    at[1] = tag;
    at[2] = used;
    // A new connection keeps its listener's tag: that its client has left already is told by the length.
    at[3] = ended && tag >= 0 ? -1 : static_cast<int32_t>(length);
    used += static_cast<int>(length);
    filled++;
  }
  void deliver(int failure = 0) {
    int32_t count = filled;
    filled = used = 0;
    if (count > 0 || failure != 0) onBatch->call({count, failure});
  }
};

Door* theDoor = nullptr;  // one primary in a process, on its main thread

// Accepts one batch. False: nobody is left in the kernel's queue, or accept failed.
bool acceptBatch(Listener* listener) {
  Door* door = theDoor;
  int failure = 0;
  while (!door->full()) {
    int fd = accept4(listener->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      failure = errno;
      break;
    }
    noteDescriptor(fd);
    door->record(fd, listener->id, listener->peek);
    // The kernel gives out the lowest free descriptor, so a high one tells how full the table is.
    if (fd >= door->lastDescriptor) break;
  }
  door->deliver(failure == EAGAIN ? 0 : failure);
  return failure == 0;
}

void acceptReady(uv_poll_t* handle, int, int) { acceptBatch(static_cast<Listener*>(static_cast<Poll*>(handle->data)->owner)); }

void watchedReady(uv_poll_t*, int, int) {
  Door* door = theDoor;
  struct epoll_event events[64];
  int count = epoll_wait(door->epoll, events, 64, 0);
  for (int i = 0; i < count; i++) {
    int fd = static_cast<int>(events[i].data.u64 & 0xffffffff);
    bool ended = events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if (events[i].data.u64 >> 32 == kWatchHead) {
      if (door->full()) door->deliver();
      door->record(fd, ended ? kTagEnded : kTagWoken, true);
      continue;
    }
    if (events[i].data.u64 >> 32 == kWatchLeaving) {
      if (door->full()) door->deliver();
      door->record(fd, kTagLeft, false);
      continue;
    }
    // A refused connection: what still comes in is thrown away, so that closing does not reset the answer off the wire.
    char waste[16384];
    ssize_t length;
    int rounds = 0;
    while ((length = recv(fd, waste, sizeof waste, MSG_DONTWAIT)) > 0 && ++rounds < 64) {}
    if (length > 0 || (length < 0 && (errno == EAGAIN || errno == EINTR))) {
      if (length > 0) {  // more than a fair share: ask again in the next turn
        struct epoll_event again = {EPOLLIN | EPOLLRDHUP | EPOLLET, {.u64 = events[i].data.u64}};
        epoll_ctl(door->epoll, EPOLL_CTL_MOD, fd, &again);
      }
      continue;
    }
    if (door->full()) door->deliver();
    door->record(fd, kTagLingered, false);
  }
  door->deliver();
}

bool watchWith(int fd, Watch kind) {
  struct epoll_event event = {};
  // Edge-triggered: one wake for each piece that arrives, although a peek leaves it readable; none at end of stream but the first.
  event.events = kind == kWatchLeaving ? EPOLLRDHUP | EPOLLET : EPOLLIN | EPOLLRDHUP | EPOLLET;
  event.data.u64 = static_cast<uint64_t>(kind) << 32 | static_cast<uint32_t>(fd);
  if (epoll_ctl(theDoor->epoll, EPOLL_CTL_ADD, fd, &event) == 0) return true;
  return errno == EEXIST && epoll_ctl(theDoor->epoll, EPOLL_CTL_MOD, fd, &event) == 0;
}

void watchedReady(uv_poll_t*, int, int);
void acceptReady(uv_poll_t*, int, int);

// Were it taken out of libuv's epoll and put in again, the kernel would go through all that is watched each time (ep_loop_check_proc in fs/eventpoll.c).
// Before libuv has put it in, this does nothing.
void pollWatched(Door* door, bool polls) {
  struct epoll_event event = {};
  event.events = polls ? static_cast<uint32_t>(EPOLLIN) : 0;
  event.data.fd = door->epoll;  // as libuv has it
  epoll_ctl(uv_backend_fd(door->loop), EPOLL_CTL_MOD, door->epoll, &event);
}

// Polls what may arrive now, and nothing else.
void pollArrivals(Door* door) {
  auto set = [](Poll* poll, bool polls, uv_poll_cb callback) {
    if (polls) uv_poll_start(&poll->handle, UV_READABLE, callback);
    else uv_poll_stop(&poll->handle);
  };
  for (Listener* listener : door->listeners) set(listener->poll, door->accepting && listener->isAdmitted && !door->holdingOff, acceptReady);
}

void endHoldOff(uv_timer_t* timer) {
  Door* door = static_cast<Door*>(static_cast<Timer*>(timer->data)->owner);
  door->holdingOff = false;
  pollWatched(door, true);
  pollArrivals(door);
}

// holdOffArrivals(ms): what arrives is looked at when the time is over, all together.
napi_value holdOffArrivals(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Door* door = theDoor;
  if (door->holdOff == nullptr) door->holdOff = Timer::open(door->loop, door);
  door->holdingOff = true;
  pollWatched(door, false);
  pollArrivals(door);
  uv_timer_start(&door->holdOff->handle, endHoldOff, static_cast<uint64_t>(toInt(env, args.at[0])), 0);
  return nullptr;
}

// openDoor(records: Int32Array, bytes: Uint8Array, headBytes, lastDescriptor, receiver, onBatch(count, errno)): a batch ends with the first
// descriptor that is not below `lastDescriptor`.
napi_value openDoor(napi_env env, napi_callback_info info) {
  Args<6> args(env, info);
  if (theDoor != nullptr) {
    napi_throw_error(env, "ERR_DOOR_OPEN", "This process has a door already");
    return nullptr;
  }
  Door* door = new Door;
  size_t length = 0;
  void* data = nullptr;
  napi_get_typedarray_info(env, args.at[0], nullptr, &length, &data, nullptr, nullptr);
  door->records = static_cast<int32_t*>(data);
  door->capacity = static_cast<int>(length / kRecordInts);
  napi_get_typedarray_info(env, args.at[1], nullptr, &length, &data, nullptr, nullptr);
  door->bytes = static_cast<char*>(data);
  door->byteCapacity = static_cast<int>(length);
  door->headBytes = toInt(env, args.at[2]);
  door->lastDescriptor = toInt(env, args.at[3]);
  door->byteCapacity -= door->headBytes;  // the last part is peek()'s own: it may be called while a batch is being read
  door->loop = loopOf(env);
  door->onBatch = std::make_unique<Callback>(env, args.at[4], args.at[5]);
  door->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (door->epoll < 0) {
    int error = errno;
    delete door;
    return throwSystemError(env, error, "epoll_create1");
  }
  door->poll = Poll::open(door->loop, door->epoll, door);
  if (door->poll == nullptr) {
    int error = errno;
    close(door->epoll);
    delete door;
    return throwSystemError(env, error, "epoll_ctl");
  }
  theDoor = door;
  uv_poll_start(&door->poll->handle, UV_READABLE, watchedReady);
  uv_unref(reinterpret_cast<uv_handle_t*>(&door->poll->handle));
  return nullptr;
}

// resizeDoor(bytes: Uint8Array, headBytes): takes the place of what openDoor was given. Not to be called while a batch is being read.
napi_value resizeDoor(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  size_t length = 0;
  void* data = nullptr;
  napi_get_typedarray_info(env, args.at[0], nullptr, &length, &data, nullptr, nullptr);
  theDoor->bytes = static_cast<char*>(data);
  theDoor->headBytes = toInt(env, args.at[1]);
  theDoor->byteCapacity = static_cast<int>(length) - theDoor->headBytes;
  return nullptr;
}

// Clients that the kernel has accepted already are taken in before their listener closes: closing would reset them. Not those of a socket that is another
// process's too, from which this one has never accepted: that one will.
void releaseListeners(Door* door) {
  for (Listener* listener : door->listeners) {
    for (int batches = 0; listener->isOurs && batches < kLastBatches && acceptBatch(listener); batches++) {}
    listener->release();
  }
  door->listeners.clear();
}

Listener* findListener(int id) {
  for (Listener* listener : theDoor->listeners)
    if (listener->id == id) return listener;
  return nullptr;
}

// closeListener(id): closes one at once. The kernel resets clients that were not accepted, as when a process closes its server.
napi_value closeListener(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Listener* listener = findListener(toInt(env, args.at[0]));
  if (listener == nullptr) return nullptr;
  auto& all = theDoor->listeners;
  all.erase(std::find(all.begin(), all.end(), listener));
  listener->release();
  return nullptr;
}

// setPeek(id, peek, deferSeconds): whether clients that come from now on are looked at before they are delivered.
napi_value setPeek(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  Listener* listener = findListener(toInt(env, args.at[0]));
  if (listener == nullptr) return nullptr;
  listener->peek = toBool(env, args.at[1]);
  int defer = toInt(env, args.at[2]);
  setsockopt(listener->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof defer);  // a unix socket has no such option
  return nullptr;
}

// closeListeners(): new connections are refused by the kernel from here on.
napi_value closeListeners(napi_env, napi_callback_info) {
  releaseListeners(theDoor);
  return nullptr;
}

// closeDoor(): after closeListeners(); watched descriptors are the caller's.
napi_value closeDoor(napi_env, napi_callback_info) {
  Door* door = theDoor;
  if (door->holdOff != nullptr) door->holdOff->close();
  door->poll->close();
  close(door->epoll);
  theDoor = nullptr;
  delete door;
  return nullptr;
}

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

// listenTcp(address, port, ipv6Only, backlog, deferSeconds, reusePort) -> fd. An address with ':' is IPv6. Throws with Node's error codes.
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
  struct sockaddr_in6 address = {};  // sin_port and sin6_port share their place
  socklen_t length = sizeof address;
  if (getsockname(toInt(env, args.at[0]), reinterpret_cast<struct sockaddr*>(&address), &length) != 0) return fromInt(env, 0);
  return fromInt(env, address.sin6_family == AF_UNIX ? 0 : ntohs(address.sin6_port));
}

// describeListener(fd) -> { host, port, path, ipv6Only } as it is bound; undefined when it is no stream socket that listens.
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
    // An abstract name begins with a NUL, one of the file system ends with one.
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

// takeListener(fd, backlog, deferSeconds): a socket that listens already gets what listenTcp and listenUnix give theirs. Another process may use
// it at the same time. Throws when it does not listen. `backlog` 0: as it is.
napi_value takeListener(napi_env env, napi_callback_info info) {
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

// addListener(fd, id, peek, isInherited): from now on the door owns the listening descriptor. It accepts once it is admitted and listeners are resumed.
// Throws when it can't be watched; then the descriptor is the caller's.
napi_value addListener(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  Listener* listener =
      new Listener{toInt(env, args.at[0]), toInt(env, args.at[1]), toBool(env, args.at[2]), nullptr, !toBool(env, args.at[3])};
  listener->poll = Poll::open(theDoor->loop, listener->fd, listener);
  if (listener->poll == nullptr) {
    int error = errno;
    delete listener;
    return throwSystemError(env, error, "epoll_ctl");
  }
  theDoor->listeners.push_back(listener);
  return nullptr;
}

// admitOn(id): clients may come in by this one, while listeners are not paused.
napi_value admitOn(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Listener* listener = findListener(toInt(env, args.at[0]));
  if (listener == nullptr) return nullptr;
  listener->isOurs = listener->isAdmitted = true;
  pollArrivals(theDoor);
  return nullptr;
}

napi_value resumeListeners(napi_env, napi_callback_info) {
  theDoor->accepting = true;
  pollArrivals(theDoor);
  return nullptr;
}

napi_value pauseListeners(napi_env, napi_callback_info) {
  theDoor->accepting = false;
  pollArrivals(theDoor);
  return nullptr;
}

// nextDescriptor() -> the number that the next new descriptor would have; INT32_MAX when there can be none.
napi_value nextDescriptor(napi_env env, napi_callback_info) {
  int fd = fcntl(theDoor->epoll, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return fromInt(env, INT32_MAX);
  close(fd);
  return fromInt(env, fd);
}

// watch(fd) -> false when the kernel says no: news of the descriptor comes as a record with tag -1 or -2.
napi_value watch(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  return fromBool(env, watchWith(toInt(env, args.at[0]), kWatchHead));
}

// watchLeaving(fd): a record with tag -4 comes when its client sends no more, or is gone.
napi_value watchLeaving(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  return fromBool(env, watchWith(toInt(env, args.at[0]), kWatchLeaving));
}

napi_value unwatch(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  epoll_ctl(theDoor->epoll, EPOLL_CTL_DEL, toInt(env, args.at[0]), nullptr);
  return nullptr;
}

// peek(fd) -> bytes peeked into the last `headBytes` of the door's byte buffer; -1: its client sends nothing more, -2: it is broken.
napi_value peek(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  int fd = toInt(env, args.at[0]);
  // Bytes stay readable after a reset, so they do not tell whether anybody is there to be answered.
  struct pollfd state = {fd, POLLIN, 0};
  if (poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP)) != 0) return fromInt(env, -2);
  ssize_t length = recv(fd, theDoor->bytes + theDoor->byteCapacity, theDoor->headBytes, MSG_PEEK | MSG_DONTWAIT);
  if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) return fromInt(env, -1);
  return fromInt(env, length < 0 ? 0 : static_cast<int32_t>(length));
}

// refuse(fd, answer: Uint8Array) -> true: the answer is on its way and the descriptor lingers (a record with tag -3 will end it).
napi_value refuse(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  int fd = toInt(env, args.at[0]);
  void* data = nullptr;
  size_t length = 0;
  napi_get_typedarray_info(env, args.at[1], nullptr, &length, &data, nullptr, nullptr);
  bool sent = send(fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(length);
  if (sent && shutdown(fd, SHUT_WR) == 0 && watchWith(fd, kWatchLinger)) return fromBool(env, true);
  return fromBool(env, false);
}

napi_value closeDescriptor(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  close(toInt(env, args.at[0]));
  return nullptr;
}

// peerAddress(fd) -> text of the client's address; undefined for a unix socket or a broken connection.
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

// ---- The channel: descriptors and their claims ---------------------------------------------------------------------------

// A claim is one word of shared memory: sequence << 2 | state. The sequence keeps an old hand-off's word from being taken for a new one's.
enum Claim : uint32_t { kFree = 0, kOffered = 1, kClaimed = 2, kTakenBack = 3 };
constexpr uint32_t kStateMask = 3;
constexpr int kMessageDescriptors = 64;  // the kernel takes 253 (SCM_MAX_FD)
constexpr size_t kRowBytes = 128;        // two cache lines: the worker's row of the load board, and what the primary tells the worker
constexpr size_t kClaimsOffset = kRowBytes;
constexpr int kReturnsPerWake = 64;      // messages: what one worker sends back may take so much of a turn of the loop
constexpr int kEntriesPerWake = 512;     // and of what is in them
constexpr int kAllReturns = INT32_MAX;
constexpr int kUnseenDescriptors = 128;  // more than are opened elsewhere between two that are seen here
constexpr int kNoRoomMs = 10;

using Word = std::atomic<uint32_t>;
// Words of the row that this file writes or reads; native-load-row.ts has them all.
enum RowWord { kReceived = 1, kBusySince = 4, kTurns = 5, kTurnWait = 6, kGranted = 7, kBegun = 8, kTurn = 9, kRequestTurn = 13, kWanted = 30 };

constexpr uint32_t kWishBits = 8, kWishMask = (1u << kWishBits) - 1;

static_assert(sizeof(Word) == 4 && Word::is_always_lock_free, "claims need lock-free words");

struct Item {  // primary to worker: what a hand-off says of its descriptor
  uint32_t index;  // kAnswer: no hand-off but the answer to a question; `word` is its id, `tag` what was said
  uint32_t word;
  int32_t tag;
  uint32_t carried;  // how many of the message's bytes are its own: they were read off the connection before it came back
};
constexpr uint32_t kAnswer = UINT32_MAX;
constexpr size_t kMaxUnsent = 8192;

struct Return {  // worker to primary: a connection that is given back, or a question
  uint32_t id;  // of a question; 0: a descriptor comes with it
  int32_t tag;
  int32_t reason;
  uint32_t bytes;  // how many of the message's bytes are its own
};

// A message is its number of entries (Item or Return), the entries, and the bytes of each; descriptors beside it. One without entries is a
// worker's: its loop has turned, as the primary wanted to know.
constexpr size_t kMessageBytes = 65536;

// A message that is being put together.
template <typename Entry>
struct Outgoing {
  uint32_t count = 0;
  size_t bytes = 0;
  size_t descriptorCount = 0;
  Entry entries[kMessageDescriptors];
  struct iovec parts[kMessageDescriptors + 2];
  int descriptors[kMessageDescriptors];

  bool hasRoomFor(size_t length) const { return count == 0 || (count < kMessageDescriptors && bytes + length <= kMessageBytes); }
  void add(const Entry& entry, int fd, const void* data, size_t length) {
    parts[2 + count] = {const_cast<void*>(data), length};
    entries[count++] = entry;
    bytes += length;
    if (fd >= 0) descriptors[descriptorCount++] = fd;
  }
  // False with errno: nothing was sent.
  bool send(int socket) {
    parts[0] = {&count, sizeof count};
    parts[1] = {entries, count * sizeof(Entry)};
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMessageDescriptors)];
    struct msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = bytes == 0 ? 2 : 2 + count;
    if (descriptorCount > 0) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptorCount);
      struct cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int) * descriptorCount);
      memcpy(CMSG_DATA(header), descriptors, sizeof(int) * descriptorCount);
    }
    for (;;) {
      if (sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
      if (errno != EINTR) return false;
    }
  }
};

// A close that waits for unsent bytes would stop this process, however the socket was opened.
void neverLinger(int fd) {
  struct linger off = {};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off);
}

// Closes the copy of a connection that a worker has claimed. It may be the last one by now.
void closeClaimed(int fd) {
  neverLinger(fd);
  close(fd);
}

// Closes descriptors that another process has sent without need, on a thread of their own: closing a file asks its file system, which may be that
// process's and never answer.
void closeElsewhere(std::vector<int> descriptors) {
  if (descriptors.empty()) return;
  auto* sent = new std::vector<int>(std::move(descriptors));
  auto close_all = [](void* data) -> void* {
    std::unique_ptr<std::vector<int>> all(static_cast<std::vector<int>*>(data));
    for (int fd : *all) {
      neverLinger(fd);
      close(fd);
    }
    return nullptr;
  };
  pthread_t thread;
  if (pthread_create(&thread, nullptr, close_all, sent) == 0) {
    pthread_detach(thread);
  } else {
    close_all(sent);
  }
}

// A message that was received, checked as far as its form goes: the other side may lie.
template <typename Entry>
struct Incoming {
  uint32_t count = 0;
  Entry entries[kMessageDescriptors];
  size_t descriptorCount = 0;
  int descriptors[kMessageDescriptors];

  // Reads the bytes of the entries to `bytes`, one after the other. Gives what recvmsg gives. A message without sense has no entries; its
  // descriptors are the caller's all the same.
  ssize_t receive(int socket, char* bytes) {
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMessageDescriptors)];
    char head[sizeof count + sizeof entries];
    struct iovec parts[2] = {{head, sizeof count}, {bytes, kMessageBytes + sizeof entries}};
    struct msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    count = 0;
    descriptorCount = 0;
    ssize_t length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0) return length;
    // Before anything else: a message without a single byte can carry descriptors too. The kernel closes those that the buffer has no room for.
    for (struct cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      size_t came = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < came; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
        if (descriptorCount < kMessageDescriptors) {
          descriptors[descriptorCount++] = fd;
        } else {
          close(fd);
        }
      }
    }
    if (length == 0) return 0;
    size_t rest = static_cast<size_t>(length) - sizeof count;
    memcpy(&count, head, sizeof count);
    if (length < static_cast<ssize_t>(sizeof count) || count > kMessageDescriptors || rest < count * sizeof(Entry)) {
      count = 0;
      return length;
    }
    memcpy(entries, bytes, count * sizeof(Entry));
    return length;
  }
  // Where the bytes of the first entry begin in what was read to.
  size_t start() const { return count * sizeof(Entry); }
  // Closes those from `first` on. False: there are none.
  bool closeFrom(size_t first) {
    closeElsewhere(std::vector<int>(descriptors + first, descriptors + descriptorCount));
    bool any = descriptorCount > first;
    descriptorCount = first;
    return any;
  }
};

size_t pageBytes(int window) { return kClaimsOffset + static_cast<size_t>(window) * sizeof(Word); }

constexpr uint64_t kBound = UINT64_MAX;

struct Unsent {
  Item item;
  std::string carried;
};

// The primary's end. Keeps a copy of each descriptor until the worker has claimed it. Shared: what is called back may close the channel that calls.
struct Channel : std::enable_shared_from_this<Channel> {
  int socket = -1;
  int remote = -1;
  int memory = -1;
  int window = 0;
  Word* claims = nullptr;  // in the page; after closing in `lastClaims`
  void* page = nullptr;
  std::unique_ptr<Word[]> lastClaims;
  std::vector<int> descriptors;      // by claim index
  std::vector<uint32_t> words;       // what was offered, by claim index: the shared copy may lie
  std::vector<uint64_t> offeredAt;   // in ns, by claim index; kBound: never to be recalled
  std::vector<uint32_t> free;
  std::vector<uint32_t> outstanding;  // claim indices offered and not settled
  std::vector<Unsent> unsent;
  char* bytes = nullptr;  // where what comes back is read to
  Poll* poll = nullptr;
  Timer* again = nullptr;
  std::shared_ptr<Callback> onReturn;

  ~Channel() { end(); }
  // Lets go of everything that the system or JavaScript counts. The claims stay as they are at this moment, in memory that no worker sees.
  void end() {
    stopReading();
    for (int* fd : {&socket, &remote, &memory}) {
      if (*fd >= 0) ::close(*fd);
      *fd = -1;
    }
    // The callback holds the receiver, which holds this channel: none of the three would ever be collected.
    onReturn.reset();
    if (page == nullptr) return;
    lastClaims = std::make_unique<Word[]>(window);
    for (int i = 0; i < window; i++) lastClaims[i].store(claims[i].load(std::memory_order_acquire), std::memory_order_relaxed);
    claims = lastClaims.get();
    munmap(page, pageBytes(window));
    page = nullptr;
  }
  void stopReading() {
    if (poll != nullptr) poll->close();
    if (again != nullptr) again->close();
    poll = nullptr;
    again = nullptr;
  }
  // What has come stays with the kernel for a moment.
  void readLater() {
    uv_poll_stop(&poll->handle);
    if (again == nullptr) again = Timer::open(poll->handle.loop, this);
    uv_timer_start(&again->handle, readAgain, kNoRoomMs, 0);
  }
  static void readAgain(uv_timer_t* timer);
  void release(size_t position) {
    uint32_t index = outstanding[position];
    outstanding[position] = outstanding.back();
    outstanding.pop_back();
    descriptors[index] = -1;
    free.push_back(index);
  }
  // For a worker that is gone. False: it had claimed this one.
  bool takeBack(uint32_t index) {
    uint32_t expected = words[index];
    return claims[index].compare_exchange_strong(expected, (expected & ~kStateMask) | kTakenBack) || (expected & kStateMask) == kTakenBack;
  }
};

// What JavaScript is told of claims: their indices, those of one kind as ~index, in an array of its own.
struct Indices {
  int32_t* out;
  size_t capacity = 0;
  int32_t count = 0;
  Indices(napi_env env, napi_value array) {
    void* data = nullptr;
    napi_get_typedarray_info(env, array, nullptr, &capacity, &data, nullptr, nullptr);
    out = static_cast<int32_t*>(data);
  }
  bool isFull() const { return static_cast<size_t>(count) == capacity; }
  void add(uint32_t index, bool inverted) { out[count++] = inverted ? ~static_cast<int32_t>(index) : static_cast<int32_t>(index); }
};

Channel* toChannel(napi_env env, napi_value value) {
  void* out = nullptr;
  napi_get_value_external(env, value, &out);
  return static_cast<std::shared_ptr<Channel>*>(out)->get();
}

// The first words of the page, as an ArrayBuffer with a mapping of its own: it may outlive the channel.
napi_value mapRow(napi_env env, int memory) {
  void* page = mmap(nullptr, kRowBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (page == MAP_FAILED) return throwSystemError(env, errno, "mmap");
  napi_value out;
  napi_create_external_arraybuffer(
      env, page, kRowBytes, [](napi_env, void* data, void*) { munmap(data, kRowBytes); }, nullptr, &out);
  return out;
}

// Is there room for the descriptors of the next message? The kernel drops those that the table does not take, and their connections with them.
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
  // What makes no sense is found out by reading it.
  if (length < static_cast<ssize_t>(sizeof count) || count > kMessageDescriptors || length < static_cast<ssize_t>(sizeof count + count * sizeof(Return))) return true;
  size_t wanted = 0, opened = 0;
  for (uint32_t i = 0; i < count; i++) wanted += entries[i].id == 0;
  int tried[kMessageDescriptors];
  while (opened < wanted && (tried[opened] = fcntl(socket, F_DUPFD_CLOEXEC, 0)) >= 0) opened++;
  for (size_t i = 0; i < opened; i++) close(tried[i]);
  return opened == wanted;
}

// Can it be a client's connection? Anything else would make an error of the worker that gets it next. Asked without a word to the file behind
// it: a file system of the worker's own need not answer.
bool isConnection(int fd) {
  int type = 0, family = 0, listens = 0;
  socklen_t length = sizeof(int);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM) return false;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0 || listens != 0) return false;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 && (family == AF_INET || family == AF_INET6 || family == AF_UNIX);
}

// Reads what the worker has sent. A worker may lie: what makes no sense is dropped. One that sends descriptors which are no connections, or which no
// entry speaks of, is not heard any more.
void readReturns(Channel* channel, int most) {
  const std::shared_ptr<Channel> alive = channel->shared_from_this();
  const std::shared_ptr<Callback> onReturn = channel->onReturn;
  bool any = false, turned = false;
  int entries = 0;
  for (int messages = 0; messages < most && channel->poll != nullptr && (most == kAllReturns || entries < kEntriesPerWake); messages++) {
    if (most != kAllReturns && !nextFits(channel->socket)) {
      channel->readLater();
      break;
    }
    Incoming<Return> said;
    ssize_t length = said.receive(channel->socket, channel->bytes);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (length <= 0) {  // the worker is gone, or says nothing that makes sense; its exit tells the rest
      said.closeFrom(0);
      channel->stopReading();
      break;
    }
    turned = turned || said.count == 0;
    size_t at = said.start(), end = static_cast<size_t>(length) - sizeof said.count, descriptor = 0;
    for (uint32_t i = 0; i < said.count; i++) {
      const Return& entry = said.entries[i];
      if (entry.bytes == 0 || entry.bytes > end - at) break;
      int fd = -1;
      if (entry.id == 0) {
        if (descriptor == said.descriptorCount) break;
        fd = said.descriptors[descriptor];
        noteDescriptor(fd);
        if (!isConnection(fd)) break;
        descriptor++;
        neverLinger(fd);
      }
      onReturn->call({fd, static_cast<int32_t>(entry.id), entry.tag, entry.reason, static_cast<int32_t>(at), static_cast<int32_t>(entry.bytes)});
      at += entry.bytes;
      any = true;
      entries++;
    }
    if (said.closeFrom(descriptor)) channel->stopReading();
  }
  if (turned) onReturn->call({-1, -1, 0, 0, 0, 0});
  if (any || turned) onReturn->call({-1, 0, 0, 0, 0, 0});
}

void returnReady(uv_poll_t* handle, int, int) {
  readReturns(static_cast<Channel*>(static_cast<Poll*>(handle->data)->owner), kReturnsPerWake);
}

void Channel::readAgain(uv_timer_t* timer) {
  Channel* channel = static_cast<Channel*>(static_cast<Timer*>(timer->data)->owner);
  uv_poll_start(&channel->poll->handle, UV_READABLE, returnReady);
}

// What comes over the channel's socket is read from now on. nullptr: it can't be, and an error is thrown.
napi_value startReading(napi_env env, std::shared_ptr<Channel> channel, napi_value receiver, napi_value onReturn) {
  channel->poll = Poll::open(loopOf(env), channel->socket, channel.get());
  if (channel->poll == nullptr) return throwSystemError(env, errno, "epoll_ctl");
  channel->onReturn = std::make_shared<Callback>(env, receiver, onReturn);
  uv_poll_start(&channel->poll->handle, UV_READABLE, returnReady);
  uv_unref(reinterpret_cast<uv_handle_t*>(&channel->poll->handle));
  napi_value external;
  napi_create_external(
      env, new std::shared_ptr<Channel>(std::move(channel)),
      [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Channel>*>(data); }, nullptr, &external);
  return external;
}

char* bytesOf(napi_env env, napi_value array) {
  size_t length = 0;
  void* data = nullptr;
  napi_get_typedarray_info(env, array, nullptr, &length, &data, nullptr, nullptr);
  return static_cast<char*>(data);
}

// openChannel(window, bytes: Uint8Array, receiver, onReturn(fd, id, tag, reason, offset, length)) -> { channel, remote, memory, row }: the
// two descriptors are for the worker's stdio. What the worker sends is read to `bytes`, of `messageBytes()` bytes; fd -1: a question, or
// with id 0 the end of a batch, with id -1 the loop has turned.
napi_value openChannel(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  auto channel = std::make_shared<Channel>();
  channel->bytes = bytesOf(env, args.at[1]);
  channel->window = toInt(env, args.at[0]);
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) return throwSystemError(env, errno, "socketpair");
  channel->socket = pair[0];
  channel->remote = pair[1];
  channel->memory = memfd_create("switchyard-claims", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  noteDescriptor(channel->memory);
  if (channel->memory < 0 || ftruncate(channel->memory, static_cast<off_t>(pageBytes(channel->window))) != 0) return throwSystemError(env, errno, "memfd_create");
  // The worker has the file too: were it shortened, the next look at it would end this process.
  if (fcntl(channel->memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return throwSystemError(env, errno, "fcntl");
  void* page = mmap(nullptr, pageBytes(channel->window), PROT_READ | PROT_WRITE, MAP_SHARED, channel->memory, 0);
  if (page == MAP_FAILED) return throwSystemError(env, errno, "mmap");
  channel->page = page;
  channel->claims = reinterpret_cast<Word*>(static_cast<char*>(page) + kClaimsOffset);
  channel->descriptors.assign(channel->window, -1);
  channel->words.assign(channel->window, 0);
  channel->offeredAt.assign(channel->window, 0);
  for (int i = channel->window - 1; i >= 0; i--) channel->free.push_back(static_cast<uint32_t>(i));
  napi_value out;
  napi_create_object(env, &out);
  setNamed(env, out, "remote", fromInt(env, channel->remote));
  setNamed(env, out, "memory", fromInt(env, channel->memory));
  napi_value row = mapRow(env, channel->memory);
  if (row == nullptr) return nullptr;
  setNamed(env, out, "row", row);
  napi_value handle = startReading(env, std::move(channel), args.at[2], args.at[3]);
  if (handle == nullptr) return nullptr;
  setNamed(env, out, "channel", handle);
  return out;
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

// joinPassage(socket, bytes: Uint8Array, receiver, onReturn) -> channel: as openChannel, on one end of a passage. It can only be read, and closed.
napi_value joinPassage(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  auto channel = std::make_shared<Channel>();
  channel->socket = toInt(env, args.at[0]);
  channel->bytes = bytesOf(env, args.at[1]);
  fcntl(channel->socket, F_SETFD, FD_CLOEXEC);
  return startReading(env, std::move(channel), args.at[2], args.at[3]);
}

// channelStarted(channel): the worker has its ends; the primary lets go of them, so that the worker's death closes the pair.
napi_value channelStarted(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Channel* channel = toChannel(env, args.at[0]);
  for (int* fd : {&channel->remote, &channel->memory}) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
  return nullptr;
}

// offer(channel, fd, tag, bound, carried?: Uint8Array) -> the index of its claim; -1 when the window is full. The descriptor is the channel's
// until it is claimed or taken back. `bound`: it can't be recalled. `carried`: what was read off it before.
napi_value offer(napi_env env, napi_callback_info info) {
  Args<5> args(env, info);
  Channel* channel = toChannel(env, args.at[0]);
  if (channel->free.empty()) return fromInt(env, -1);
  uint32_t index = channel->free.back();
  channel->free.pop_back();
  uint32_t word = ((channel->words[index] & ~kStateMask) + (1u << 2)) | kOffered;
  channel->words[index] = word;
  channel->descriptors[index] = toInt(env, args.at[1]);
  channel->offeredAt[index] = toBool(env, args.at[3]) ? kBound : uv_hrtime();
  channel->claims[index].store(word, std::memory_order_release);
  channel->outstanding.push_back(index);
  channel->unsent.push_back({{index, word, toInt(env, args.at[2]), 0}, {}});
  size_t length = 0;
  void* data = nullptr;
  if (args.count > 4 && napi_get_typedarray_info(env, args.at[4], nullptr, &length, &data, nullptr, nullptr) == napi_ok) {
    channel->unsent.back().item.carried = static_cast<uint32_t>(length);
    channel->unsent.back().carried.assign(static_cast<char*>(data), length);
  }
  return fromInt(env, static_cast<int32_t>(index));
}

// flush(channel) -> how many hand-offs and answers are still unsent: the kernel has no room for now, or the worker is gone.
napi_value flush(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Channel* channel = toChannel(env, args.at[0]);
  size_t sent = 0;
  while (sent < channel->unsent.size()) {
    Outgoing<Item> message;
    while (sent + message.count < channel->unsent.size()) {
      const Unsent& next = channel->unsent[sent + message.count];
      if (!message.hasRoomFor(next.carried.size())) break;
      int fd = next.item.index == kAnswer ? -1 : channel->descriptors[next.item.index];
      message.add(next.item, fd, next.carried.data(), next.carried.size());
    }
    if (!message.send(channel->socket)) break;
    sent += message.count;
  }
  channel->unsent.erase(channel->unsent.begin(), channel->unsent.begin() + static_cast<long>(sent));
  return fromInt(env, static_cast<int32_t>(channel->unsent.size()));
}

// settle(channel, settled: Int32Array) -> how many hand-offs are decided, each written to `settled` by its index: the worker has claimed it and the
// copy of its descriptor is closed; or, as ~index, the worker could not receive it and the descriptor is the caller's again.
napi_value settle(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  Channel* channel = toChannel(env, args.at[0]);
  Indices settled(env, args.at[1]);
  for (size_t i = channel->outstanding.size(); i-- > 0 && !settled.isFull();) {
    uint32_t index = channel->outstanding[i];
    uint32_t state = channel->claims[index].load(std::memory_order_acquire) & kStateMask;
    if (state == kOffered) continue;
    settled.add(index, state == kTakenBack);
    if (state != kTakenBack) closeClaimed(channel->descriptors[index]);
    channel->release(i);
  }
  return fromInt(env, settled.count);
}

// takeBack(channel, settled: Int32Array) -> as settle, for all that is left: ~index of what the worker had not claimed and now never can.
napi_value takeBack(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  Channel* channel = toChannel(env, args.at[0]);
  Indices settled(env, args.at[1]);
  while (!channel->outstanding.empty() && !settled.isFull()) {
    uint32_t index = channel->outstanding.back();
    bool isOurs = channel->takeBack(index);
    settled.add(index, isOurs);
    if (!isOurs) closeClaimed(channel->descriptors[index]);
    channel->release(channel->outstanding.size() - 1);
  }
  channel->unsent.clear();
  return fromInt(env, settled.count);
}

// recall(channel, most, olderThanUs, recalled: Int32Array) -> how many hand-offs were taken back, the oldest first, each written by its index: the
// worker had not claimed it and now never can, and its descriptor is the caller's again. As ~index: the worker will never hear of it.
napi_value recall(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  Channel* channel = toChannel(env, args.at[0]);
  int32_t most = toInt(env, args.at[1]);
  uint64_t offeredBefore = uv_hrtime() - static_cast<uint64_t>(toInt(env, args.at[2])) * 1000;
  Indices recalled(env, args.at[3]);
  std::vector<uint32_t> old;
  for (uint32_t index : channel->outstanding)
    if (channel->offeredAt[index] <= offeredBefore) old.push_back(index);
  std::sort(old.begin(), old.end(), [channel](uint32_t one, uint32_t other) { return channel->offeredAt[one] < channel->offeredAt[other]; });
  for (uint32_t index : old) {
    if (recalled.count == most || recalled.isFull()) break;
    uint32_t expected = channel->words[index];
    if (!channel->claims[index].compare_exchange_strong(expected, (expected & ~kStateMask) | kTakenBack)) continue;
    auto& unsent = channel->unsent;
    auto kept = std::remove_if(unsent.begin(), unsent.end(), [index](const Unsent& one) { return one.item.index == index; });
    recalled.add(index, kept != unsent.end());
    unsent.erase(kept, unsent.end());
    channel->release(static_cast<size_t>(std::find(channel->outstanding.begin(), channel->outstanding.end(), index) - channel->outstanding.begin()));
  }
  return fromInt(env, recalled.count);
}

// answer(channel, id, said): leaves with the next flush. A worker that asks and does not read gets no more than so many answers.
napi_value answer(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  Channel* channel = toChannel(env, args.at[0]);
  if (channel->unsent.size() >= kMaxUnsent) return nullptr;
  channel->unsent.push_back({{kAnswer, static_cast<uint32_t>(toInt(env, args.at[1])), toInt(env, args.at[2]), 0}, {}});
  return nullptr;
}

// readReturns(channel): everything that the worker has sent, now. For a worker that is gone.
napi_value readAllReturns(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  readReturns(toChannel(env, args.at[0]), kAllReturns);
  return nullptr;
}

// closeChannel(channel): takeBack first. The worker sees the end of the channel, and nothing of it is mapped or held any more but the row.
napi_value closeChannel(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  toChannel(env, args.at[0])->end();
  return nullptr;
}

// ---- The worker's end --------------------------------------------------------------------------------------------------------

struct Receiver {
  int socket;
  int window;
  Word* row;
  Word* claims;
  char* bytes;  // where messages are read to
  char* peeked;
  int byteCapacity;
  Poll* poll;
  std::unique_ptr<Callback> onReceived;
  uv_prepare_t beforePoll;
  uv_check_t afterPoll;
  bool holding;  // a connection was received whose first request begins with the next turn
  bool freed;    // the loop is about to turn, which it has said already
  uint32_t toCome;  // hand-offs of the message that is being read, behind the one that is called
  double turnUs, pieceUs, pieceSquareUs, requestUs;  // moving averages
  uint32_t begun;  // requests before this turn
  uint32_t requests;  // that the turn before began
};

Receiver* theReceiver = nullptr;  // one worker in a process, on its main thread

// ---- Is the loop waiting in the kernel's poll, or busy, and since when? The row says so. ----

constexpr double kTurnSmoothing = 1.0 / 128;
// Of a loop of which nothing is known: its turns are not taken for short ones before it has shown some hundreds.
constexpr double kFirstPieceUs = 1000, kFirstPieceSquareUs = 20e6;

uint32_t microseconds() {
  uint32_t now = static_cast<uint32_t>(uv_hrtime() / 1000);
  return now == 0 ? 1 : now;  // 0 means waiting
}

// What the poll itself calls is the one kind of work that nothing in libuv announces: received connections and requests mark it here.
void markBusy() {
  Word& since = theReceiver->row[kBusySince];
  if (since.load(std::memory_order_relaxed) == 0) since.store(microseconds(), std::memory_order_release);
}

uint32_t wordOf(double us) { return us < INT32_MAX ? static_cast<uint32_t>(us) : INT32_MAX; }

// Whoever finds a loop busy finds a long piece of work sooner than a short one: the wait for its end is the mean square over twice the mean of
// their lengths (the inspection paradox of renewal theory). A turn that begins many requests is as many pieces: a loop is not taken for one that
// computes because much comes at once.
void countTurn(uint32_t us) {
  Receiver* receiver = theReceiver;
  uint32_t begun = receiver->row[kBegun].load(std::memory_order_relaxed);
  uint32_t requests = begun - receiver->begun;
  double pieces = requests < 1 ? 1 : requests;
  receiver->begun = begun;
  receiver->requests = requests;
  double length = us / pieces;
  double share = pieces * kTurnSmoothing < 1 ? pieces * kTurnSmoothing : 1;
  receiver->turnUs += (us - receiver->turnUs) * share;
  receiver->pieceUs += (length - receiver->pieceUs) * share;
  receiver->pieceSquareUs += (length * length - receiver->pieceSquareUs) * share;
  if (requests > 0) receiver->requestUs += (length - receiver->requestUs) * share;
  receiver->row[kTurn].store(wordOf(receiver->turnUs), std::memory_order_relaxed);
  receiver->row[kRequestTurn].store(wordOf(receiver->requestUs), std::memory_order_relaxed);
  receiver->row[kTurnWait].store(receiver->pieceUs < 1 ? 0 : wordOf(receiver->pieceSquareUs / (2 * receiver->pieceUs)), std::memory_order_relaxed);
}

void sayWaiting() {
  Word* row = theReceiver->row;
  // Either the primary sees that the loop waits, or it is seen here that the primary wants to know: both orders are sequential.
  row[kBusySince].store(0);
  uint32_t wanted = row[kWanted].load(), granted = row[kGranted].load(std::memory_order_relaxed);
  if (wanted == granted) return;
  // The upper 24 bits of a wish are those of a count of hand-offs: it is told when so many have been received.
  uint32_t received = row[kReceived].load(std::memory_order_relaxed);
  if (static_cast<int32_t>((wanted & ~kWishMask) - (received << kWishBits)) > 0) return;
  // Before it is told: whoever hears of it may wish again at once, and that is another wish.
  row[kGranted].store(wanted);
  Outgoing<Return> turned;
  if (!turned.send(theReceiver->socket)) row[kGranted].store(granted);
}

void beforePoll(uv_prepare_t*) {
  Receiver* receiver = theReceiver;
  Word* row = receiver->row;
  receiver->freed = false;
  uint32_t since = row[kBusySince].load(std::memory_order_relaxed);
  if (since != 0) countTurn(microseconds() - since);
  row[kTurns].store(row[kTurns].load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (receiver->holding) {  // its bytes are in the kernel: the poll will not wait
    receiver->holding = false;
    row[kBusySince].store(microseconds(), std::memory_order_release);
    return;
  }
  sayWaiting();
}

// Immediates and timers come between the poll and the next.
void afterPoll(uv_check_t*) {
  if (!theReceiver->freed) markBusy();
}

// markFree(): the one request that the loop was busy with is answered, and what remains of the turn is putting things away. Said before that
// is done, so that the next hand-off is here when the loop looks.
napi_value markFree(napi_env, napi_callback_info) {
  Receiver* receiver = theReceiver;
  uint32_t since = receiver->row[kBusySince].load(std::memory_order_relaxed);
  if (since == 0 || receiver->holding || receiver->toCome > 0) return nullptr;
  countTurn(microseconds() - since);
  receiver->freed = true;
  sayWaiting();
  return nullptr;
}

// markBusy(): a request begins.
napi_value markBusyNow(napi_env, napi_callback_info) {
  markBusy();
  return nullptr;
}

// holdBusy(): the loop does not say that it waits before it has turned once more.
napi_value holdBusy(napi_env, napi_callback_info) {
  theReceiver->holding = true;
  return nullptr;
}

void returnOffer(const Item& item) {
  if (item.index >= static_cast<uint32_t>(theReceiver->window)) return;
  uint32_t expected = item.word;
  theReceiver->claims[item.index].compare_exchange_strong(expected, (item.word & ~kStateMask) | kTakenBack);
}

// One message. False: there is none.
bool receiveMessage() {
  Receiver* receiver = theReceiver;
  Incoming<Item> message;
  ssize_t length = message.receive(receiver->socket, receiver->bytes);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (length <= 0) {  // the primary is gone; IPC's disconnect ends this process
    uv_poll_stop(&receiver->poll->handle);
    return false;
  }
  markBusy();  // before the primary can see that these are received
  // This process may be out of descriptors: the kernel then drops the last ones, and the primary still holds its copies.
  size_t at = message.start(), descriptor = 0;
  for (uint32_t i = 0; i < message.count; i++) {
    const Item& item = message.entries[i];
    receiver->toCome = message.count - i - 1;
    if (item.index == kAnswer) {
      receiver->onReceived->call({-1, 0, static_cast<int32_t>(item.word), item.tag, 0, 0});
    } else if (descriptor == message.descriptorCount) {
      returnOffer(item);
    } else {
      receiver->onReceived->call({message.descriptors[descriptor++], static_cast<int32_t>(item.index), static_cast<int32_t>(item.word), item.tag,
                                  static_cast<int32_t>(at), static_cast<int32_t>(item.carried)});
    }
    at += item.carried;
  }
  message.closeFrom(descriptor);
  return true;
}

// See AHEAD_TURNS of native-load-row.ts.
constexpr uint32_t kAheadTurns = 4;

void receiveReady(uv_poll_t*, int, int) {
  uint32_t received = theReceiver->row[kReceived].load(std::memory_order_relaxed);
  // A turn that serves many connections of its own is a long one: more than one message must get in by it, or what is on its way starves.
  uint32_t most = received + theReceiver->requests * kAheadTurns;
  while (receiveMessage() && static_cast<int32_t>(most - theReceiver->row[kReceived].load(std::memory_order_relaxed)) > 0) {
  }
}

// openReceiver(socket, memory, window, bytes: Uint8Array, peeked: Uint8Array, receiver, onReceived(fd, index, word, tag, offset, carried)) ->
// the words that it shares with the primary. What a connection carried is in `bytes`, of `messageBytes()` bytes, while it is called; fd -1:
// the answer to question `word` is `tag`. `peeked` is for peekReceived.
napi_value openReceiver(napi_env env, napi_callback_info info) {
  Args<7> args(env, info);
  auto receiver = std::make_unique<Receiver>();
  receiver->socket = toInt(env, args.at[0]);
  int memory = toInt(env, args.at[1]);
  receiver->window = toInt(env, args.at[2]);
  void* page = mmap(nullptr, pageBytes(receiver->window), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (page == MAP_FAILED) return throwSystemError(env, errno, "mmap");
  napi_value row = mapRow(env, memory);
  close(memory);
  receiver->row = static_cast<Word*>(page);
  receiver->claims = reinterpret_cast<Word*>(static_cast<char*>(page) + kClaimsOffset);
  size_t length = 0;
  void* data = nullptr;
  napi_get_typedarray_info(env, args.at[3], nullptr, &length, &data, nullptr, nullptr);
  receiver->bytes = static_cast<char*>(data);
  napi_get_typedarray_info(env, args.at[4], nullptr, &length, &data, nullptr, nullptr);
  receiver->peeked = static_cast<char*>(data);
  receiver->byteCapacity = static_cast<int>(length);
  receiver->onReceived = std::make_unique<Callback>(env, args.at[5], args.at[6]);
  fcntl(receiver->socket, F_SETFD, FD_CLOEXEC);
  receiver->poll = Poll::open(loopOf(env), receiver->socket, receiver.get());
  if (receiver->poll == nullptr) return throwSystemError(env, errno, "epoll_ctl");
  theReceiver = receiver.release();
  uv_poll_start(&theReceiver->poll->handle, UV_READABLE, receiveReady);
  uv_unref(reinterpret_cast<uv_handle_t*>(&theReceiver->poll->handle));
  uv_loop_t* loop = loopOf(env);
  uv_prepare_init(loop, &theReceiver->beforePoll);
  uv_prepare_start(&theReceiver->beforePoll, beforePoll);
  uv_unref(reinterpret_cast<uv_handle_t*>(&theReceiver->beforePoll));
  uv_check_init(loop, &theReceiver->afterPoll);
  uv_check_start(&theReceiver->afterPoll, afterPoll);
  uv_unref(reinterpret_cast<uv_handle_t*>(&theReceiver->afterPoll));
  theReceiver->pieceUs = kFirstPieceUs;
  theReceiver->pieceSquareUs = kFirstPieceSquareUs;
  countTurn(0);
  markBusy();
  return row;
}

// peekReceived(fd) -> bytes peeked into `peeked`, 0 when there are none.
napi_value peekReceived(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  ssize_t length = recv(toInt(env, args.at[0]), theReceiver->peeked, theReceiver->byteCapacity, MSG_PEEK | MSG_DONTWAIT);
  return fromInt(env, length < 0 ? 0 : static_cast<int32_t>(length));
}

// claim(fd, index, word, take) -> true: the hand-off is this worker's for good, and `take` peeked bytes are out of the kernel.
// false: the primary has taken it back; nothing was taken.
napi_value claim(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  uint32_t index = static_cast<uint32_t>(toInt(env, args.at[1]));
  uint32_t word = static_cast<uint32_t>(toInt(env, args.at[2]));
  if (index >= static_cast<uint32_t>(theReceiver->window)) return fromBool(env, false);
  uint32_t expected = word;
  if (!theReceiver->claims[index].compare_exchange_strong(expected, (word & ~kStateMask) | kClaimed)) return fromBool(env, false);
  int fd = toInt(env, args.at[0]);
  for (int left = toInt(env, args.at[3]); left > 0;) {
    char waste[65536];
    ssize_t length = recv(fd, waste, left < static_cast<int>(sizeof waste) ? left : sizeof waste, MSG_DONTWAIT);
    if (length <= 0 && errno != EINTR) break;
    if (length > 0) left -= static_cast<int>(length);
  }
  return fromBool(env, true);
}

// copyDescriptor(fd) -> another descriptor of the same connection; -1: there is none left.
napi_value copyDescriptor(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  return fromInt(env, fcntl(toInt(env, args.at[0]), F_DUPFD_CLOEXEC, 0));
}

// sendReturns(records: Int32Array of fd, id, tag, reason, bytes: Uint8Array[], socket?) -> how many of them went; id 0: a connection that is given
// back, whose descriptor is closed here when it went. Fewer than all: the primary takes no more now; -1: it is gone. `socket`: one end of a
// passage; left out: this worker's.
napi_value sendReturns(napi_env env, napi_callback_info info) {
  constexpr size_t kInts = 4;
  Args<3> args(env, info);
  int socket = args.count > 2 ? toInt(env, args.at[2]) : theReceiver->socket;
  size_t length = 0, sent = 0;
  void* data = nullptr;
  napi_get_typedarray_info(env, args.at[0], nullptr, &length, &data, nullptr, nullptr);
  const int32_t* records = static_cast<int32_t*>(data);
  size_t count = length / kInts;
  while (sent < count) {
    Outgoing<Return> message;
    while (sent + message.count < count) {
      size_t next = sent + message.count;
      const int32_t* record = records + next * kInts;
      napi_value element;
      size_t bytes = 0;
      void* start = nullptr;
      napi_get_element(env, args.at[1], static_cast<uint32_t>(next), &element);
      napi_get_typedarray_info(env, element, nullptr, &bytes, &start, nullptr, nullptr);
      if (!message.hasRoomFor(bytes)) break;
      Return entry = {static_cast<uint32_t>(record[1]), record[2], record[3], static_cast<uint32_t>(bytes)};
      message.add(entry, entry.id == 0 ? record[0] : -1, start, bytes);
    }
    if (!message.send(socket)) {
      if (errno != EAGAIN && errno != ENOBUFS && errno != ETOOMANYREFS) return fromInt(env, -1);
      break;
    }
    sent += message.count;
    for (size_t i = 0; i < message.descriptorCount; i++) close(message.descriptors[i]);
  }
  return fromInt(env, static_cast<int32_t>(sent));
}

// messageBytes() -> how large a buffer must be that messages are read to.
napi_value messageBytes(napi_env env, napi_callback_info) {
  return fromInt(env, static_cast<int32_t>(kMessageBytes + sizeof(Item) * kMessageDescriptors));
}
static_assert(sizeof(Item) == sizeof(Return), "one size of buffer for both ways");

// ---- What a primary owes the system that it runs on -----------------------------------------------------------------------------

// sendDatagram(path, text): to a unix socket; '@' begins the name of an abstract one. Throws.
napi_value sendDatagram(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  std::string path = toString(env, args.at[0]), text = toString(env, args.at[1]);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return throwSystemError(env, ENAMETOOLONG, "sendto");
  memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  // An abstract name is as long as it is said to be.
  socklen_t length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + path.size() + (path[0] == '@' ? 0 : 1));
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return throwSystemError(env, errno, "socket");
  ssize_t sent = sendto(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<struct sockaddr*>(&address), length);
  int error = errno;
  close(fd);
  return sent < 0 ? throwSystemError(env, error, "sendto") : nullptr;
}

// hasZombie() -> true: a child of this process has ended, and nobody has asked how.
napi_value hasZombie(napi_env env, napi_callback_info) {
  siginfo_t found = {};
  return fromBool(env, waitid(P_ALL, 0, &found, WEXITED | WNOHANG | WNOWAIT) == 0 && found.si_pid != 0);
}

// reap(pid) -> true: it was a child of this process that had ended, and is gone now.
napi_value reap(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  pid_t pid = toInt(env, args.at[0]);
  return fromBool(env, pid > 0 && waitpid(pid, nullptr, WNOHANG) == pid);
}

napi_value start(napi_env env, napi_value exports) {
  struct {
    const char* name;
    napi_callback function;
  } const functions[] = {
      {"openDoor", openDoor}, {"resizeDoor", resizeDoor}, {"closeDoor", closeDoor}, {"listenTcp", listenTcp}, {"listenUnix", listenUnix},
      {"boundPort", boundPort}, {"addListener", addListener}, {"admitOn", admitOn}, {"resumeListeners", resumeListeners}, {"closeListener", closeListener}, {"setPeek", setPeek},
      {"pauseListeners", pauseListeners}, {"holdOffArrivals", holdOffArrivals}, {"closeListeners", closeListeners}, {"nextDescriptor", nextDescriptor}, {"watch", watch}, {"watchLeaving", watchLeaving}, {"unwatch", unwatch},
      {"peek", peek}, {"refuse", refuse}, {"closeDescriptor", closeDescriptor}, {"peerAddress", peerAddress},
      {"descriptorLimit", descriptorLimit}, {"openChannel", openChannel}, {"channelStarted", channelStarted},
      {"offer", offer}, {"flush", flush}, {"settle", settle}, {"takeBack", takeBack}, {"recall", recall}, {"closeChannel", closeChannel},
      {"openReceiver", openReceiver}, {"peekReceived", peekReceived}, {"claim", claim}, {"markBusy", markBusyNow}, {"markFree", markFree}, {"holdBusy", holdBusy},
      {"answer", answer}, {"readReturns", readAllReturns}, {"copyDescriptor", copyDescriptor}, {"sendReturns", sendReturns}, {"messageBytes", messageBytes},
      {"describeListener", describeListener}, {"takeListener", takeListener}, {"openPassage", openPassage}, {"joinPassage", joinPassage},
      {"sendDatagram", sendDatagram}, {"hasZombie", hasZombie}, {"reap", reap},
  };
  for (auto& entry : functions) {
    napi_value function;
    napi_create_function(env, entry.name, NAPI_AUTO_LENGTH, entry.function, nullptr, &function);
    setNamed(env, exports, entry.name, function);
  }
  return exports;
}

}  // namespace

NAPI_MODULE(handoff, start)
