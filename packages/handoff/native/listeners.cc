// The listeners of the acceptor: adding, admitting, pausing and closing them.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "acceptor.h"
#include "functions.h"

namespace handoff {

namespace {

constexpr int kLastBatches = 64;  // accepted at most when a listener closes

Listener* findListener(int id) {
  for (Listener* listener : theAcceptor->listeners)
    if (listener->id == id) return listener;
  return nullptr;
}

}  // namespace

// Closing a listener resets the connections in its queue, so they are accepted first. Another process may share an inherited socket: while
// this process has not accepted from it, that one will.
void releaseListeners(Acceptor* acceptor) {
  for (Listener* listener : acceptor->listeners) {
    for (int batches = 0; listener->isOurs && batches < kLastBatches && acceptBatch(listener); batches++) {}
    listener->release();
  }
  acceptor->listeners.clear();
}

// addListener(fd, id, peek, isInherited): the acceptor owns the listening descriptor from now on. Accepting starts with admitOn and
// resumeListeners. Throws when the descriptor cannot be watched; then the caller still owns it.
napi_value addListener(napi_env env, napi_callback_info info) {
  Args<4> args(env, info);
  Listener* listener =
      new Listener{toInt(env, args.at[0]), toInt(env, args.at[1]), toBool(env, args.at[2]), nullptr, !toBool(env, args.at[3])};
  listener->poll = Poll::open(theAcceptor->loop, listener->fd, listener);
  if (listener->poll == nullptr) {
    int error = errno;
    delete listener;
    return throwSystemError(env, error, "epoll_ctl");
  }
  theAcceptor->listeners.push_back(listener);
  return nullptr;
}

// admitOn(id): the listener accepts whenever listeners are not paused.
napi_value admitOn(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Listener* listener = findListener(toInt(env, args.at[0]));
  if (listener == nullptr) return nullptr;
  listener->isOurs = listener->isAdmitted = true;
  pollArrivals(theAcceptor);
  return nullptr;
}

napi_value resumeListeners(napi_env, napi_callback_info) {
  theAcceptor->accepting = true;
  pollArrivals(theAcceptor);
  return nullptr;
}

napi_value pauseListeners(napi_env, napi_callback_info) {
  theAcceptor->accepting = false;
  pollArrivals(theAcceptor);
  return nullptr;
}

// closeListener(id): closes one at once. The kernel resets the connections that were not accepted, as when a process closes its server.
napi_value closeListener(napi_env env, napi_callback_info info) {
  Args<1> args(env, info);
  Listener* listener = findListener(toInt(env, args.at[0]));
  if (listener == nullptr) return nullptr;
  auto& all = theAcceptor->listeners;
  all.erase(std::find(all.begin(), all.end(), listener));
  listener->release();
  return nullptr;
}

// closeListeners(): the kernel refuses new connections from now on.
napi_value closeListeners(napi_env, napi_callback_info) {
  releaseListeners(theAcceptor);
  return nullptr;
}

// setPeek(id, peek, deferSeconds): whether new connections are peeked at before they are delivered.
napi_value setPeek(napi_env env, napi_callback_info info) {
  Args<3> args(env, info);
  Listener* listener = findListener(toInt(env, args.at[0]));
  if (listener == nullptr) return nullptr;
  listener->peek = toBool(env, args.at[1]);
  int defer = toInt(env, args.at[2]);
  setsockopt(listener->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof defer);  // a unix socket has no such option
  return nullptr;
}

}  // namespace handoff
