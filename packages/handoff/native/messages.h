// Messages over a socket pair of type SOCK_SEQPACKET: a count, that many entries, the bytes of each entry, and descriptors beside them.
// A worker's message without entries says that its loop has turned, as the primary asked.

#pragma once

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "napi.h"

// glibc 2.34 moved these into libc under a new version; the old one is there on older systems too.
#if defined(__GLIBC__) && defined(__x86_64__)
asm(".symver pthread_create, pthread_create@GLIBC_2.2.5");
asm(".symver pthread_detach, pthread_detach@GLIBC_2.2.5");
#elif defined(__GLIBC__) && defined(__aarch64__)
asm(".symver pthread_create, pthread_create@GLIBC_2.17");
asm(".symver pthread_detach, pthread_detach@GLIBC_2.17");
#endif

namespace handoff {

constexpr int kMessageDescriptors = 64;  // the kernel takes 253 (SCM_MAX_FD)
constexpr size_t kMessageBytes = 65536;
// What a proxy said of the client may stand before the bytes of a connection.
constexpr size_t kMostBytes = kMessageBytes + 4096;

// Primary to worker: a hand-off, or the answer to a question.
struct Item {
  uint32_t index;    // of the claim; kAnswer: an answer, whose `word` is the question's id and `tag` the verdict
  uint32_t word;
  int32_t tag;
  uint32_t carried;  // bytes of this message that were read off the connection before
  uint32_t offeredUs;  // when the primary offered it, see microseconds()
};
constexpr uint32_t kAnswer = UINT32_MAX;

// Worker to primary: a connection that is given back, or a question.
struct Return {
  uint32_t id;  // of the question; 0: a connection, with a descriptor
  int32_t tag;
  int32_t reason;
  uint32_t bytes;  // bytes of this message that belong to the entry
};
static_assert(sizeof(Item) >= sizeof(Return), "a buffer for an Item is large enough for both ways");

// Collects entries and sends them as one message.
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

// Removes bytes from the kernel that were peeked at.
inline void discardBytes(int fd, int count) {
  for (int left = count; left > 0;) {
    char waste[65536];
    ssize_t length = recv(fd, waste, left < static_cast<int>(sizeof waste) ? left : sizeof waste, MSG_DONTWAIT);
    if (length <= 0 && errno != EINTR) break;
    if (length > 0) left -= static_cast<int>(length);
  }
}

// Without this, close() of a socket with SO_LINGER set blocks this process while bytes are unsent.
inline void neverLinger(int fd) {
  struct linger off = {};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off);
}

// Closes descriptors that another process has sent without need. A thread of its own does it: closing a file asks its file system, which may
// belong to that process and never answer.
inline void closeElsewhere(std::vector<int> descriptors) {
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

// Receives one message and checks its form. The sender is not trusted.
template <typename Entry>
struct Incoming {
  uint32_t count = 0;
  Entry entries[kMessageDescriptors];
  size_t descriptorCount = 0;
  int descriptors[kMessageDescriptors];

  // Returns what recvmsg returns. The bytes of the entries stand in `bytes`, one after the other. A malformed message has no entries; the
  // caller owns its descriptors all the same.
  ssize_t receive(int socket, char* bytes) {
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMessageDescriptors)];
    char head[sizeof count + sizeof entries];
    struct iovec parts[2] = {{head, sizeof count}, {bytes, kMostBytes + sizeof entries}};
    struct msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    count = 0;
    descriptorCount = 0;
    ssize_t length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0) return length;
    // First, for a message without bytes can carry descriptors too. The kernel closes those that do not fit into `control`.
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
  // Where the bytes of the first entry begin.
  size_t start() const { return count * sizeof(Entry); }
  // Closes the descriptors from `first` on. False: there are none.
  bool closeFrom(size_t first) {
    closeElsewhere(std::vector<int>(descriptors + first, descriptors + descriptorCount));
    bool any = descriptorCount > first;
    descriptorCount = first;
    return any;
  }
};

}  // namespace handoff
