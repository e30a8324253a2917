// Offers hand-offs to one worker, and settles, recalls or takes back each by its claim: exactly one process ends up with the connection.

#include "channel.h"

#include <fcntl.h>

#include <algorithm>

#include "functions.h"

namespace handoff {

namespace {

constexpr size_t kMaxUnsent = 8192;

// Closes the copy of a connection that the worker has claimed. The worker may have closed its own by now.
void closeClaimed(int fd) {
  neverLinger(fd);
  close(fd);
}

// Writes claim indices to an array of JavaScript's, and those of one of two kinds as ~index.
struct Indices {
  Span<int32_t> out;
  int32_t count = 0;
  Indices(napi_env env, napi_value array) : out(toSpan<int32_t>(env, array)) {}
  bool isFull() const { return static_cast<size_t>(count) == out.length; }
  void add(uint32_t index, bool inverted) { out.data[count++] = inverted ? ~static_cast<int32_t>(index) : static_cast<int32_t>(index); }
};

}  // namespace

void Channel::end() {
  stopReading();
  for (int* fd : {&socket, &remote, &memory}) {
    if (*fd >= 0) ::close(*fd);
    *fd = -1;
  }
  // The callback refers to its receiver, which refers to this channel: the cycle would keep all three alive.
  onReturn.reset();
  if (page == nullptr) return;
  lastClaims = std::make_unique<Word[]>(window);
  for (int i = 0; i < window; i++) lastClaims[i].store(claims[i].load(std::memory_order_acquire), std::memory_order_relaxed);
  claims = lastClaims.get();
  munmap(page, pageBytes(window));
  page = nullptr;
}

void Channel::release(size_t position) {
  uint32_t index = outstanding[position];
  outstanding[position] = outstanding.back();
  outstanding.pop_back();
  descriptors[index] = -1;
  free.push_back(index);
}

bool Channel::takeBack(uint32_t index) {
  uint32_t expected = words[index];
  return claims[index].compare_exchange_strong(expected, (expected & ~kStateMask) | kTakenBack) || (expected & kStateMask) == kTakenBack;
}

Channel* toChannel(napi_env env, napi_value value) {
  void* out = nullptr;
  napi_get_value_external(env, value, &out);
  return static_cast<std::shared_ptr<Channel>*>(out)->get();
}

napi_value mapRow(napi_env env, int memory) {
  void* page = mmap(nullptr, kRowBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (page == MAP_FAILED) return throwSystemError(env, errno, "mmap");
  napi_value out;
  napi_create_external_arraybuffer(
      env, page, kRowBytes, [](napi_env, void* data, void*) { munmap(data, kRowBytes); }, nullptr, &out);
  return out;
}

// openChannel(window, bytes: Uint8Array, receiver, onReturn(fd, id, tag, reason, offset, length)) -> { channel, remote, memory, row }.
// The descriptors `remote` and `memory` go to the worker's stdio. Returns are read to `bytes`, which has `messageBytes()` bytes. fd -1 means a
// question, unless id is kBatchEnd or kTurned.
napi_value openChannel(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  auto channel = std::shared_ptr<Channel>(new Channel());
  channel->bytes = toSpan<char>(env, args.at[1]).data;
  channel->window = toInt(env, args.at[0]);
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) return throwSystemError(env, errno, "socketpair");
  channel->socket = pair[0];
  channel->remote = pair[1];
  channel->memory = memfd_create("switchyard-claims", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  recordDescriptor(channel->memory);
  if (channel->memory < 0 || ftruncate(channel->memory, static_cast<off_t>(pageBytes(channel->window))) != 0) return throwSystemError(env, errno, "memfd_create");
  // The worker has the file too. If it shortened the file, the next access would kill this process with SIGBUS.
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

// channelStarted(channel): the worker has its ends. The primary closes its copies, so that the worker's exit closes the pair.
napi_value channelStarted(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Channel* channel = toChannel(env, args.at[0]);
  for (int* fd : {&channel->remote, &channel->memory}) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
  return nullptr;
}

// offer(channel, fd, tag, bound, carried?: Uint8Array) -> the index of the claim; -1 when the window is full. The channel owns the
// descriptor until it is claimed or taken back. `bound`: it cannot be recalled. `carried`: bytes that were read off the connection before.
napi_value offer(napi_env env, napi_callback_info info) {
  Args<5> args(env, info);
  Channel* channel = toChannel(env, args.at[0]);
  if (channel->free.empty()) return fromInt(env, -1);
  uint32_t index = channel->free.back();
  channel->free.pop_back();
  uint32_t word = ((channel->words[index] & ~kStateMask) + (1u << kStateBits)) | kOffered;
  channel->words[index] = word;
  channel->descriptors[index] = toInt(env, args.at[1]);
  uint64_t now = uv_hrtime();
  channel->offeredAt[index] = toBool(env, args.at[3]) ? kBound : now;
  channel->claims[index].store(word, std::memory_order_release);
  channel->outstanding.push_back(index);
  channel->unsent.push_back({{index, word, toInt(env, args.at[2]), 0, static_cast<uint32_t>(now / 1000)}, {}});
  if (args.count > 4) {
    auto carried = toSpan<char>(env, args.at[4]);
    channel->unsent.back().item.carried = static_cast<uint32_t>(carried.length);
    channel->unsent.back().carried.assign(carried.data, carried.length);
  }
  return fromInt(env, static_cast<int32_t>(index));
}

// flush(channel) -> hand-offs and answers that are still unsent, because the kernel has no room or the worker has exited.
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

// settle(channel, settled: Int32Array) -> how many hand-offs are decided. `settled` gets the index of each that the worker has claimed,
// whose copy is closed, and ~index of each that the worker could not receive, whose descriptor is the caller's again.
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

// takeBack(channel, settled: Int32Array) -> as settle, for every hand-off: ~index of each that the worker had not claimed and now cannot.
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

// recall(channel, most, olderThanUs, recalled: Int32Array) -> how many hand-offs were taken back, the oldest first. The worker can no
// longer claim them and the caller owns their descriptors. `recalled` gets the index of each that was sent, and ~index of each that the
// worker never receives.
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

// answer(channel, id, verdict): goes with the next flush. A worker that asks and does not read loses the answers beyond kMaxUnsent.
napi_value answer(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  Channel* channel = toChannel(env, args.at[0]);
  if (channel->unsent.size() >= kMaxUnsent) return nullptr;
  channel->unsent.push_back({{kAnswer, static_cast<uint32_t>(toInt(env, args.at[1])), toInt(env, args.at[2]), 0, 0}, {}});
  return nullptr;
}

// closeChannel(channel): call takeBack first. The worker sees the end of the channel. Only the row stays mapped.
napi_value closeChannel(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  toChannel(env, args.at[0])->end();
  return nullptr;
}

}  // namespace handoff
