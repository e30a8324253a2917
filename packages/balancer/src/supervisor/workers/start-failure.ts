// Why a worker could not be started, in words: what the system said, and what can be done about it.

import { BalancerError } from '../../errors.ts'

/** By the code of the system's error. */
const REMEDIES: Readonly<Record<string, string>> = {
  E2BIG:
    "its arguments and environment are too large for the system: shorten 'args' and 'env' of the pool, or the environment of the balancer (128 KiB a variable)",
  EAGAIN: 'this user may not have more processes: raise the limit (ulimit -u, TasksMax of a service, the pids limit of a container)',
  EMFILE: 'this process may not have more descriptors: raise the limit (ulimit -n, LimitNOFILE of a service)',
  ENFILE: 'the system has no descriptors left: raise fs.file-max, or look for what holds so many',
  ENOMEM: 'the system has no memory left: fewer workers, smaller ones (maxMemory), or more memory',
  EPERM: "the balancer may not: look at 'uid' and 'gid' of the pool, and at what a sandbox forbids",
  EACCES: "the balancer may not: look at who may execute Node and enter the pool's 'cwd'",
  ENOENT: "the program or the pool's 'cwd' is gone: look at both, and start the balancer again when Node has been moved",
  ENOSPC: 'there is no space, or no inode, left: make room there, or set TMPDIR to another folder',
  EDQUOT: 'the quota is used up: make room there, or set TMPDIR to another folder',
  EROFS: 'nothing can be written there: set TMPDIR to another folder',
}

/** One sentence; the failure of a step that knows no code says all itself. */
export function describeStartFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, message } = error as NodeJS.ErrnoException
  const remedy = error instanceof BalancerError || code === undefined ? undefined : REMEDIES[code]
  return remedy === undefined ? message : `${message}; ${remedy}`
}
