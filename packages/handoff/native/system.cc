// System calls that Node does not offer: datagrams to a unix socket, and reaping children that Node did not start.

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "functions.h"

namespace handoff {

// sendDatagram(path, text): to a unix socket, whose path begins with '@' if it is abstract. Throws on failure.
napi_value sendDatagram(napi_env env, napi_callback_info info) {
  Args<2> args(env, info);
  std::string path = toString(env, args.at[0]), text = toString(env, args.at[1]);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return throwSystemError(env, ENAMETOOLONG, "sendto");
  memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  // The length of the address bounds an abstract name; no NUL ends it.
  socklen_t length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + path.size() + (path[0] == '@' ? 0 : 1));
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return throwSystemError(env, errno, "socket");
  ssize_t sent = sendto(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<struct sockaddr*>(&address), length);
  int error = errno;
  close(fd);
  return sent < 0 ? throwSystemError(env, error, "sendto") : nullptr;
}

// hasZombie() -> true: a child of this process has exited and is not reaped.
napi_value hasZombie(napi_env env, napi_callback_info) {
  siginfo_t found = {};
  return fromBool(env, waitid(P_ALL, 0, &found, WEXITED | WNOHANG | WNOWAIT) == 0 && found.si_pid != 0);
}

// reap(pid) -> true: the process was an exited child of this one, and is reaped now.
napi_value reap(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  pid_t pid = toInt(env, args.at[0]);
  return fromBool(env, pid > 0 && waitpid(pid, nullptr, WNOHANG) == pid);
}

}  // namespace handoff
