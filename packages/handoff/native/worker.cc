// The worker receives connections, claims them and gives them back.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "functions.h"
#include "messages.h"
#include "receiver.h"

namespace handoff {

namespace {

// Gives a hand-off back whose descriptor could not be received.
void returnOffer(const Item& item) {
  if (item.index >= static_cast<uint32_t>(theReceiver->window)) return;
  uint32_t expected = item.word;
  theReceiver->claims[item.index].compare_exchange_strong(expected, (item.word & ~kStateMask) | kTakenBack);
}

// Receives one message. False: there is none.
bool receiveMessage() {
  Receiver* receiver = theReceiver;
  Incoming<Item> message;
  ssize_t length = message.receive(receiver->socket, receiver->bytes);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (length <= 0) {  // the primary has exited; the disconnect of Node's IPC ends this process
    uv_poll_stop(&receiver->poll->handle);
    return false;
  }
  recordBusy();  // before the primary sees that these are received
  // The kernel drops the last descriptors when this process has no room for them. The primary still holds its copies.
  size_t at = message.start(), descriptor = 0;
  for (uint32_t i = 0; i < message.count; i++) {
    const Item& item = message.entries[i];
    receiver->remaining = message.count - i - 1;
    if (item.index == kAnswer) {
      receiver->onReceived->call({kNoDescriptor, 0, static_cast<int32_t>(item.word), item.tag, 0, 0, 0});
    } else if (descriptor == message.descriptorCount) {
      returnOffer(item);
    } else {
      receiver->onReceived->call({message.descriptors[descriptor++], static_cast<int32_t>(item.index), static_cast<int32_t>(item.word), item.tag,
                                  static_cast<int32_t>(at), static_cast<int32_t>(item.carried), static_cast<int32_t>(item.offeredUs)});
    }
    at += item.carried;
  }
  message.closeFrom(descriptor);
  return true;
}

void receiveReady(uv_poll_t*, int, int) {
  uint32_t received = theReceiver->row[kReceived].load(std::memory_order_relaxed);
  // A turn that serves many of the worker's own connections is long. It reads several messages, or the hand-offs under way would starve.
  uint32_t most = received + theReceiver->requests * kAheadTurns;
  while (receiveMessage() && static_cast<int32_t>(most - theReceiver->row[kReceived].load(std::memory_order_relaxed)) > 0) {}
}

}  // namespace

// openReceiver(socket, memory, window, bytes: Uint8Array, peeked: Uint8Array, receiver, onReceived(fd, index, word, tag, offset, carried,
// offeredUs)) -> the shared row. During the call the carried bytes of a connection stand in `bytes`, which has `messageBytes()` bytes. fd -1:
// the answer to question `word` is `tag`. `peeked` is the buffer of peekReceived.
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
  receiver->bytes = toSpan<char>(env, args.at[3]).data;
  auto peeked = toSpan<char>(env, args.at[4]);
  receiver->peeked = peeked.data;
  receiver->byteCapacity = static_cast<int>(peeked.length);
  receiver->onReceived = std::make_unique<Callback>(env, args.at[5], args.at[6]);
  fcntl(receiver->socket, F_SETFD, FD_CLOEXEC);
  receiver->poll = Poll::open(loopOf(env), receiver->socket, receiver.get());
  if (receiver->poll == nullptr) return throwSystemError(env, errno, "epoll_ctl");
  theReceiver = receiver.release();
  uv_poll_start(&theReceiver->poll->handle, UV_READABLE, receiveReady);
  uv_unref(reinterpret_cast<uv_handle_t*>(&theReceiver->poll->handle));
  watchLoop(loopOf(env));
  return row;
}

// peekReceived(fd) -> how many bytes were peeked into `peeked`.
napi_value peekReceived(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  ssize_t length = recv(toInt(env, args.at[0]), theReceiver->peeked, theReceiver->byteCapacity, MSG_PEEK | MSG_DONTWAIT);
  return fromInt(env, length < 0 ? 0 : static_cast<int32_t>(length));
}

// claim(fd, index, word, bytes) -> true: this worker owns the hand-off, and `bytes` peeked bytes are removed from the kernel.
// false: the primary has taken it back, and no byte was removed.
napi_value claim(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  uint32_t index = static_cast<uint32_t>(toInt(env, args.at[1]));
  uint32_t word = static_cast<uint32_t>(toInt(env, args.at[2]));
  if (index >= static_cast<uint32_t>(theReceiver->window)) return fromBool(env, false);
  uint32_t expected = word;
  if (!theReceiver->claims[index].compare_exchange_strong(expected, (word & ~kStateMask) | kClaimed)) return fromBool(env, false);
  discardBytes(toInt(env, args.at[0]), toInt(env, args.at[3]));
  return fromBool(env, true);
}

// sendReturns(records: Int32Array of fd, id, tag, reason, bytes: Uint8Array[], socket?) -> how many were sent, fewer than all when the
// kernel has no room for more; -1: the other side has exited. id 0: a connection that is given back, whose descriptor is closed here once
// it is sent. `socket`: one end of a passage; default: this worker's.
napi_value sendReturns(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  int socket = args.count > 2 ? toInt(env, args.at[2]) : theReceiver->socket;
  auto records = toSpan<int32_t>(env, args.at[0]);
  size_t sent = 0, count = records.length / kReturnInts;
  while (sent < count) {
    Outgoing<Return> message;
    while (sent + message.count < count) {
      size_t next = sent + message.count;
      const int32_t* record = records.data + next * kReturnInts;
      napi_value element;
      napi_get_element(env, args.at[1], static_cast<uint32_t>(next), &element);
      auto bytes = toSpan<char>(env, element);
      if (!message.hasRoomFor(bytes.length)) break;
      Return entry = {static_cast<uint32_t>(record[1]), record[2], record[3], static_cast<uint32_t>(bytes.length)};
      message.add(entry, entry.id == 0 ? record[0] : -1, bytes.data, bytes.length);
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

}  // namespace handoff
