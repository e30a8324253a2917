// Sends one message with descriptors over the socket that is its descriptor 3, as a hostile worker may:
//   sends-descriptors <bytes in hex> <file|listener|udp|stream> <count>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <vector>

int open_one(const char* kind) {
  if (strcmp(kind, "file") == 0) return open("/proc/self/exe", O_RDONLY);
  if (strcmp(kind, "udp") == 0) return socket(AF_INET, SOCK_DGRAM, 0);
  if (strcmp(kind, "listener") == 0) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return listen(fd, 1) == 0 ? fd : -1;
  }
  int pair[2];
  return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? pair[0] : -1;
}

int main(int, char** arguments) {
  std::vector<unsigned char> bytes;
  for (const char* at = arguments[1]; at[0] != '\0'; at += 2) {
    char digits[3] = {at[0], at[1], '\0'};
    bytes.push_back(static_cast<unsigned char>(strtol(digits, nullptr, 16)));
  }
  std::vector<int> descriptors;
  for (int i = 0; i < atoi(arguments[3]); i++) descriptors.push_back(open_one(arguments[2]));
  size_t length = descriptors.size() * sizeof(int);
  std::vector<char> control(CMSG_SPACE(length));
  struct iovec part = {bytes.data(), bytes.size()};
  struct msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(length);
  memcpy(CMSG_DATA(header), descriptors.data(), length);
  if (sendmsg(3, &message, 0) >= 0) return 0;
  perror("sendmsg");
  return 1;
}
